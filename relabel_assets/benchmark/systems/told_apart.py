"""Which systems can be told apart: a test of all pairs at once, and what it means for their ranks.

What belongs here: the smallest difference that shows, and ranges of ranks. What does not: the values
(system_values.py) and their intervals (rankings.py).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_LEVEL = 0.05


def smallest_difference(values: NDArray, *, level: float = _LEVEL) -> float:
    """The difference of two means beyond which two of S systems are told apart; `values` is (S, Q).

    Tukey's HSD of a two-way analysis of variance without replication, systems and queries (Tukey 1949;
    for retrieval Carterette 2012, Sakai 2014): q(1 - level; S, (S - 1)(Q - 1)) * sqrt(MSE / Q), where MSE
    is the mean square of what neither system nor query explains. All pairs are compared at once: of
    experiments with equal systems, a share `level` calls any two of them different.

    Its randomised form is not used: it deals all values out as if all systems were equal, so one broken
    system hides the differences of all others. Infinite for fewer than 2 queries, 0 for a single system.

    >>> values = np.array([[0.9, 0.7, 0.8], [0.5, 0.4, 0.3]])
    >>> round(smallest_difference(values), 3), smallest_difference(values[:1])
    (0.248, 0.0)
    """
    n_systems, n_queries = values.shape
    if n_systems < 2:
        return 0.0
    if n_queries < 2:
        return float("inf")
    explained = values.mean(axis=1, keepdims=True) + values.mean(axis=0, keepdims=True)
    residuals = values - explained + values.mean()
    free = (n_systems - 1) * (n_queries - 1)
    error = np.sqrt((residuals**2).sum() / free / n_queries)
    # Equal systems have residuals of 1e-17 in place of 0.
    return round(critical_range(level, n_systems, free) * float(error), 12)


@cache  # it takes a second, and all labelers have the same systems
def critical_range(level: float, n_systems: int, free: int) -> float:
    """The quantile 1 - `level` of the studentized range of `n_systems` means.

    Of two means it is that of a t test times the root of 2:

    >>> round(critical_range(0.05, 2, 1_000_000) / 2**0.5, 2)
    1.96
    """
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - level, n_systems, free))


def ranks_of(means: NDArray) -> NDArray[np.int64]:
    """The rank of each of (S,) means, from 1 for the largest. Equal means share the best rank.

    >>> ranks_of(np.array([0.5, 0.9, 0.5])).tolist()
    [2, 1, 2]
    """
    return 1 + (means[None, :] > means[:, None]).sum(axis=1)


def rank_ranges(means: NDArray, least: float) -> NDArray[np.int64]:
    """The first and the last rank, (S, 2), of the systems that cannot be told apart from each system.

    `least` is the smallest difference that shows. A difference of just that is not told apart.

    >>> rank_ranges(np.array([0.9, 0.8, 0.5]), least=0.1).tolist()
    [[1, 2], [1, 2], [3, 3]]
    """
    order = np.sort(means)[::-1]
    difference = np.abs(means[:, None] - order[None, :]).round(12)  # (S, ranks)
    is_near = difference <= least
    first = 1 + is_near.argmax(axis=1)
    last = order.size - is_near[:, ::-1].argmax(axis=1)
    return np.stack([first, last], axis=1)
