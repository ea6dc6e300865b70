"""The sample that people graded: which pairs of the pool, by which design, and what its draw leaves unsure.

What belongs here: weights, covariances of estimated totals and degrees of freedom of the two designs of
review/. What does not: what is estimated (contributions.py, ndcg_model.py) and how (prediction_powered.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class GradedSample:
    """n graded pairs of a pool of N pairs and Q queries, in H groups.

    A group is a stratum. Where whole queries were drawn first, it is a stratum within one query. Of a
    group's pairs a simple random sample was graded, so each stands for `group_sizes / graded` of them. Pairs
    that were drawn and have no grade yet count as not drawn: a group's graded pairs are then taken for a
    random part of its drawn ones. People grade query by query, in random order. So where they stopped early
    (`is_unfinished`), what they graded is a sample of queries rather than of pairs.
    """

    position: Ints  # (n,) the graded pairs, as rows of the pool
    grade: Ints  # (n,) what people said
    query: Ints  # (n,) 0 to Q - 1
    group: Ints  # (n,) 0 to H - 1
    group_sizes: Floats  # (H,) pairs of the pool in each group
    n_queries: int  # Q, of the pool
    is_by_query: bool = False  # whole queries were drawn first
    is_unfinished: bool = (
        False  # single pairs were drawn, and those of whole queries have no grade yet
    )

    @cached_property
    def graded(self) -> Floats:
        """(H,) graded pairs of each group."""
        return np.bincount(self.group, minlength=len(self.group_sizes)).astype(np.float64)

    @cached_property
    def drawn_queries(self) -> Ints:
        """The queries with graded pairs."""
        return np.unique(self.query)

    @cached_property
    def query_weight(self) -> float:
        """How many queries each query of the sample stands for: 1 unless queries were drawn."""
        return self.n_queries / len(self.drawn_queries) if self.is_by_query else 1.0

    @cached_property
    def weights_in_group(self) -> Floats:
        """(n,) how many pairs of its group each graded pair stands for."""
        return (self.group_sizes / np.maximum(self.graded, 1))[self.group]

    @cached_property
    def weights(self) -> Floats:
        """(n,) how many pairs of the pool each graded pair stands for: 1 / its chance."""
        return self.query_weight * self.weights_in_group

    @cached_property
    def is_census(self) -> bool:
        """Whether people graded every pair of the pool."""
        return bool((self.weights <= 1).all()) and len(self.drawn_queries) == self.n_queries

    def covariance(self, first: Floats, second: Floats) -> float:
        """The covariance of the estimated totals of two values of the graded pairs, (n,) each.

        Pairs: stratified simple random sampling (Cochran 1977, eq. 5.7). Queries: two stages (Cochran 1977,
        eq. 10.17, whose second part is the variance within the drawn queries).

        >>> sample = GradedSample(np.array([0, 1]), np.array([0, 1]), np.array([0, 1]), np.array([0, 0]),
        ...                       np.array([4.0]), n_queries=4)
        >>> values = np.array([0.0, 1.0])
        >>> sample.covariance(values, values)  # 4^2 (1 - 2/4) (1/2) / 2
        2.0
        """
        within = float(self._parts(first, second).sum())
        if not self.is_by_query:
            return within
        m = len(self.drawn_queries)
        if m < 2:
            return float("nan")
        between = float(np.cov(self._query_totals(first), self._query_totals(second))[0, 1])
        share = m / self.n_queries
        return self.n_queries**2 * (1 - share) / m * between + within / share

    def degrees_of_freedom(self, values: Floats) -> float:
        """Those of covariance(values, values): Satterthwaite's (Cochran 1977, eq. 5.16), or queries - 1."""
        if self.is_by_query and len(self.drawn_queries) < self.n_queries:
            return float(len(self.drawn_queries) - 1)
        parts = self._parts(values, values)
        squares = float((parts**2 / np.maximum(self.graded - 1, 1)).sum())
        return float(parts.sum() ** 2 / squares) if squares > 0 else float("inf")

    def floor(self, spread: Floats, values: Floats, prior_pairs: float = 0.0) -> float:
        """What the variance of the total of `values` lacks, because few pairs hide rare errors.

        Twenty pairs without an error do not show that the other three hundred have none. A group whose
        graded pairs all have one value gets one pair more, whose squared deviation is the mean of `spread`,
        (n,), over the group: what a grade drawn from people's grades would give. Every other group gets
        `prior_pairs` of them.

        >>> sample = GradedSample(np.array([0, 1]), np.array([0, 0]), np.array([0, 0]), np.array([0, 0]),
        ...                       np.array([4.0]), n_queries=1)
        >>> sample.floor(np.array([0.5, 0.5]), np.array([1.0, 1.0]))  # 4^2 (1 - 2/4) (0.5/2) / 2
        1.0
        """
        n_groups = len(self.group_sizes)
        graded = np.maximum(self.graded, 1)
        mean = np.bincount(self.group, values, n_groups) / graded
        apart = np.bincount(self.group, (values - mean[self.group]) ** 2, n_groups)
        prior = np.bincount(self.group, spread, n_groups) / graded
        more = np.where(apart < 1e-12, 1.0, prior_pairs)
        seen = apart / np.maximum(graded - 1, 1)
        with_prior = (apart + more * prior) / np.maximum(graded - 1 + more, 1e-12)
        lacking = np.where(more > 0, np.maximum(with_prior - seen, 0), 0.0)
        return float((self._scale * lacking).sum()) * self.query_weight

    @cached_property
    def _scale(self) -> Floats:
        """(H,) N^2 (1 - n/N) / n, with which a group's variance enters that of the total."""
        size, graded = self.group_sizes, np.maximum(self.graded, 1)
        return size**2 * np.maximum(1 - graded / np.maximum(size, 1), 0) / graded

    def _parts(self, first: Floats, second: Floats) -> Floats:
        """(H,) what each group adds to the covariance."""
        n_groups, graded = len(self.group_sizes), np.maximum(self.graded, 1)
        apart = [
            values - (np.bincount(self.group, values, n_groups) / graded)[self.group]
            for values in (first, second)
        ]
        products = np.bincount(self.group, apart[0] * apart[1], n_groups)
        parts: Floats = self._scale * products / np.maximum(self.graded - 1, 1)
        return parts

    def _query_totals(self, values: Floats) -> Floats:
        """The estimated total of each query of the sample."""
        totals = np.bincount(self.query, self.weights_in_group * values, self.n_queries)
        return totals[self.drawn_queries].astype(np.float64)


def merged(groups: Sequence[str], sizes: Floats, graded: Floats) -> tuple[Ints, Floats]:
    """Each group's number after groups without a graded pair are merged into another, and the sizes then.

    Into the one whose name has the longest beginning in common, because names begin with what matters
    most. Without any graded pair nothing is merged.

    >>> merged(["grade 0", "grade 3", "grade 3, top 10"], np.array([9.0, 5.0, 2.0]), np.array([3, 0, 2]))
    (array([0, 1, 1]), array([9., 7.]))
    """
    kept = [place for place in range(len(groups)) if graded[place]]
    if not kept:
        return np.arange(len(groups)), np.asarray(sizes, dtype=float)
    number = {place: new for new, place in enumerate(kept)}
    for place, name in enumerate(groups):
        if place not in number:
            nearest = max(kept, key=lambda other: (_common(name, groups[other]), -other))
            number[place] = number[nearest]
    into = np.array([number[place] for place in range(len(groups))])
    return into, np.bincount(into, sizes, len(kept)).astype(float)


def _common(first: str, second: str) -> int:
    """The length of the common beginning of two names."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))
