"""The cross-encoder student: an encoder reads query and document together, its head computes a score.

What belongs here: loading the model, and scoring pairs with it. What does not: scoring and training
in batches, as decoders do too (pair_reader.py), and the training loop (training/fit.py). Imported
only where a model is needed: it loads torch.

A published reranker keeps its head. Any other encoder gets a fresh head, which needs thousands of
pairs to be of use.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.progress import Progress, silent
from relabel_assets.student.base import base_path
from relabel_assets.student.folder import save_merged
from relabel_assets.student.pair_reader import PairLearner, TokenRow, document_text, score_pairs
from relabel_assets.student.runtime.batches import padded_width
from relabel_assets.student.runtime.encoder import load_model, max_tokens_of
from relabel_assets.student.runtime.precision import InferenceCopy
from relabel_assets.student.training.fit import with_lora
from relabel_assets.student.vectors.store import VectorStore

# By method. Not measured: LoRA has fewer weights, which start without effect, and takes larger steps.
_LEARNING_RATE = {"lora": 5e-4, "full": 4e-5}
_LORA_RANK = 16  # not measured


@dataclass(frozen=True)
class CrossEncoder:
    """A grader whose `model` maps the token ids (B, T) of query and document to one logit a row.

    `is_fresh`: its head was never trained. `inference` returns the copy of `model` that scores.
    """

    model: Any
    tokenizer: Any
    max_length: int
    is_fresh: bool = False
    inference: InferenceCopy = field(default_factory=InferenceCopy)

    @classmethod
    def load(cls, path: str, max_length: int, precision: str = "auto") -> "CrossEncoder":
        """The cross-encoder in a folder or of a hub name. Raises StudentError where there is none."""
        model, tokenizer, missing = load_model(
            AutoModelForSequenceClassification, path, num_labels=1, ignore_mismatched_sizes=True
        )
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        is_reranker = not missing and config.num_labels == 1
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
        return cls(
            model,
            tokenizer,
            max_length=min(max_length, max_tokens_of(model, max_length)),
            is_fresh=not is_reranker,
            inference=InferenceCopy(precision),
        )

    @classmethod
    def to_train(cls, config: StudentConfig) -> "CrossEncoder":
        """The cross-encoder from which training starts."""
        grader = cls.load(base_path(config.base_model), config.max_length, config.precision)
        if config.method == "full":
            return grader
        adapted = with_lora(grader.model, rank=_LORA_RANK, task="SEQ_CLS")
        return dataclasses.replace(grader, model=adapted)

    def tokenize(self, pairs: Sequence[dict[str, Any]]) -> list[TokenRow]:
        """The token row of each pair. Where a pair is over max_length, its longer text is cut."""
        fields = self.tokenizer(
            [pair["text"] for pair in pairs],
            [document_text(pair, self.max_length) for pair in pairs],
            truncation="longest_first",
            max_length=self.max_length,
        )
        return [{name: fields[name][row] for name in fields} for row in range(len(pairs))]

    def logits(self, rows: Sequence[TokenRow], model: Any = None) -> Tensor:
        """The score of each row, (B,); `model` computes it in place of this grader's own."""
        model = self.model if model is None else model
        longest = max(len(row["input_ids"]) for row in rows)
        width = padded_width(longest, self.max_length)
        batch = self.tokenizer.pad(
            list(rows), padding="max_length", max_length=width, return_tensors="pt"
        )
        batch = batch.to(next(model.parameters()).device)
        return model(**batch).logits[:, 0].float().cpu()

    @torch.inference_mode()
    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), in its order."""
        self.model.eval()
        model = self.inference(self.model)
        return score_pairs(pairs, self.tokenize, lambda rows: self.logits(rows, model), progress)

    def with_store(self, store: VectorStore) -> "CrossEncoder":
        """This grader: it reads a document with each query anew, so it has no vectors to keep."""
        return self

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the model's files. This architecture has no part of student.json."""
        self.tokenizer.model_max_length = self.max_length
        # Without this, sentence-transformers would apply a sigmoid to the logit.
        self.model.config.sentence_transformers = {
            "activation_fn": "torch.nn.modules.linear.Identity"
        }
        save_merged(self.model, self.tokenizer, folder)
        return {}

    def learner(self, config: StudentConfig, pairs: pl.DataFrame, n_grades: int) -> PairLearner:
        """The learner that trains this cross-encoder on `pairs`."""
        rate = config.learning_rate or _LEARNING_RATE[config.method]
        return PairLearner(self, rate, pairs, n_grades)
