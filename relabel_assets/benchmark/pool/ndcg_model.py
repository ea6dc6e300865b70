"""NDCG@10 of rankings over a pool, as totals that people's few grades correct.

What belongs here: what each graded pair adds to the sum of NDCG over queries. What does not: the estimate
(prediction_powered.py), and NDCG of pairs that are all graded (metrics.py).

NDCG of a query is a ratio whose lower part, the ideal ranking, depends on grades that nobody gave. So it is
no total over pairs. It is taken apart as Hájek's projection does (1968; Efron & Stein 1981): its expected
value under a model of the grades not given, and for each pair what its grade changes in that, all else
being equal. The first is known, the second is a total over pairs that a sample estimates. What remains are
joint effects of several pairs. They are zero on average where the model is right about how grades of one
query go together, and they are not corrected for: coverage is measured (docs/review.md).

The model: each grade has the student's probabilities, and those of a query are correlated by a Gaussian
copula of one factor. Students err by query: all documents of a query are better than expected, or none is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relabel_assets.benchmark.pool.contributions import Contributions, Ratio
from relabel_assets.benchmark.pool.graded_sample import Floats, GradedSample, Ints

TOP = 10
# Of people's grades within a query, given a labeler's. Measured on 27 queries of trec_dl: 0.20. Without it
# NDCG is estimated 0.08 too low there, because a query's documents are mostly better than expected together.
CORRELATION = 0.2
# Of the variance: joint effects of pairs vary with the sample too. Measured on engineering_wiki with 200
# grades: the difference of two labelers varies 1.4 times as much as its pairs one by one.
_INFLATION, _PRIOR_PAIRS = 1.4, 0.25
# Draws from the model. Not measured: the error of a mean over 27 queries is then about 0.003.
_DRAWS, _SEED = 128, 13
# The ideal gain of m documents that are relevant at least to some grade, m from 0 to 10.
_IDEAL = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, TOP + 2)))])


@dataclass(frozen=True)
class _Sums:
    """Of each query and draw: the gain of each ranking, and how many pairs have each grade at least."""

    gain: Floats  # (J, Q, S)
    at_least: Ints  # (K - 1, Q, S)


class NdcgModel:
    """The rankings of a pool under a model of its grades.

    `probs` (N, K): the chance of each grade of each pair. `query` (N,): 0 to Q - 1, ascending. `discount`
    (N, J): 1 / log2(rank + 1) of each pair in each of J rankings, 0 below rank 10.

    A census, in which people graded every pair, gives NDCG itself:

    >>> probs, query = np.array([[0.5, 0.5]] * 3), np.array([0, 0, 0])
    >>> model = NdcgModel(probs, query, discounts(np.array([[1, 2, 3]]).T))
    >>> everything = GradedSample(np.arange(3), np.array([0, 1, 0]), query, query, np.array([3.0]), 1)
    >>> from relabel_assets.benchmark.pool.prediction_powered import estimate
    >>> round(estimate(model.ratios(everything), everything).value, 3)
    0.631
    """

    def __init__(self, probs: Floats, query: Ints, discount: Floats) -> None:
        self._n_grades = probs.shape[1]
        self._probs, self._discount = probs, discount
        starts = np.flatnonzero(np.diff(query, prepend=-1))
        self._grades = _drawn_grades(probs, query)  # (N, S)
        gains = [
            np.add.reduceat(of_ranking[:, None] * self._grades, starts, axis=0)
            for of_ranking in discount.T
        ]
        at_least = [
            np.add.reduceat((self._grades >= grade).astype(np.int64), starts, axis=0)
            for grade in range(1, self._n_grades)
        ]
        self._sums = _Sums(np.stack(gains), np.stack(at_least))

    def ratios(self, sample: GradedSample) -> list[Ratio]:
        """NDCG@10 of each ranking: its sum over queries by the number of queries with a grade above 0."""
        sums = self._with(sample)
        (ndcg, counted), (alone, counted_alone) = _expected(sums), _expected(self._sums)
        tables, table_counted = self._tables(sample)
        bottom = _contributions(table_counted, counted, counted_alone, sample)
        return [
            Ratio(
                _contributions(*parts, sample),
                bottom,
                (0, 1),
                prior_pairs=_PRIOR_PAIRS,
                inflation=_INFLATION,
            )
            for parts in zip(tables, ndcg, alone, strict=True)
        ]

    def _with(self, sample: GradedSample) -> _Sums:
        """The sums with people's grades in place of drawn ones."""
        gain, at_least = self._sums.gain.copy(), self._sums.at_least.copy()
        drawn, given = self._grades[sample.position], sample.grade[:, None]
        for of_ranking, discount in zip(gain, self._discount[sample.position].T, strict=True):
            np.add.at(of_ranking, sample.query, discount[:, None] * (given - drawn))
        for grade, counts in enumerate(at_least, start=1):
            change = (given >= grade).astype(np.int64) - (drawn >= grade)
            np.add.at(counts, sample.query, change)
        return _Sums(gain, at_least)

    def _tables(self, sample: GradedSample) -> tuple[Floats, Floats]:
        """What each graded pair adds with each grade, beside what it is expected to: (J, n, K) and (n, K).

        Of no other pair of its query is anything known here, so that what a pair adds does not depend on
        which others were drawn.
        """
        query, drawn = sample.query, self._grades[sample.position]  # (n,), (n, S)
        discount = self._discount[sample.position]  # (n, J)
        gain, at_least = self._sums.gain[:, query], self._sums.at_least[:, query]
        steps = np.arange(1, self._n_grades)[:, None, None]
        without = at_least - (drawn >= steps)  # (K - 1, n, S)
        tables = np.zeros((discount.shape[1], len(query), self._n_grades))
        counted = np.zeros((len(query), self._n_grades))
        for grade in range(self._n_grades):
            with_grade = without + (steps <= grade)
            inverse = _inverse_ideal(with_grade)  # (n, S)
            counted[:, grade] = (with_grade[0] > 0).mean(axis=1)
            change = ((grade - drawn) * inverse).mean(axis=1)  # (n,)
            of_query = np.einsum("jns,ns->jn", gain, inverse) / inverse.shape[1]
            tables[:, :, grade] = of_query + discount.T * change
        probs = self._probs[sample.position]
        tables -= (tables * probs).sum(axis=2, keepdims=True)
        counted -= (counted * probs).sum(axis=1, keepdims=True)
        return tables, counted


def _expected(sums: _Sums) -> tuple[Floats, Floats]:
    """The expected NDCG of each ranking and query, (J, Q), and the chance that the query has it, (Q,)."""
    ndcg = (sums.gain * _inverse_ideal(sums.at_least)).mean(axis=2)
    return ndcg, (sums.at_least[0] > 0).mean(axis=1)


def discounts(rank: Ints) -> Floats:
    """1 / log2(rank + 1) of each pair in each ranking, (N, J), from ranks from 1 up; 0 below rank 10.

    A rank of 0 is that of a pair that the ranking does not have.

    >>> discounts(np.array([[1, 0], [11, 3]]))
    array([[1. , 0. ],
           [0. , 0.5]])
    """
    ranked = (rank >= 1) & (rank <= TOP)
    return np.where(ranked, 1 / np.log2(np.where(ranked, rank, 1) + 1.0), 0.0)


def ranks(query: Ints, scores: Sequence[float] | Floats) -> Ints:
    """The rank of each pair in its query, from 1; equal scores by place, later first, as in trec_eval.

    Pairs are sorted by query and document.

    >>> ranks(np.array([0, 0, 1]), [0.5, 0.5, 0.1]).tolist()
    [2, 1, 1]
    """
    places = np.arange(len(query))
    order = np.lexsort((-places, -np.asarray(scores, dtype=float), query))
    first = np.flatnonzero(np.diff(query[order], prepend=-1))
    rank = np.empty(len(query), dtype=np.int64)
    rank[order] = places - np.repeat(first, np.diff(np.append(first, len(query)))) + 1
    return rank


def _contributions(
    table: Floats, of_query: Floats, alone: Floats, sample: GradedSample
) -> Contributions:
    """The contributions of a total that is known up to `table` of each graded pair.

    `of_query`: its expected value in each query with people's grades, `alone`: without them. Graded pairs
    are in both parts: what is known counts them with people's grade, and the sum of corrections with their
    weight. So they are taken from what is known. Where whole queries were drawn, what is known of a query
    counts as seen at its graded pairs, and `alone` is the prediction.
    """
    own = np.take_along_axis(table, sample.grade[:, None], axis=1)[:, 0]
    known = of_query - np.bincount(sample.query, own, sample.n_queries)
    if not sample.is_by_query:
        nothing = np.zeros(sample.n_queries)
        return Contributions(table, np.zeros(len(sample.grade)), nothing, known)
    size = np.bincount(sample.query, sample.weights_in_group, sample.n_queries)
    seen, predicted = (
        np.divide(total, size, out=np.zeros_like(total), where=size > 0)[sample.query]
        for total in (known, alone)
    )
    return Contributions(table + seen[:, None], predicted, alone, np.zeros(sample.n_queries))


def _inverse_ideal(at_least: NDArray) -> Floats:
    """1 / the ideal gain, (..., S), from how many pairs have each grade at least; 0 where none has any."""
    ideal = _IDEAL[np.minimum(at_least, TOP)].sum(axis=0)
    return np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0)


def _drawn_grades(probs: Floats, query: Ints) -> NDArray[np.int8]:
    """Draws of the grades of a pool from the model, (N, S)."""
    from scipy.special import ndtr

    draw = np.random.default_rng(_SEED)
    of_query = _even_normals(draw, int(query.max()) + 1)[query]
    of_pair = _even_normals(draw, len(query))
    chance = ndtr(CORRELATION**0.5 * of_query + (1 - CORRELATION) ** 0.5 * of_pair)
    below = np.cumsum(probs, axis=1)[:, :-1]
    grades = np.zeros(chance.shape, dtype=np.int8)
    for bound in below.T:
        grades += chance > bound[:, None]
    return grades


def _even_normals(draw: np.random.Generator, n: int) -> Floats:
    """S standard normal numbers in each of n rows, one from each of S equal parts of their range."""
    from scipy.special import ndtri

    places = draw.permuted(np.tile(np.arange(_DRAWS), (n, 1)), axis=1)
    return ndtri((places + draw.random((n, _DRAWS))) / _DRAWS)
