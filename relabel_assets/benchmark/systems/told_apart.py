"""Which systems can be told apart: a test of all pairs at once, and what it means for their ranks.

What belongs here: the smallest difference that shows, and ranges of ranks. What does not: the values
(system_values.py) and their intervals (rankings.py).
"""

import numpy as np
from numpy.typing import NDArray

_PERMUTATIONS = 2000  # 100 of them lie beyond the smallest difference at the level of 5 %
_LEVEL = 0.05
_NUMBERS_AT_ONCE = 4_000_000  # 32 MB


def smallest_difference(values: NDArray, *, seed: int = 13, level: float = _LEVEL) -> float:
    """The difference of two means beyond which two of S systems are told apart; `values` is (S, Q).

    Randomised Tukey HSD (Carterette 2012; Sakai 2012): each permutation gives the values of a query to the
    systems at random, as if all systems were the same. The largest difference of two means is then due to
    chance; only `level` of the permutations have a larger one than the result. So with all pairs
    compared, 5 % of the experiments call any two equal systems different, however many systems there are.

    Equal systems are never told apart; 0 for a single system:

    >>> smallest_difference(np.array([[0.5, 0.7], [0.5, 0.7]])), smallest_difference(np.array([[0.5, 0.7]]))
    (0.0, 0.0)
    """
    n_systems, n_queries = values.shape
    if n_systems < 2 or not n_queries:
        return 0.0
    draw, ranges = np.random.default_rng(seed), list[NDArray]()
    at_once = max(1, min(_PERMUTATIONS, _NUMBERS_AT_ONCE // values.size))
    for begin in range(0, _PERMUTATIONS, at_once):
        n = min(at_once, _PERMUTATIONS - begin)
        permuted = draw.permuted(np.broadcast_to(values, (n, *values.shape)), axis=1)
        ranges.append(np.ptp(permuted.mean(axis=2), axis=1))
    # "higher": no interpolated value below one that chance reached. Sums in another order differ in the
    # last digits, and so do the means of equal systems.
    return float(np.quantile(np.concatenate(ranges), 1 - level, method="higher").round(12))


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
