"""Pair readers: models that read a query and a document together, as one token sequence.

What belongs here: a document's text, scoring many pairs in batches, and training on pairs. What
does not: the token sequence and what the model makes of it (cross_encoder.py, decoder/decoder.py).
Imported only where a model is needed: it loads torch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relabel_assets.progress import Progress, silent
from relabel_assets.student.grader import Grader, TrainedGrader, TrainingTask
from relabel_assets.student.runtime.batches import batches_by_length, max_batch_tokens, prefetched
from relabel_assets.student.runtime.precision import InferenceCopy, mixed_precision
from relabel_assets.student.training.fit import GradedQuery, fit, graded_queries
from relabel_assets.student.training.losses import GradeLoss, ranking_loss
from relabel_assets.student.windows import header

_PAIRS_PER_CHUNK = 1024  # tokenized at once, while the model scores the chunk before
_ROWS_PER_FORWARD = (
    8  # in training: all activations of a forward pass are kept for the backward pass
)
_THRESHOLD_RATE = (
    2e-2  # thresholds are a handful of numbers that start far off; weights start trained
)

TokenRow = Mapping[
    str, Any
]  # a tokenizer's fields of one pair; `input_ids` is its list of token ids


class PairReader(Grader, Protocol):
    """A grader that tokenizes a pair into one row and computes one score from it."""

    @property
    def model(self) -> Any: ...

    @property
    def inference(self) -> InferenceCopy: ...

    def tokenize(self, pairs: Sequence[dict[str, Any]]) -> list[TokenRow]:
        """The token row of each pair: query in `text`, the document in its columns."""
        ...

    def logits(self, rows: Sequence[TokenRow]) -> Tensor:
        """The score of each row, (B,), with gradients."""
        ...


def document_text(document: Mapping[str, Any]) -> str:
    """A document as a pair reader reads it: its header, then its body; the model's limit cuts the
    end.

    >>> document_text({"title": "Leave", "author": "Ana", "body": "Parents may take ..."})
    'Leave | Ana\\nParents may take ...'
    """
    return f"{header(document)}\n{document.get('body') or ''}".strip()


def score_pairs(
    pairs: pl.DataFrame,
    tokenize: Callable[[Sequence[dict[str, Any]]], list[TokenRow]],
    score: Callable[[list[TokenRow]], Tensor],
    progress: Progress = silent,
) -> NDArray:
    """The score of each row of `pairs`, (N,), in its order. Rows of like length are scored
    together.

    >>> pairs = pl.DataFrame({"text": ["parental leave", "badges"]})
    >>> as_row = lambda pairs: [{"input_ids": list(pair["text"].encode())} for pair in pairs]
    >>> score_pairs(pairs, as_row, lambda rows: torch.tensor([len(row["input_ids"]) for row in rows]))
    array([14.,  6.])
    """
    starts = range(0, pairs.height, _PAIRS_PER_CHUNK)
    chunks = [pairs.slice(start, _PAIRS_PER_CHUNK) for start in starts]
    scored = [np.empty(0)]
    n_scored = 0
    for rows in prefetched(chunks, lambda chunk: tokenize(chunk.to_dicts())):
        of_chunk = np.empty(len(rows))
        lengths = [len(row["input_ids"]) for row in rows]
        for places in batches_by_length(lengths, max_batch_tokens()):
            of_chunk[places] = score([rows[place] for place in places]).numpy()
        scored.append(of_chunk)
        n_scored += len(rows)
        progress("scoring pairs", n_scored, pairs.height)
    return np.concatenate(scored)


class PairLearner:
    """Trains a pair reader on the order of a query's documents and on their grades."""

    queries_per_step = 2
    documents_per_query: int | None = 16

    def __init__(self, grader: PairReader, rate: float, pairs: pl.DataFrame, n_grades: int) -> None:
        self.grader, self.rate = grader, rate
        self.grade_loss = GradeLoss(n_grades)
        self.module: nn.Module = nn.ModuleList([grader.model, self.grade_loss])
        documents = pairs.unique("doc_id", maintain_order=True).to_dicts()
        self.documents = {document["doc_id"]: document for document in documents}

    def groups(self) -> list[dict[str, Any]]:
        weights = [p for p in self.grader.model.parameters() if p.requires_grad]
        thresholds = list(self.grade_loss.parameters())
        return [
            {"params": weights, "lr": self.rate},
            {"params": thresholds, "lr": _THRESHOLD_RATE},
        ]

    def loss(self, queries: Sequence[GradedQuery]) -> Tensor:
        rows = [row for query in queries for row in self.token_rows(query)]
        # Rows of like length share a forward pass, so that little is padded.
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]["input_ids"]))
        in_order = self.forward([rows[place] for place in order], self.grader.logits)
        scores = in_order[torch.tensor(np.argsort(order))]
        by_query = scores.split([len(query.documents) for query in queries])
        losses = [
            ranking_loss(of_query, query.grades) + self.grade_loss(of_query, query.grades)
            for query, of_query in zip(queries, by_query, strict=True)
        ]
        return torch.stack(losses).mean()

    def token_rows(self, query: GradedQuery) -> list[TokenRow]:
        """The query's pairs, one row a document."""
        pairs = [self.documents[doc_id] | {"text": query.text} for doc_id in query.documents]
        return self.grader.tokenize(pairs)

    def forward(
        self, rows: Sequence[TokenRow], model: Callable[[Sequence[TokenRow]], Tensor]
    ) -> Tensor:
        """What `model` computes of the rows, a few at a time, (B, ...), with gradients."""
        starts = range(0, len(rows), _ROWS_PER_FORWARD)
        with mixed_precision(self.grader.inference.dtype):
            return torch.cat([model(rows[start : start + _ROWS_PER_FORWARD]) for start in starts])

    def train(self, task: TrainingTask) -> TrainedGrader:
        """Train the grader. Nothing of it is fitted to grades of dev, which only choose the epoch."""
        dev = task.dev_pairs

        def dev_metric() -> float | None:
            return None if dev.is_empty() else task.dev_metric(self.grader.scores(dev))

        history = fit(
            self,
            graded_queries(task.train_pairs),
            epochs=task.config.epochs,
            seed=task.config.seed,
            dev_metric=dev_metric,
            progress=task.progress,
        )
        scores = self.grader.scores(task.pairs, task.progress)
        return TrainedGrader(self.grader, scores, scores_without_dev=scores, history=history)
