"""How well two labelers agree on the order of systems: Kendall's tau and tau-AP, with intervals.

What belongs here: these statistics of two sets of values. What does not: the values (system_values.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relabel_assets.benchmark.resampling import resamples

_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class OrderAgreement:
    """A statistic of two orders of systems, with its 95 % interval over queries."""

    statistic: str  # tau or tau_ap
    value: float
    low: float
    high: float


def tau(values: ArrayLike, reference: ArrayLike) -> NDArray:
    """Kendall's tau-b of two sets of S values, over the last axis: 1 for the same order, -1 for the reverse.

    NaN where all values of a side are equal. scipy.stats.kendalltau gives the same, one order at a time:
    thousands of resamples take minutes.

    >>> tau([0.3, 0.2, 0.1], [0.9, 0.5, 0.6]).round(3)
    np.float64(0.333)
    """
    mine, theirs = _signs(np.asarray(values, float)), _signs(np.asarray(reference, float))
    n_untied = np.abs(mine).sum(axis=-1) * np.abs(theirs).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return (mine * theirs).sum(axis=-1) / np.sqrt(n_untied)


def tau_ap(values: ArrayLike, reference: ArrayLike) -> NDArray:
    """Tau-AP of two sets of S values, over the last axis: as tau, but a swap at the top costs more.

    2 / (S - 1) * sum over ranks i > 1 of C(i) / (i - 1), minus 1, where C(i) systems above rank i are
    above it in the reference too (Yilmaz, Aslam & Robertson 2008). Ranks are those of `values`. A tie in
    the reference counts as half; ties in `values` keep the order of the systems.

    Where the two best of three change places, and where the two last do:

    >>> tau_ap([[0.3, 0.2, 0.1]] * 2, [[0.5, 0.6, 0.1], [0.6, 0.1, 0.5]]).tolist()
    [0.0, 0.5]
    """
    values = np.asarray(values, float)
    order = np.argsort(-values, axis=-1, kind="stable")
    signs = _signs(np.take_along_axis(np.asarray(reference, float), order, axis=-1))
    n_above = np.triu_indices(values.shape[-1], k=1)[1]
    n_others = values.shape[-1] - 1
    return (2 * ((signs + 1) / 2 / n_above).sum(axis=-1) / n_others) - 1


def _signs(values: NDArray) -> NDArray:
    """The sign of the difference of each two values, the earlier less the later: (..., S (S - 1) / 2)."""
    earlier, later = np.triu_indices(values.shape[-1], k=1)
    return np.sign(values[..., earlier] - values[..., later])


def order_agreement(
    values: NDArray, reference: NDArray, *, n_resamples: int = 2000, seed: int = 13
) -> list[OrderAgreement]:
    """Tau and tau-AP of the orders of S systems by their means over the same Q queries.

    `values` and `reference` are (S, Q). Intervals are percentiles of a paired bootstrap over queries: each
    resample draws the same queries for both. There are none for fewer than 2 systems or queries.

    >>> values = np.array([[0.9, 0.8], [0.5, 0.4], [0.1, 0.2]])
    >>> [(each.statistic, each.value) for each in order_agreement(values, values / 2)]
    [('tau', 1.0), ('tau_ap', 1.0)]
    """
    n_systems, n_queries = values.shape
    if min(n_systems, n_queries) < 2:
        return []
    weights = resamples(n_queries, n_resamples, seed)
    means = weights @ values.T / n_queries, weights @ reference.T / n_queries
    drawn = np.stack([tau(*means), tau_ap(*means)], axis=1)
    lows, highs = np.nanpercentile(drawn[1:], _INTERVAL, axis=0)
    return [
        OrderAgreement(name, float(drawn[0, i]), float(lows[i]), float(highs[i]))
        for i, name in enumerate(("tau", "tau_ap"))
        if not np.isnan(drawn[0, i])
    ]
