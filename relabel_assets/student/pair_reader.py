"""Pair readers: models that read a query and a document together, as one token sequence.

What belongs here: a document's text, scoring many pairs in batches, and training on pairs. What
does not: the token sequence and its score (cross_encoder.py, decoder/decoder.py). Imported only
where a model is needed: it loads torch.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relabel_assets.corpus.excerpts.excerpt import BYTES_PER_TOKEN, excerpt
from relabel_assets.corpus.excerpts.passages import n_bytes
from relabel_assets.progress import Progress, renamed, silent
from relabel_assets.student.grader import Grader, TrainedGrader, TrainingTask
from relabel_assets.student.runtime.batches import batches_by_length, max_batch_tokens, prefetched
from relabel_assets.student.runtime.precision import InferenceCopy, mixed_precision
from relabel_assets.student.training.fit import GradedQuery, fit, graded_queries
from relabel_assets.student.training.losses import GradeLoss, ranking_loss
from relabel_assets.student.windows import header

# Tokenized at once, while the model scores the chunk before. Not measured.
_PAIRS_PER_CHUNK = 1024
# In training, where the activations of a forward pass stay in memory for the backward pass. Not measured.
_ROWS_PER_FORWARD = 8
# The few thresholds start far from their values, the weights near theirs. Not measured.
_THRESHOLD_RATE = 2e-2
# A cut point from fewer pairs of a grade would be mostly noise. Not measured.
_MIN_PAIRS_OF_GRADE = 10
# Of a body, whatever the header and the query leave. Not measured: a sentence or two.
_MIN_BODY_BYTES = 240

# A tokenizer's fields of one pair; `input_ids` is its list of token ids.
TokenRow = Mapping[str, Any]


class PairReader(Grader, Protocol):
    """A grader that tokenizes a pair into one row and computes one score from it."""

    @property
    def model(self) -> Any: ...

    @property
    def inference(self) -> InferenceCopy: ...

    def tokenize(self, pairs: Sequence[dict[str, Any]]) -> list[TokenRow]:
        """The token row of each pair, whose query is in `text` and document in its columns."""
        ...

    def logits(self, rows: Sequence[TokenRow]) -> Tensor:
        """The score of each row, (B,), with gradients."""
        ...


def document_text(pair: Mapping[str, Any], max_tokens: int) -> str:
    """The header and then the body of the pair's document, for a model that reads `max_tokens` a pair.

    A body that is too long is cut to the passages nearest the query (corpus/excerpts/), as for the
    teacher. `max_tokens` are estimated from bytes: the tokenizer may cut the end.

    >>> document_text({"text": "leave", "title": "Leave", "author": "Ana", "body": "Parents may ..."}, 192)
    'Leave | Ana\\nParents may ...'
    """
    line, query = header(pair), pair["text"]
    most = max_tokens * BYTES_PER_TOKEN
    room = most - n_bytes(line) - min(n_bytes(query), most // 2)
    body = excerpt(pair.get("body") or "", query, max(_MIN_BODY_BYTES, room)).text
    return f"{line}\n{body}".strip()


def score_pairs(
    pairs: pl.DataFrame,
    tokenize: Callable[[Sequence[dict[str, Any]]], list[TokenRow]],
    score: Callable[[list[TokenRow]], Tensor],
    progress: Progress = silent,
    n_shared: int = 0,
) -> NDArray:
    """The score of each row of `pairs`, (N,), in its order.

    Rows of like length are scored together. `n_shared` tokens of each row are not computed again. Each
    batch is reported with the pairs a second since the first.

    >>> pairs = pl.DataFrame({"text": ["parental leave", "badges"]})
    >>> as_row = lambda pairs: [{"input_ids": list(pair["text"].encode())} for pair in pairs]
    >>> score_pairs(pairs, as_row, lambda rows: torch.tensor([len(row["input_ids"]) for row in rows]))
    array([14.,  6.])
    """
    starts = range(0, pairs.height, _PAIRS_PER_CHUNK)
    chunks = [pairs.slice(start, _PAIRS_PER_CHUNK) for start in starts]
    scored = [np.empty(0)]
    n_scored, started = 0, monotonic()
    progress("scoring pairs", 0, pairs.height)  # a first batch of a large model takes its time
    for rows in prefetched(chunks, lambda chunk: tokenize(chunk.to_dicts())):
        chunk_scores = np.empty(len(rows))
        lengths = [len(row["input_ids"]) - n_shared for row in rows]
        for indices in batches_by_length(lengths, max_batch_tokens()):
            chunk_scores[indices] = score([rows[index] for index in indices]).numpy()
            n_scored += len(indices)
            rate = n_scored / max(monotonic() - started, 1e-9)
            progress("scoring pairs", n_scored, pairs.height, f"{rate:,.1f} pairs/s")
        scored.append(chunk_scores)
    return np.concatenate(scored)


class PairLearner:
    """Trains a pair reader by the ranking loss and the grade loss of each query's documents."""

    queries_per_step = 2
    documents_per_query: int | None = 16

    def __init__(self, grader: PairReader, rate: float, pairs: pl.DataFrame, n_grades: int) -> None:
        self.grader, self.rate = grader, rate
        self.grade_loss = GradeLoss(n_grades)
        self.module: nn.Module = nn.ModuleList([grader.model, self.grade_loss])
        documents = pairs.unique("doc_id", maintain_order=True).to_dicts()
        self.documents = {document["doc_id"]: document for document in documents}

    def groups(self) -> list[dict[str, Any]]:
        """The optimizer's parameter groups: the model's weights, and the thresholds."""
        weights = [p for p in self.grader.model.parameters() if p.requires_grad]
        thresholds = list(self.grade_loss.parameters())
        return [
            {"params": weights, "lr": self.rate},
            {"params": thresholds, "lr": _THRESHOLD_RATE},
        ]

    def loss(self, queries: Sequence[GradedQuery]) -> Tensor:
        """The mean loss of the queries, a scalar."""
        losses = [
            ranking_loss(scores, query.grades) + self.grade_loss(scores, query.grades)
            for query, scores in zip(
                queries, self.by_query(queries, self.grader.logits), strict=True
            )
        ]
        return torch.stack(losses).mean()

    def by_query(
        self, queries: Sequence[GradedQuery], model: Callable[[Sequence[TokenRow]], Tensor]
    ) -> Sequence[Tensor]:
        """`model` of each query's token rows, (D, ...) with gradients; it computes a few rows at a time."""
        rows = [row for query in queries for row in self.token_rows(query)]
        # Rows of like length share a forward pass, which saves padding.
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]["input_ids"]))
        starts = range(0, len(rows), _ROWS_PER_FORWARD)
        batches = [
            [rows[row] for row in order[start : start + _ROWS_PER_FORWARD]] for start in starts
        ]
        with mixed_precision(self.grader.inference.dtype):
            in_order = torch.cat([model(batch) for batch in batches])
        as_given = in_order[torch.tensor(np.argsort(order))]
        return as_given.split([len(query.documents) for query in queries])

    def token_rows(self, query: GradedQuery) -> list[TokenRow]:
        """The token rows of a query's pairs, one for each document."""
        pairs = [self.documents[doc_id] | {"text": query.text} for doc_id in query.documents]
        return self.grader.tokenize(pairs)

    def train(self, task: TrainingTask) -> TrainedGrader:
        """Train the grader on the task's train pairs and stuffed ones; dev pairs choose the epoch.

        The calibration is fitted to dev pairs where they are enough: their scores are like those of
        other queries, and the scores of train pairs are too far apart.
        """
        stuffed = task.stuffed_train_pairs
        self.documents |= {document["doc_id"]: document for document in stuffed.to_dicts()}
        columns = ["query_id", "text", "doc_id", "grade"]
        train = pl.concat([task.train_pairs.select(columns), stuffed.select(columns)])
        dev, progress = task.dev_pairs, renamed(task.progress, "measuring dev, pairs")

        def dev_metric() -> float | None:
            return None if dev.is_empty() else task.dev_metric(self.grader.scores(dev, progress))

        history = fit(
            self,
            graded_queries(train),
            epochs=task.config.epochs,
            seed=task.config.seed,
            dev_metric=dev_metric,
            progress=task.progress,
        )
        scores = self.grader.scores(task.pairs, task.progress)
        return TrainedGrader(self.grader, scores, _unseen(task), scores, history)


def _unseen(task: TrainingTask) -> NDArray:
    """The dev pairs, as a mask (N,); all pairs where dev has few of a grade that the pairs have."""
    n_in_dev = dict(task.dev_pairs["grade"].value_counts().iter_rows())
    if min(n_in_dev.get(grade, 0) for grade in task.pairs["grade"].unique()) < _MIN_PAIRS_OF_GRADE:
        return np.ones(task.pairs.height, dtype=bool)
    return ~task.is_train.to_numpy()
