"""Asking: which pairs of a query the teacher is asked about.

What belongs here: the choice of pairs, and how many each query gets. What does not: the model of the
residuals (residual_process.py) and sending (teacher/).

Pairs are chosen one after another. The next one is the pair whose grade would take away the most
variance from the grades of all pairs of the query (Krause, Singh & Guestrin 2008 compare such rules).
The variance of a pair that the student grades highly counts more: what is at the top matters most.

Every query gets the same share of its pairs. Shares by need, where the next grade of any query takes
away the most variance, gave no better grades (docs/experiments.md).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relabel_assets.student.cascade.residual_process import QueryPairs, ResidualProcess

# A pair that is expected one grade lower than the best counts exp(-0.7) = half as much. Measured beside 0
# and 1.5: more of it helps NDCG and hurts kappa (docs/experiments.md).
_TOP_WEIGHT = 0.7


def choose_pairs(
    process: ResidualProcess,
    pairs: QueryPairs,
    n: int,
    known: Sequence[int] | NDArray = (),
    grades: Sequence[int] | NDArray = (),
    closed: Sequence[int] | NDArray = (),
) -> list[int]:
    """The rows of `pairs` to ask about, at most `n`, the most informative one first.

    The `grades` (K,) of the rows `known` (K,) are known already. Neither these rows nor those of
    `closed` are chosen.

    >>> process = ResidualProcess(offset=0.1, similarity=0.6, length=0.2, features=0.1, noise=0.1)
    >>> twins_and_another = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> pairs = QueryPairs(np.ones(3), np.ones(3), twins_and_another, np.zeros((3, 1)))
    >>> choose_pairs(process, pairs, n=2)
    [0, 2]
    >>> choose_pairs(process, pairs, n=2, known=[2], grades=[3])
    [0, 1]
    """
    covariance = process.covariance(pairs, known)
    noise = process.noise_variance(pairs)
    expected = process.posterior(pairs, known, grades).mean
    weight = np.exp(_TOP_WEIGHT * (expected - expected.max(initial=0.0)))
    taken = list(np.union1d(known, closed).astype(int))
    chosen: list[int] = []
    for _ in range(min(n, len(pairs) - len(taken))):
        total_variance = np.diagonal(covariance) + noise
        gain = weight @ covariance**2 / total_variance
        gain[taken + chosen] = -1.0
        row = int(np.argmax(gain))
        chosen.append(row)
        column = covariance[:, row]
        covariance = covariance - np.outer(column, column) / total_variance[row]
    return chosen


def pairs_to_ask(n_pairs: Sequence[int] | NDArray, share: float, seed: int) -> NDArray:
    """How many pairs of each query to ask about, (Q,), of queries with `n_pairs` (Q,) pairs.

    Each query gets `share` of its pairs, rounded down or up, and so does the sum. A systematic sample
    (Madow 1949) decides: the chance to be rounded up is the fraction that is left.

    >>> pairs_to_ask([10, 10, 10, 10], share=0.25, seed=13).tolist()
    [2, 3, 2, 3]
    """
    upper_edges = np.cumsum(np.asarray(n_pairs) * share)
    start = np.random.default_rng(seed).random()
    # A query is asked about once for each of the points start, start + 1, ... between its edges.
    points_below = np.ceil(upper_edges - start).astype(int)
    return np.minimum(np.diff(points_below, prepend=0), n_pairs)
