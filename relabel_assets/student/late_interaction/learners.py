"""What the late-interaction student learns from, and by which losses: the query side alone, or both sides.

What belongs here: the losses of a batch and the parameters that they move. What does not: the training loop (training.py) and
the head (head.py). Imported only where a model is needed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from relabel_assets.corpus.pairs import DOCUMENT_COLUMNS
from relabel_assets.student import fit as training
from relabel_assets.student.late_interaction.maxsim import QueryScorer, query_ids
from relabel_assets.student.runtime.precision import mixed
from relabel_assets.student.windows import windows

_TOKEN_WEIGHT_RATE = 3e-2
_SHARPNESS = 20.0  # cosines of pairs differ by hundredths: what a logistic loss needs to see them
_MIDDLE = 0.45  # the cosine at which an untrained pair is neither good nor bad
_ROWS_A_FORWARD = 8


class InteractionLearner(ABC):
    """What both ways of training share: the parameters, and a query's scores."""

    queries_a_step: int
    documents_a_visit: int | None = None
    visits_an_epoch: int | None = None

    def __init__(self, scorer: QueryScorer, rate: float) -> None:
        self.module: nn.Module = scorer
        self.scorer, self.rate = scorer, rate

    def groups(self) -> list[dict[str, Any]]:
        # Word vectors stay: rows that training never meets would fall behind those that it does.
        for name, p in self.scorer.named_parameters():
            p.requires_grad = p.requires_grad and ".embeddings." not in f".{name}"
        weights = [p for name, p in self.scorer.named_parameters() if p.requires_grad and name != "token_weight"]
        return [
            {"params": weights, "lr": self.rate},
            {"params": [self.scorer.token_weight], "lr": _TOKEN_WEIGHT_RATE},
        ]

    @abstractmethod
    def loss(self, batch: Sequence[training.GradedQuery]) -> Tensor:
        """What training lowers, for the documents of some queries."""

    def query_scores(
        self, batch: Sequence[training.GradedQuery], vectors: Callable[[str], Tensor]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Late interaction and grades of each query's documents, (D,) each."""
        ids = self.scorer.encoder.token_ids([query.text for query in batch])
        found, weights = self.scorer.query_vectors([query_ids(row, self.scorer.encoder.max_length) for row in ids])
        for row, query in enumerate(batch):
            is_word = weights[row] > 0
            documents = [vectors(doc_id) for doc_id in query.documents]
            yield self.scorer.scores(found[row][is_word], weights[row][is_word], documents), query.grades


class QuerySide(InteractionLearner):
    """Only queries are read: documents keep the base's vectors, and the order within a query is all there is to learn."""

    queries_a_step = 8

    def __init__(self, scorer: QueryScorer, rate: float, vectors: Mapping[str, Tensor]) -> None:
        super().__init__(scorer, rate)
        self.vectors = vectors

    def loss(self, batch: Sequence[training.GradedQuery]) -> Tensor:
        found = self.query_scores(batch, self.vectors.__getitem__)
        return torch.stack([training.ranking_loss(_SHARPNESS * scores, grades) for scores, grades in found]).mean()


class BothSides(InteractionLearner):
    """Queries and documents are read by one encoder that learns; grades count as well as their order."""

    queries_a_step = 2
    documents_a_visit = 16
    visits_an_epoch = 3  # more teaches the training queries by heart, see docs/student.md

    def __init__(self, scorer: QueryScorer, rate: float, rows: pl.DataFrame, n_grades: int) -> None:
        super().__init__(scorer, rate)
        self.grade_loss = training.GradeLoss(n_grades, centre=_SHARPNESS * _MIDDLE)
        self.module: nn.Module = nn.ModuleList([scorer, self.grade_loss])
        documents = rows.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS).to_dicts()
        encoder = scorer.encoder
        self.pieces = {
            document["doc_id"]: [piece for ids in encoder.token_ids(windows(document)) for piece in encoder.pieces(ids)]
            for document in documents
        }

    def groups(self) -> list[dict[str, Any]]:
        return [*super().groups(), {"params": list(self.grade_loss.parameters()), "lr": 2e-2}]

    def loss(self, batch: Sequence[training.GradedQuery]) -> Tensor:
        wanted = list(dict.fromkeys(doc_id for query in batch for doc_id in query.documents))
        rows = sorted(
            ((doc_id, piece) for doc_id in wanted for piece in self.pieces[doc_id]), key=lambda row: len(row[1])
        )
        parts: dict[str, list[Tensor]] = {doc_id: [] for doc_id in wanted}
        encoder = self.scorer.encoder
        with mixed(encoder.reader.dtype):
            for start in range(0, len(rows), _ROWS_A_FORWARD):
                some = rows[start : start + _ROWS_A_FORWARD]
                vectors, is_word = encoder.forward([piece for _, piece in some])
                for (doc_id, _), values, words in zip(some, vectors, is_word, strict=True):
                    parts[doc_id].append(values[words])
        losses = []
        for scores, grades in self.query_scores(batch, lambda doc_id: torch.cat(parts[doc_id])):
            sharp = _SHARPNESS * scores
            losses.append(training.ranking_loss(sharp, grades) + self.grade_loss(sharp, grades))
        return torch.stack(losses).mean()
