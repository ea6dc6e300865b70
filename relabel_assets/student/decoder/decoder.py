"""The decoder student: a causal language model that reads the rubric, a query and a document, and answers with a digit.

What belongs here: its prompt, its score and its loss. What does not: the training loop (training.py). Imported only where a
model is needed.

The score of a pair is the grade expected under the probabilities of the grades' digits, as the next token. The rubric comes
first in the prompt and is the same for all pairs: its keys and values are computed once.
"""

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from peft import TaskType
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from relabel_assets.corpus.config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.prompt import Prompt, packaged_prompt, parse_prompt
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student import fit as training
from relabel_assets.student import folder as storage
from relabel_assets.student.base import base_path
from relabel_assets.student.cross_encoder import PairLearner, document_text
from relabel_assets.student.decoder.prefix_cache import shared_prefix
from relabel_assets.student.runtime.batches import batch_tokens, by_length, prepared, wide
from relabel_assets.student.runtime.encoder import load_model, room_of
from relabel_assets.student.runtime.precision import Reader, mixed

_RATE = {"lora": 2e-4, "full": 1e-5}
_RANK = 16
_PAIRS_A_CHUNK = 1024
_LARGE = 1_000_000_000  # parameters from which activations are computed twice rather than kept
_OF_RUBRIC = frozenset({"grades", "guidance", "max_grade"})
_OF_PAIR = frozenset({"query", "document"})


def student_prompt(rubric: Rubric) -> Prompt:
    """The prompt with the rubric in it; the query and the document are left to fill."""
    prompt = packaged_prompt("student", required=_OF_PAIR, allowed=_OF_RUBRIC)
    values = {
        "grades": "\n".join(f"{grade.grade} ({grade.name}): {grade.meaning}" for grade in rubric.grades),
        "guidance": "\n".join(f"- {rule}" for rule in rubric.guidance) or "- (none)",
        "max_grade": str(rubric.max_grade),
    }
    system = prompt.system
    for name, value in values.items():
        system = system.replace("{{" + name + "}}", value.replace("{{", "{ {").replace("}}", "} }"))
    return saved_prompt(system, prompt.user)


def saved_prompt(system: str, user: str) -> Prompt:
    """The prompt of student.json."""
    text = storage.yaml_of({"system": system, "user": user})
    return parse_prompt(text, file=storage.SETTINGS, required=_OF_PAIR, allowed=frozenset())


@dataclass(frozen=True)
class Decoder:
    """`model` maps token ids (B, T) to logits; `digits` are the token ids of 0, 1, ...; max_length counts a pair's own text."""

    model: Any
    tokenizer: Any
    max_length: int
    prompt: Prompt
    digits: tuple[int, ...]
    reader: Reader = field(default_factory=Reader)

    @classmethod
    def load(
        cls, path: str, max_length: int, prompt: Prompt, n_grades: int, precision: str = "auto", *, trains: bool = False
    ) -> "Decoder":
        """Raises StudentError where there is no such model, or its tokenizer has no token for a digit.

        With `trains` on a CPU its weights are fp32; on a GPU only the adapter's are, which peft sees to.
        """
        reader = Reader(precision)
        dtype = torch.float32 if trains and not torch.cuda.is_available() else reader.dtype
        model, tokenizer, missing = load_model(AutoModelForCausalLM, path, dtype=dtype)
        if missing:
            raise StudentError(
                f"the model {path!r} is no causal language model: it lacks {sorted(missing)[0]}. `architecture: decoder` "
                "needs one; an encoder may be a late_interaction or a cross_encoder student."
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        found = cls(model, tokenizer, max_length, prompt, _digits(tokenizer, n_grades, path), reader)
        room = room_of(model, 10**6) - len(found.rows([{"text": "", "body": ""}])[0]["input_ids"])
        if room < 16:
            raise StudentError(
                f"the model {path!r} reads {room_of(model, 0)} tokens: the rubric leaves no room for a document. "
                "Choose a model with a longer window, or a shorter rubric."
            )
        return dataclasses.replace(found, max_length=min(max_length, room))

    def rows(self, pairs: Sequence[dict[str, Any]]) -> list[dict[str, list[int]]]:
        """The token ids of each pair's whole prompt. A long query is cut at half of max_length, a document at the rest."""
        queries = self._cut([pair["text"] for pair in pairs], [self.max_length // 2] * len(pairs))
        rooms = [self.max_length - length for _, length in queries]
        documents = self._cut([document_text(pair) for pair in pairs], rooms)
        texts = [self._text(query, document) for (query, _), (document, _) in zip(queries, documents, strict=True)]
        has_template = bool(self.tokenizer.chat_template)  # which brings its own special tokens
        found = self.tokenizer(texts, add_special_tokens=not has_template, truncation=False, verbose=False)
        return [{"input_ids": ids} for ids in found["input_ids"]]

    def digit_logits(self, rows: Sequence[dict[str, list[int]]], shared: "_Shared | None" = None) -> Tensor:
        """The logits of the digits as the next token, (B, n_grades); with `shared`, after a rubric that was read already."""
        model, cache, prefix = self.model, None, 0
        if shared is not None:
            model = shared.model
            # A tokenizer may join a prompt's last letters with a query's first: those rows pay for the whole prompt.
            if shared.cache is not None and all(shared.begins(row["input_ids"]) for row in rows):
                cache, prefix = shared.cache, len(shared.ids)
        tails = [row["input_ids"][prefix:] for row in rows]
        longest = wide(prefix + max(map(len, tails)), room_of(model, 10**6)) - prefix
        # Padding goes before a tail, so that the last position is every row's own last token.
        ids = torch.tensor([[self.tokenizer.pad_token_id or 0] * (longest - len(tail)) + tail for tail in tails])
        mask = torch.tensor([[0] * (longest - len(tail)) + [1] * len(tail) for tail in tails])
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0) + prefix
        mask = torch.cat([torch.ones(len(rows), prefix, dtype=mask.dtype), mask], dim=1)
        place = next(model.parameters()).device
        given = {"past_key_values": cache} if cache is not None else {}
        hook = model.get_output_embeddings().register_forward_hook(self._only_digits)
        try:
            logits = model(
                input_ids=ids.to(place), attention_mask=mask.to(place), position_ids=positions.to(place),
                logits_to_keep=1, use_cache=cache is not None, **given,
            ).logits  # fmt: skip
        finally:
            hook.remove()
        return logits[:, -1].float().cpu()

    def logits(self, rows: Sequence[dict[str, list[int]]]) -> Tensor:
        """The expected grade of each row, (B,), with gradients: its place on a line, as training's losses want it."""
        return _expected(self.digit_logits(rows))

    @torch.inference_mode()
    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), in its order."""
        self.model.eval()
        shared = self._read_rubric()
        chunks = [pairs.slice(start, _PAIRS_A_CHUNK) for start in range(0, pairs.height, _PAIRS_A_CHUNK)]
        found = [np.empty(0)]
        for rows in prepared(chunks, lambda chunk: self.rows(chunk.to_dicts())):
            part = np.empty(len(rows))
            for places in by_length([len(row["input_ids"]) for row in rows], batch_tokens()):
                part[places] = _expected(self.digit_logits([rows[place] for place in places], shared)).numpy()
            found.append(part)
            progress("reading pairs", sum(map(len, found)), pairs.height)
        return np.concatenate(found)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the files of this architecture, and give its part of student.json."""
        storage.save_merged(self.model, self.tokenizer, folder)
        return {"prompt": {"system": self.prompt.system, "user": self.prompt.user}}

    def _text(self, query: str, document: str) -> str:
        messages = self.prompt.render({"query": query, "document": document})
        if self.tokenizer.chat_template:
            return self.tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        return "\n\n".join(message["content"] for message in messages) + "\nGrade:\n"

    def _cut(self, texts: Sequence[str], rooms: Sequence[int]) -> list[tuple[str, int]]:
        """Each text cut to its number of tokens, and how many it has."""
        found = self.tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [
            (text, len(ids)) if len(ids) <= room else (text[: offsets[room][0]], room)
            for text, ids, offsets, room in zip(texts, found["input_ids"], found["offset_mapping"], rooms, strict=True)
        ]

    def _only_digits(self, head: Any, given: tuple[Tensor, ...], found: Tensor) -> Tensor:
        """The digits' logits of the last layer, in fp32: rounded to bf16, expected grades would tie."""
        digits = list(self.digits)
        bias = None if getattr(head, "bias", None) is None else head.bias[digits].float()
        with torch.autocast(given[0].device.type, enabled=False):
            return nn.functional.linear(given[0].float(), head.weight[digits].float(), bias)

    def _read_rubric(self) -> "_Shared":
        model = self.reader(self.model)
        probes = [row["input_ids"] for row in self.rows([{"text": "a", "body": "a"}, {"text": "0", "body": "0"}])]
        n = next(place for place, (a, b) in enumerate(zip(*probes, strict=False)) if a != b)
        # Escaped delimiters can make a text some tokens longer than max_length.
        longest = len(probes[0]) + 2 * self.max_length
        return _Shared(model, tuple(probes[0][:n]), shared_prefix(model, probes[0][:n], longest))


@dataclass(frozen=True)
class _Shared:
    """The model that reads, the token ids that all prompts begin with, and their keys and values, where they can be kept."""

    model: Any
    ids: tuple[int, ...]
    cache: Any

    def begins(self, prompt: Sequence[int]) -> bool:
        return len(prompt) > len(self.ids) and tuple(prompt[: len(self.ids)]) == self.ids


class _DigitLearner(PairLearner):
    """Trains a decoder: the digit of the grade is the right next token, and expected grades should be in order."""

    def loss(self, batch: Sequence[training.GradedQuery]) -> Tensor:
        # transformers computes activations twice in training mode alone. Dropout comes with it; decoders of that size have none.
        self.grader.model.train(self.grader.model.is_activation_checkpointing)
        losses = []
        for query in batch:
            rows = self.grader.rows([self.documents[doc_id] | {"text": query.text} for doc_id in query.documents])
            logits = self.read(rows, self.grader.digit_logits)
            right = nn.functional.cross_entropy(logits, query.grades.long())
            losses.append(right + training.ranking_loss(_expected(logits), query.grades))
        return torch.stack(losses).mean()


def start(config: StudentConfig, rubric: Rubric) -> Decoder:
    """The decoder that training starts from."""
    path = base_path(config.base_model)
    prompt = student_prompt(rubric)
    found = Decoder.load(path, config.max_length, prompt, rubric.n_grades, config.precision, trains=True)
    model = found.model
    if config.method == "lora":
        model = training.with_lora(model, rank=_RANK, task=TaskType.CAUSAL_LM)
    if sum(p.numel() for p in model.parameters()) > _LARGE:
        found.model.enable_input_require_grads()
        again = {"use_reentrant": False, "context_fn": lambda: (nullcontext(), mixed(found.reader.dtype))}
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=again)
    return dataclasses.replace(found, model=model)


def learner(grader: Decoder, config: StudentConfig, rows: pl.DataFrame, n_grades: int) -> PairLearner:
    return _DigitLearner(grader, config.learning_rate or _RATE[config.method], rows, n_grades)


def _expected(digit_logits: Tensor) -> Tensor:
    """The grade expected under digits' logits (B, n_grades), (B,)."""
    return torch.softmax(digit_logits, dim=-1) @ torch.arange(digit_logits.shape[1], dtype=torch.float32)


def _digits(tokenizer: Any, n_grades: int, path: str) -> tuple[int, ...]:
    found = tuple(tokenizer(str(grade), add_special_tokens=False)["input_ids"][-1] for grade in range(n_grades))
    if len(set(found)) != n_grades or [tokenizer.decode([i]).strip() for i in found] != [
        str(g) for g in range(n_grades)
    ]:
        raise StudentError(f"the tokenizer of {path!r} has no token of its own for each digit, so it cannot grade.")
    return found
