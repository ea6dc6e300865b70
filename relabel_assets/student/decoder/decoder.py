"""The decoder student: a causal language model that answers a pair with a digit.

Experimental: tested on tiny models, not trained at size.

What belongs here: loading the model, and scoring pairs with it. What does not: its prompt
(prompt.py), its training (learner.py), and scoring in batches as cross-encoders do too
(student/pair_reader.py). Imported only where a model is needed: it loads torch.

A pair's score is the expected grade: the sum of the grades, each times the probability of its digit
as the next token. The rubric comes first in the prompt and is the same for all pairs, so its keys
and values are computed once.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from relabel_assets.errors import StudentError
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.student.decoder.prefix_cache import prefix_cache
from relabel_assets.student.folder import save_merged
from relabel_assets.student.pair_reader import TokenRow, document_text, score_pairs
from relabel_assets.student.runtime.batches import padded_width
from relabel_assets.student.runtime.encoder import load_model, max_tokens_of
from relabel_assets.student.runtime.precision import InferenceCopy
from relabel_assets.student.vectors.store import VectorStore

_MIN_DOCUMENT_TOKENS = 16  # the lower bound of max_length in corpus.yaml
_UNLIMITED = 10**6  # tokens, for a model whose config has no limit


@dataclass(frozen=True)
class Decoder:
    """A grader whose `model` maps token ids (B, T) to logits; `digits` are the token ids of 0, 1, ...

    `max_length` counts the tokens of query and document, without the rubric. `inference` returns
    the copy of `model` that scores.
    """

    model: Any
    tokenizer: Any
    max_length: int
    prompt: Prompt
    digits: tuple[int, ...]
    inference: InferenceCopy = field(default_factory=InferenceCopy)

    @classmethod
    def load(
        cls,
        path: str,
        max_length: int,
        prompt: Prompt,
        n_grades: int,
        precision: str = "auto",
        *,
        trains: bool = False,
    ) -> "Decoder":
        """The decoder in a folder or of a hub name.

        With `trains` on a CPU, all weights are fp32. On a GPU the adapter's alone are, because peft
        makes them so. Raises StudentError where there is no such model, or its tokenizer has no
        token for a digit.
        """
        inference = InferenceCopy(precision)
        dtype = torch.float32 if trains and not torch.cuda.is_available() else inference.dtype
        model, tokenizer, missing = load_model(AutoModelForCausalLM, path, dtype=dtype)
        if missing:
            raise StudentError(
                f"the model {path!r} is no causal language model: it lacks {sorted(missing)[0]}. "
                "`architecture: decoder` needs one. "
                "For an encoder, choose late_interaction or cross_encoder."
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        digits = _digits(tokenizer, n_grades, path)
        decoder = cls(model, tokenizer, max_length, prompt, digits, inference)
        empty_pair = decoder.tokenize([{"text": "", "body": ""}])[0]
        room = max_tokens_of(model, _UNLIMITED) - len(empty_pair["input_ids"])
        if room < _MIN_DOCUMENT_TOKENS:
            raise StudentError(
                f"the model {path!r} reads {max_tokens_of(model, 0)} tokens: the rubric leaves no "
                "room for a document. Choose a model with a longer window, or a shorter rubric."
            )
        return dataclasses.replace(decoder, max_length=min(max_length, room))

    def tokenize(self, pairs: Sequence[dict[str, Any]]) -> list[TokenRow]:
        """The token ids of each pair's whole prompt.

        A query is cut to half of max_length, a document to the rest.
        """
        queries = self._cut([pair["text"] for pair in pairs], [self.max_length // 2] * len(pairs))
        rooms = [self.max_length - length for _, length in queries]
        documents = self._cut([document_text(pair) for pair in pairs], rooms)
        prompts = [
            self._prompt_text(query, document)
            for (query, _), (document, _) in zip(queries, documents, strict=True)
        ]
        has_template = bool(self.tokenizer.chat_template)  # a template adds its own special tokens
        encoded = self.tokenizer(
            prompts, add_special_tokens=not has_template, truncation=False, verbose=False
        )
        return [{"input_ids": ids} for ids in encoded["input_ids"]]

    def digit_logits(self, rows: Sequence[TokenRow], prefix: "_Prefix | None" = None) -> Tensor:
        """The logits of the digits as the next token, (B, n_grades).

        With `prefix`, its cached keys and values replace the computation of its tokens.
        """
        model, cache, n_cached = self.model, None, 0
        if prefix is not None:
            model = prefix.model
            # A tokenizer may join the prefix's last letters with a query's first. A batch with such
            # a row is computed whole.
            if prefix.cache is not None and all(prefix.begins(row["input_ids"]) for row in rows):
                cache, n_cached = prefix.cache, len(prefix.ids)
        tails = [row["input_ids"][n_cached:] for row in rows]
        longest = n_cached + max(map(len, tails))
        width = padded_width(longest, max_tokens_of(model, _UNLIMITED)) - n_cached
        # Padding comes before a tail, so that the last position is the last token of every row.
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (width - len(tail)) + tail for tail in tails])  # (B, T)
        mask = torch.tensor([[0] * (width - len(tail)) + [1] * len(tail) for tail in tails])
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0) + n_cached
        mask = torch.cat([torch.ones(len(rows), n_cached, dtype=mask.dtype), mask], dim=1)
        device = next(model.parameters()).device
        cached = {} if cache is None else {"past_key_values": cache}
        hook = model.get_output_embeddings().register_forward_hook(self._only_digits)
        try:
            output = model(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                position_ids=positions.to(device),
                logits_to_keep=1,
                use_cache=bool(cached),
                **cached,
            )
        finally:
            hook.remove()
        return output.logits[:, -1].float().cpu()

    def logits(self, rows: Sequence[TokenRow]) -> Tensor:
        """The expected grade of each row, (B,), with gradients."""
        return expected_grades(self.digit_logits(rows))

    @torch.inference_mode()
    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), in its order."""
        self.model.eval()
        prefix = self._compute_prefix()
        return score_pairs(
            pairs,
            self.tokenize,
            lambda rows: expected_grades(self.digit_logits(rows, prefix)),
            progress,
        )

    def with_store(self, store: VectorStore) -> "Decoder":
        """This grader: it reads a document with each query anew, so it has no vectors to keep."""
        return self

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the model's files, and return the prompt for student.json."""
        save_merged(self.model, self.tokenizer, folder)
        return {"prompt": {"system": self.prompt.system, "user": self.prompt.user}}

    def _prompt_text(self, query: str, document: str) -> str:
        """The whole prompt, in the model's chat template where it has one."""
        messages = self.prompt.render({"query": query, "document": document})
        if self.tokenizer.chat_template:
            return self.tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        return "\n\n".join(message["content"] for message in messages) + "\nGrade:\n"

    def _cut(self, texts: Sequence[str], rooms: Sequence[int]) -> list[tuple[str, int]]:
        """Each text cut to the number of tokens in `rooms`, and its number of tokens then."""
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return [
            (text, len(ids)) if len(ids) <= room else (text[: offsets[room][0]], room)
            for text, ids, offsets, room in zip(
                texts, encoded["input_ids"], encoded["offset_mapping"], rooms, strict=True
            )
        ]

    def _only_digits(self, head: Any, inputs: tuple[Tensor, ...], logits: Tensor) -> Tensor:
        """The hook that computes the last layer for the digits alone, in fp32: in bf16, grades would tie."""
        digits = list(self.digits)
        hidden = inputs[0]
        bias = None if getattr(head, "bias", None) is None else head.bias[digits].float()
        with torch.autocast(hidden.device.type, enabled=False):
            return nn.functional.linear(hidden.float(), head.weight[digits].float(), bias)

    def _compute_prefix(self) -> "_Prefix":
        """The prefix of all prompts: the common tokens of two pairs without a common letter."""
        model = self.inference(self.model)
        pairs = [{"text": "a", "body": "a"}, {"text": "0", "body": "0"}]
        first, second = (row["input_ids"] for row in self.tokenize(pairs))
        n = next(index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
        # Escaped delimiters can make a text some tokens longer than max_length.
        longest = len(first) + 2 * self.max_length
        return _Prefix(model, tuple(first[:n]), prefix_cache(model, first[:n], longest))


@dataclass(frozen=True)
class _Prefix:
    """The first token ids of all prompts, with their keys and values in `cache`.

    `cache` is of `model`, and None where the model cannot use one.
    """

    model: Any
    ids: tuple[int, ...]
    cache: Any

    def begins(self, prompt: Sequence[int]) -> bool:
        """Whether the token ids of `prompt` start with the prefix and go on after it."""
        return len(prompt) > len(self.ids) and tuple(prompt[: len(self.ids)]) == self.ids


def expected_grades(digit_logits: Tensor) -> Tensor:
    """The expected grades, (B,), from the logits of the digits, (B, n_grades).

    >>> expected_grades(torch.tensor([[0.0, 0.0, 0.0, 0.0], [-9.0, -9.0, -9.0, 9.0]]))
    tensor([1.5000, 3.0000])
    """
    n_grades = digit_logits.shape[1]
    return torch.softmax(digit_logits, dim=-1) @ torch.arange(n_grades, dtype=torch.float32)


def _digits(tokenizer: Any, n_grades: int, path: str) -> tuple[int, ...]:
    """The token id of each grade's digit. Raises StudentError where a digit has no token of its own."""
    digits = [str(grade) for grade in range(n_grades)]
    ids = [tokenizer(digit, add_special_tokens=False)["input_ids"][-1] for digit in digits]
    has_own_token = [tokenizer.decode([i]).strip() for i in ids] == digits
    if len(set(ids)) != n_grades or not has_own_token:
        raise StudentError(
            f"the tokenizer of {path!r} has no token of its own for each digit, so it cannot grade. "
            "Choose another base_model."
        )
    return tuple(ids)
