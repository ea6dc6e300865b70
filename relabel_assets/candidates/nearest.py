"""The nearest documents of each query by vectors: exact search in one pass over the documents.

What belongs here: comparing vectors and keeping the best. What does not: computing vectors
(student/vectors/passage_encoder.py), and which pairs are graded (choose.py).

No document's vectors are kept: a block of them is compared with all queries, and each query keeps its best
documents. So memory grows with queries, not with documents.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

# Windows of documents that are compared at a time: with 384 float32 values each, 6 MB.
_WINDOWS_A_BLOCK = 4096
_QUERIES_A_BLOCK = 512  # their scores with a block take 8 MB
# Scores that differ by less are equal: the order of a sum changes the last bits from machine to machine.
_DECIMALS = 5

Ranking = list[tuple[str, float]]


def nearest_documents(
    queries: NDArray, documents: Iterable[tuple[str, NDArray]], depth: int
) -> list[Ranking]:
    """The `depth` nearest documents of each query with their scores, best first; ties by document id.

    `queries` (Q, H) and the windows (W, H) of each document are unit vectors. A document's score is the
    cosine of its nearest window (MaxP, Dai and Callan 2019), and 0 is the least.

    >>> windows = np.eye(3, dtype=np.float32)
    >>> documents = [("d1", windows[:1]), ("d2", windows[1:])]
    >>> nearest_documents(np.array([[0.6, 0.0, 0.8]], dtype=np.float32), documents, depth=2)
    [[('d2', 0.8), ('d1', 0.6)]]
    """
    best = _Best(len(queries), depth)
    if depth and len(queries):
        for doc_ids, windows, starts in _blocks(documents):
            best.add(doc_ids, queries, windows, starts)
    return best.rankings()


def _blocks(
    documents: Iterable[tuple[str, NDArray]],
) -> Iterator[tuple[list[str], NDArray, list[int]]]:
    """Ids of some documents, their windows (W, H), and the first window of each."""
    doc_ids, parts, starts, n_windows = list[str](), list[NDArray](), list[int](), 0
    for doc_id, windows in documents:
        doc_ids.append(doc_id)
        parts.append(windows)
        starts.append(n_windows)
        n_windows += len(windows)
        if n_windows >= _WINDOWS_A_BLOCK:
            yield doc_ids, np.concatenate(parts), starts
            doc_ids, parts, starts, n_windows = [], [], [], 0
    if doc_ids:
        yield doc_ids, np.concatenate(parts), starts


class _Best:
    """The best documents of Q queries so far."""

    def __init__(self, n_queries: int, depth: int) -> None:
        self.depth = depth
        self._doc_ids: list[str] = []
        self._scores = np.full((n_queries, depth), -np.inf, dtype=np.float64)
        self._rows = np.full((n_queries, depth), -1, dtype=np.int64)  # in _doc_ids

    def add(
        self, doc_ids: Sequence[str], queries: NDArray, windows: NDArray, starts: Sequence[int]
    ) -> None:
        """Take in a block of documents: `windows` (W, H), and the first window of each."""
        rows = np.arange(len(doc_ids)) + len(self._doc_ids)
        self._doc_ids += doc_ids
        for first in range(0, len(queries), _QUERIES_A_BLOCK):
            block = slice(first, first + _QUERIES_A_BLOCK)
            of_windows = queries[block] @ windows.T  # (queries, W)
            scores = np.maximum.reduceat(of_windows, starts, axis=1).astype(np.float64)
            self._merge(block, np.maximum(scores.round(_DECIMALS), 0.0), rows)

    def _merge(self, block: slice, scores: NDArray, rows: NDArray) -> None:
        """Keep the best of the old documents and of `scores` (queries, documents)."""
        is_better = scores.max(axis=1) > self._scores[block, -1]
        if not is_better.any():
            return
        of_block = np.flatnonzero(is_better)
        changed = of_block + block.start
        all_scores = np.hstack([self._scores[changed], scores[of_block]])
        all_rows = np.hstack(
            [self._rows[changed], np.broadcast_to(rows, (len(changed), len(rows)))]
        )
        # Stable: of equal scores, the document that came first stays before the others.
        order = np.argsort(-all_scores, axis=1, kind="stable")[:, : self.depth]
        self._scores[changed] = np.take_along_axis(all_scores, order, axis=1)
        self._rows[changed] = np.take_along_axis(all_rows, order, axis=1)

    def rankings(self) -> list[Ranking]:
        """The ranking of each query."""
        return [
            sorted(
                (
                    (self._doc_ids[row], score)
                    for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
                    if row >= 0
                ),
                key=lambda hit: (-hit[1], hit[0]),
            )
            for rows, scores in zip(self._rows, self._scores, strict=True)
        ]
