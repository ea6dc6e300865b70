"""The decoder student: a causal language model that answers a pair with a digit.

Experimental: tested on tiny models, and trained on few pairs at 270 million weights (docs/student.md).

What belongs here: loading the model, and scoring pairs with it. What does not: the texts of its prompt
(prompt.py), the keys and values that prompts share (prefix_cache.py), the answer's tokens and their
logits (grade_tokens.py, next_token.py), its training (learner.py), and scoring in batches as
cross-encoders do too (student/pair_reader.py). Imported only where a model is needed: it loads torch.

A pair's score is the expected grade: the sum of the grades, each times the probability of its digit
as the next token. The rubric comes first in the prompt and is the same for all pairs, so its keys
and values are computed once.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForCausalLM

from relabel_assets.errors import StudentError
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.student.decoder.grade_tokens import grade_tokens
from relabel_assets.student.decoder.next_token import next_token_logits
from relabel_assets.student.decoder.prefix_cache import SharedPrefix
from relabel_assets.student.folder import save_merged
from relabel_assets.student.pair_reader import TokenRow, document_text, score_pairs
from relabel_assets.student.runtime.batches import WIDTH_STEP
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
        trains: Literal["lora", "full"] | None = None,
    ) -> "Decoder":
        """The decoder in a folder or of a hub name.

        `trains` is the method of training, None where the decoder only grades (`training_dtype`).
        Raises StudentError where there is no such model, its tokenizer has no token for a grade, or the
        prompt leaves no room for a document.
        """
        inference = InferenceCopy(precision)
        dtype = inference.dtype
        if trains:
            dtype = training_dtype(trains, inference.dtype, has_gpu=torch.cuda.is_available())
        model, tokenizer, missing = load_model(AutoModelForCausalLM, path, dtype=dtype)
        if missing:
            raise StudentError(
                f"the model {path!r} is no causal language model: it lacks {sorted(missing)[0]}. "
                "`architecture: decoder` needs one. "
                "For an encoder, choose late_interaction or cross_encoder."
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        decoder = cls(model, tokenizer, max_length, prompt, (), inference)
        empty = decoder._prompt_text("", "")
        digits = grade_tokens(lambda text: decoder._token_ids([text])[0], empty, n_grades, path)
        room = max_tokens_of(model, _UNLIMITED) - len(decoder._token_ids([empty])[0])
        if room < _MIN_DOCUMENT_TOKENS:
            raise StudentError(
                f"the model {path!r} reads {max_tokens_of(model, 0)} tokens: the rubric leaves no "
                "room for a document. Choose a model with a longer window, or a shorter rubric."
            )
        return dataclasses.replace(decoder, max_length=min(max_length, room), digits=digits)

    def tokenize(self, pairs: Sequence[dict[str, Any]]) -> list[TokenRow]:
        """The token ids of each pair's whole prompt.

        A query is cut to half of max_length, a document to the rest.
        """
        queries = self._cut([pair["text"] for pair in pairs], [self.max_length // 2] * len(pairs))
        rooms = [self.max_length - length for _, length in queries]
        documents = self._cut([document_text(pair, self.max_length) for pair in pairs], rooms)
        prompts = [
            self._prompt_text(query, document)
            for (query, _), (document, _) in zip(queries, documents, strict=True)
        ]
        return [{"input_ids": ids} for ids in self._token_ids(prompts)]

    def shared_prefix(self, model: Any) -> SharedPrefix:
        """The prefix of all prompts, computed by `model`: with gradients where they are enabled.

        It has the common tokens of two pairs without a common letter, in whole steps of a batch's width.
        Measured: with other numbers of tokens, grading takes 15 % longer on a CPU.
        """
        pairs = [{"text": "a", "body": "a"}, {"text": "0", "body": "0"}]
        first, second = (row["input_ids"] for row in self.tokenize(pairs))
        n = next(index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
        return SharedPrefix.compute(model, first[: n - n % WIDTH_STEP])

    def digit_logits(self, rows: Sequence[TokenRow], prefix: SharedPrefix | None = None) -> Tensor:
        """The logits of the digits as the next token, (B, n_grades).

        With `prefix`, its keys and values replace the computation of its tokens.
        """
        model = self.model if prefix is None else prefix.model
        return next_token_logits(
            model,
            [row["input_ids"] for row in rows],
            self.digits,
            pad=self.tokenizer.pad_token_id or 0,
            max_width=max_tokens_of(model, _UNLIMITED),
            prefix=prefix,
        )

    def logits(self, rows: Sequence[TokenRow]) -> Tensor:
        """The expected grade of each row, (B,), with gradients."""
        return expected_grades(self.digit_logits(rows))

    @torch.inference_mode()
    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), in its order."""
        self.model.eval()
        prefix = self.shared_prefix(self.inference(self.model))
        return score_pairs(
            pairs,
            self.tokenize,
            lambda rows: expected_grades(self.digit_logits(rows, prefix)),
            progress,
            n_shared=prefix.n_shared,
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

    def _token_ids(self, prompts: Sequence[str]) -> list[list[int]]:
        """The token ids of whole prompts, uncut, with the special tokens that a text begins with.

        Those that it would end with are left out: an answer follows the prompt.
        """
        rows = self._plain_ids(prompts)
        if self.tokenizer.chat_template:  # a template adds its own special tokens
            return rows
        (text,) = self._plain_ids(["a"])
        with_special = self.tokenizer("a")["input_ids"]
        start = with_special[: with_special.index(text[0])]
        return [start + row for row in rows]

    def _plain_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return self.tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        )["input_ids"]


def training_dtype(
    method: Literal["lora", "full"], inference: torch.dtype, *, has_gpu: bool
) -> torch.dtype:
    """The number format of the weights from which training starts; `inference` is that of grading.

    Weights that are trained are fp32: bf16 keeps 8 bits of a number, and a step of AdamW changes a weight
    by less than that (Micikevicius et al. 2018, section 3.1). With LoRA the base's weights stay as they are,
    and peft makes the adapter fp32. On a CPU the base is fp32 too, whose products autocast rounds.

    >>> training_dtype("lora", torch.bfloat16, has_gpu=True)
    torch.bfloat16
    >>> training_dtype("full", torch.bfloat16, has_gpu=True)
    torch.float32
    """
    return inference if has_gpu and method == "lora" else torch.float32


def expected_grades(digit_logits: Tensor) -> Tensor:
    """The expected grades, (B,), from the logits of the digits, (B, n_grades).

    >>> expected_grades(torch.tensor([[0.0, 0.0, 0.0, 0.0], [-9.0, -9.0, -9.0, 9.0]]))
    tensor([1.5000, 3.0000])
    """
    n_grades = digit_logits.shape[1]
    return torch.softmax(digit_logits, dim=-1) @ torch.arange(n_grades, dtype=torch.float32)
