"""The cross-encoder student: query and document are read together, and one number comes out.

What belongs here: loading, scoring and its loss. What does not: the training loop (training.py). Imported only where a
model is needed.

A published reranker keeps its head; any other encoder gets a fresh one, which needs thousands of pairs to be of use.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from peft import TaskType
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification

from relabel_assets.corpus.config import StudentConfig
from relabel_assets.progress import Progress, silent
from relabel_assets.student import fit as training
from relabel_assets.student import folder as storage
from relabel_assets.student.base import base_path
from relabel_assets.student.runtime.batches import batch_tokens, by_length, prepared, wide
from relabel_assets.student.runtime.encoder import load_model, room_of
from relabel_assets.student.runtime.precision import Reader, mixed
from relabel_assets.student.windows import header

_RATE = {"lora": 5e-4, "full": 4e-5}
_RANK = 16
_PAIRS_A_CHUNK = 1024
_ROWS_A_FORWARD = 8


def document_text(document: dict[str, Any]) -> str:
    """A document as a cross-encoder or a decoder reads it: its header, then its body; the model's limit cuts the end."""
    return f"{header(document)}\n{document.get('body') or ''}".strip()


@dataclass(frozen=True)
class CrossEncoder:
    """`model` maps token ids (B, T) of query and document to one logit a row; `is_fresh` where its head was never trained."""

    model: Any
    tokenizer: Any
    max_length: int
    is_fresh: bool = False
    reader: Reader = field(default_factory=Reader)

    @classmethod
    def load(cls, path: str, max_length: int, precision: str = "auto") -> "CrossEncoder":
        """Raises StudentError where there is no such model."""
        model, tokenizer, missing = load_model(
            AutoModelForSequenceClassification, path, num_labels=1, ignore_mismatched_sizes=True
        )
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        is_reranker = not missing and config.num_labels == 1
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
        room = min(max_length, room_of(model, max_length))
        return cls(model, tokenizer, room, is_fresh=not is_reranker, reader=Reader(precision))

    def rows(self, pairs: Sequence[dict[str, Any]]) -> list[dict[str, list[int]]]:
        """The tokenizer's fields of each pair; of a pair over max_length, the longer text is cut."""
        found = self.tokenizer(
            [pair["text"] for pair in pairs], [document_text(pair) for pair in pairs],
            truncation="longest_first", max_length=self.max_length,
        )  # fmt: skip
        return [{name: found[name][row] for name in found} for row in range(len(pairs))]

    def logits(self, rows: Sequence[dict[str, list[int]]], model: Any = None) -> Tensor:
        """One number a row, (B,); `model` reads in place of this one's own."""
        model = self.model if model is None else model
        width = wide(max(len(row["input_ids"]) for row in rows), self.max_length)
        batch = self.tokenizer.pad(list(rows), padding="max_length", max_length=width, return_tensors="pt")
        batch = batch.to(next(model.parameters()).device)
        return model(**batch).logits[:, 0].float().cpu()

    @torch.inference_mode()
    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), in its order."""
        self.model.eval()
        model = self.reader(self.model)
        chunks = [pairs.slice(start, _PAIRS_A_CHUNK) for start in range(0, pairs.height, _PAIRS_A_CHUNK)]
        found = [np.empty(0)]
        for rows in prepared(chunks, lambda chunk: self.rows(chunk.to_dicts())):
            part = np.empty(len(rows))
            for places in by_length([len(row["input_ids"]) for row in rows], batch_tokens()):
                part[places] = self.logits([rows[place] for place in places], model).numpy()
            found.append(part)
            progress("reading pairs", sum(map(len, found)), pairs.height)
        return np.concatenate(found)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the files of this architecture, and give its part of student.json."""
        self.tokenizer.model_max_length = self.max_length
        # sentence-transformers would else put a sigmoid over the logit.
        self.model.config.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity"}
        storage.save_merged(self.model, self.tokenizer, folder)
        return {}


class PairLearner:
    """Trains what reads pairs: `forward` gives one score a row. Grades and their order within a query both count."""

    queries_a_step = 2
    documents_a_visit: int | None = 16
    visits_an_epoch: int | None = None

    def __init__(self, grader: Any, rate: float, rows: pl.DataFrame, n_grades: int) -> None:
        self.grader, self.rate = grader, rate
        self.grade_loss = training.GradeLoss(n_grades)
        self.module: nn.Module = nn.ModuleList([grader.model, self.grade_loss])
        self.documents = {row["doc_id"]: row for row in rows.unique("doc_id", maintain_order=True).to_dicts()}

    def groups(self) -> list[dict[str, Any]]:
        weights = [p for p in self.grader.model.parameters() if p.requires_grad]
        return [{"params": weights, "lr": self.rate}, {"params": list(self.grade_loss.parameters()), "lr": 2e-2}]

    def read(self, rows: Sequence[dict[str, list[int]]], forward: Callable[[Any], Tensor]) -> Tensor:
        """What `forward` makes of the rows, a few at a time, (B, ...), with gradients."""
        starts = range(0, len(rows), _ROWS_A_FORWARD)
        with mixed(self.grader.reader.dtype):
            return torch.cat([forward(rows[start : start + _ROWS_A_FORWARD]) for start in starts])

    def loss(self, batch: Sequence[training.GradedQuery]) -> Tensor:
        pairs = [self.documents[doc_id] | {"text": query.text} for query in batch for doc_id in query.documents]
        rows = self.grader.rows(pairs)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]["input_ids"]))
        scores = self.read([rows[place] for place in order], self.grader.logits)[torch.tensor(np.argsort(order))]
        losses = []
        for query, of_query in zip(batch, scores.split([len(query.documents) for query in batch]), strict=True):
            losses.append(training.ranking_loss(of_query, query.grades) + self.grade_loss(of_query, query.grades))
        return torch.stack(losses).mean()


def start(config: StudentConfig) -> CrossEncoder:
    """The cross-encoder that training starts from."""
    grader = CrossEncoder.load(base_path(config.base_model), config.max_length, config.precision)
    model = (
        training.with_lora(grader.model, rank=_RANK, task=TaskType.SEQ_CLS) if config.method == "lora" else grader.model
    )
    return dataclasses.replace(grader, model=model)


def learner(grader: CrossEncoder, config: StudentConfig, rows: pl.DataFrame, n_grades: int) -> PairLearner:
    return PairLearner(grader, config.learning_rate or _RATE[config.method], rows, n_grades)
