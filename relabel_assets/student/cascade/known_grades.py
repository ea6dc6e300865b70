"""Pairs that a student has scored, ready to be graded with any known grades.

What belongs here: frames of pairs, cut into queries. What does not: one query (cascade.py), and scoring
pairs (student/labeler.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.cut_points import grades_from
from relabel_assets.student.calibration import expected_grades
from relabel_assets.student.cascade.asking import choose_pairs, pairs_to_ask
from relabel_assets.student.cascade.cascade import Cascade
from relabel_assets.student.cascade.residual_process import QueryPairs
from relabel_assets.student.grader import PairEvidence
from relabel_assets.student.people.people_calibration import ToPeople


@dataclass(frozen=True)
class ScoredPairs:
    """N pairs of Q queries: `keys` has their query_id and doc_id, `rows` the rows of each query.

    `grade_probs` (N, n_grades) are the student's own, as its teacher calibrated it. A query has all of its
    pairs here: what is known of one that is elsewhere is not used. With `to_people`, grades are those that
    people are expected to give.
    """

    keys: pl.DataFrame
    rows: Sequence[NDArray]
    grade_probs: NDArray
    evidence: PairEvidence
    cascade: Cascade
    to_people: ToPeople | None = None

    def to_ask(self, share: float, seed: int) -> pl.Series:
        """Whether to ask about each pair, (N,): `share` of the pairs of each query, rounded."""
        return self.to_ask_each([share], seed)[0]

    def to_ask_each(self, shares: Sequence[float], seed: int) -> list[pl.Series]:
        """The same for each of `shares`, chosen once: a larger share continues a smaller one's choice."""
        counts = [self.counts(share, seed) for share in shares]
        orders = [
            choose_pairs(self.cascade.process, self._query(rows), int(most))
            for rows, most in zip(self.rows, np.max(counts, axis=0), strict=True)
        ]
        return [self._first(orders, of_share) for of_share in counts]

    def counts(self, share: float, seed: int) -> NDArray:
        """How many pairs of each query to ask about, (Q,): `share` of them, rounded."""
        return pairs_to_ask([len(rows) for rows in self.rows], share, seed)

    def choose(
        self, counts: Sequence[int] | NDArray, known: pl.Series, is_closed: pl.Series
    ) -> pl.Series:
        """Whether to ask about each pair, (N,): at most `counts` (Q,) of each query.

        `known` (N,) are the known grades, null elsewhere. Neither a known pair is chosen, nor one where
        `is_closed` (N,).
        """
        is_known, values = known.is_not_null().to_numpy(), known.fill_null(0).to_numpy()
        closed, orders = is_closed.to_numpy(), list[list[int]]()
        for rows, count in zip(self.rows, counts, strict=True):
            of_query = np.flatnonzero(is_known[rows])
            given = (of_query, values[rows][of_query], np.flatnonzero(closed[rows]))
            process, pairs = self.cascade.process, self._query(rows)
            orders.append(choose_pairs(process, pairs, int(count), *given) if count else [])
        return self._first(orders, counts)

    def _first(self, orders: Sequence[list[int]], counts: Sequence[int] | NDArray) -> pl.Series:
        """Whether each pair, (N,), is one of the first `counts` (Q,) in the `orders` of its query's rows."""
        is_first = np.zeros(self.keys.height, dtype=bool)
        for rows, order, count in zip(self.rows, orders, counts, strict=True):
            is_first[rows[order[: int(count)]]] = True
        return pl.Series("is_asked", is_first)

    def grade(self, known: pl.Series) -> pl.DataFrame:
        """The grade of each pair, in order, given the `known` grades (N,), which are null elsewhere.

        The result has query_id, doc_id, grade, expected_grade, grade_probs and n_known, the number of
        known grades of the pair's query. A known pair has its known grade; its expected grade and its
        probabilities are what all known grades say, its own included.
        """
        is_known = known.is_not_null().to_numpy()
        values = known.fill_null(0).to_numpy()
        grades, expected = np.empty(len(values), dtype=np.int64), np.empty(len(values))
        probs, n_known = np.empty_like(self.grade_probs), np.zeros(len(values), dtype=np.int64)
        for rows in self.rows:
            of_query = np.flatnonzero(is_known[rows])
            graded = self.cascade.grade(
                self._query(rows), self.grade_probs[rows], of_query, values[rows][of_query]
            )
            grades[rows], expected[rows] = graded.grade, graded.expected_grade
            probs[rows], n_known[rows] = graded.grade_probs, len(of_query)
        if self.to_people:
            probs = self.to_people.probs(expected)
            expected = expected_grades(probs)
            grades = grades_from(expected, self.to_people.people.cut_points)
        return self.keys.with_columns(
            grade=pl.Series(np.where(is_known, values, grades), dtype=pl.Int64),
            expected_grade=pl.Series(expected, dtype=pl.Float64),
            grade_probs=pl.Series(probs.tolist(), dtype=pl.List(pl.Float64)),
            n_known=pl.Series(n_known, dtype=pl.Int64),
        )

    def _query(self, rows: NDArray) -> QueryPairs:
        return query_pairs(self.grade_probs, self.evidence, rows)


def query_pairs(grade_probs: NDArray, evidence: PairEvidence, rows: NDArray) -> QueryPairs:
    """The pairs of one query: these `rows` (n,) of `grade_probs` (N, n_grades) and of `evidence`.

    >>> evidence = PairEvidence(vectors=np.ones((2, 1)), features=np.zeros((2, 1)))
    >>> query_pairs(np.array([[1.0, 0.0], [0.5, 0.5]]), evidence, np.array([1])).expected.tolist()
    [0.5]
    """
    return QueryPairs.of(grade_probs[rows], evidence.vectors[rows], evidence.features[rows])


def rows_by_query(query_ids: pl.Series) -> list[NDArray]:
    """The rows of each query, in the order of their first.

    >>> [rows.tolist() for rows in rows_by_query(pl.Series(["b", "a", "b"]))]
    [[0, 2], [1]]
    """
    frame = pl.DataFrame({"query_id": query_ids}).with_row_index("row")
    groups = frame.group_by("query_id", maintain_order=True).agg("row")
    return [np.array(rows, dtype=int) for rows in groups["row"].to_list()]
