"""Moved grades: how many pairs of each old grade get another one, from a sample drawn by old grade.

What belongs here: the table by old grade, and the estimates for all pairs. What does not: the order of
documents (orders.py), drawing the sample and asking about it (running/preview_grades.py).

The old grades are the strata of the sample. In each of them every pair has the same chance.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

_Z = 1.96  # a 95 % interval


class Measured(NamedTuple):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def flip_table(asked: pl.DataFrame, sizes: Mapping[int, int]) -> pl.DataFrame:
    """A row for each old grade: how many of its sampled pairs moved, with a 95 % interval of the share.

    `asked`: old_grade and new_grade of the sampled pairs that got a new grade. `sizes`: the number of all
    pairs of each old grade. `share`, its interval and `mean_change` are null where no pair was asked.

    >>> asked = pl.DataFrame({"old_grade": [0, 0, 0, 1], "new_grade": [0, 0, 1, 0]})
    >>> table = flip_table(asked, {0: 90, 1: 1, 2: 9})
    >>> table.select("old_grade", "n_pairs", "n_asked", "n_moved", pl.col("share").round(2)).rows()
    [(0, 90, 3, 1, 0.33), (1, 1, 1, 1, 1.0), (2, 9, 0, 0, None)]
    """
    rows = []
    for grade, n_pairs in sorted(sizes.items()):
        changes = _changes(asked, grade)
        n_asked, n_moved = len(changes), int((changes != 0).sum())
        share, low, high = (
            (n_moved / n_asked, *wilson(n_moved, n_asked, n_pairs)) if n_asked else (None,) * 3
        )
        rows.append(
            {
                "old_grade": grade,
                "n_pairs": n_pairs,
                "n_asked": n_asked,
                "n_moved": n_moved,
                "n_lower": int((changes < 0).sum()),
                "n_higher": int((changes > 0).sum()),
                "share": share,
                "ci_low": low,
                "ci_high": high,
                "mean_change": float(changes.mean()) if n_asked else None,
            }
        )
    floats = dict.fromkeys(("share", "ci_low", "ci_high", "mean_change"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides=floats)


def wilson(n_moved: int, n_asked: int, n_pairs: int | None = None) -> tuple[float, float]:
    """The 95 % interval of the share of `n_pairs` that move, if `n_moved` of `n_asked` did.

    Wilson's score interval (Wilson 1927, "Probable Inference, the Law of Succession, and Statistical
    Inference"). A sample without replacement counts as a larger one: n (N - 1) / (N - n), from the finite
    population correction (Cochran 1977, Sampling Techniques, 2.6). With every pair asked nothing is open.
    Without `n_pairs` it is of any pairs like these.

    >>> [round(end, 3) for end in wilson(0, 10)], wilson(3, 10, n_pairs=10)
    ([0.0, 0.278], (0.3, 0.3))
    """
    share, n, least, most = n_moved / n_asked, float(n_asked), 0.0, 1.0
    if n_pairs is not None:
        if n_asked >= n_pairs:
            return share, share
        n = n_asked * (n_pairs - 1) / (n_pairs - n_asked)
        # The pairs that were asked are known, whatever the others do.
        least, most = n_moved / n_pairs, 1 - (n_asked - n_moved) / n_pairs
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return max(middle - half, least), min(middle + half, most)


def moved_share(table: pl.DataFrame) -> Measured | None:
    """The share of all pairs that move, from the rows of `flip_table`.

    None where no pair of some old grade was asked. The interval joins those of the old grades (Zou, Huang
    and Zhang 2009, "A note on confidence interval estimation for a linear function of binomial
    proportions"): each end is as far from the value as the root of the summed squares of theirs.

    >>> asked = pl.DataFrame({"old_grade": [0] * 10 + [1] * 10, "new_grade": [0] * 10 + [0] * 5 + [1] * 5})
    >>> moved = moved_share(flip_table(asked, {0: 900, 1: 100}))
    >>> round(moved.value, 3), round(moved.low, 3), round(moved.high, 3)
    (0.05, 0.025, 0.299)
    """
    if table["n_asked"].min() == 0:
        return None
    columns = ("n_pairs", "n_moved", "share", "ci_low", "ci_high")
    n_pairs, n_moved, shares, lows, highs = (table[name].to_numpy() for name in columns)
    weights = n_pairs / n_pairs.sum()
    value = float(weights @ shares)
    below, above = (np.sqrt(np.sum((weights * (shares - end)) ** 2)) for end in (lows, highs))
    known = float(n_moved.sum() / n_pairs.sum())
    return Measured(value, max(known, value - float(below)), min(1.0, value + float(above)))


def mean_change(asked: pl.DataFrame, sizes: Mapping[int, int]) -> Measured | None:
    """The mean of new grade minus old grade over all pairs; None where no pair of an old grade was asked.

    The stratified mean and its t interval (Cochran 1977, 5.4 and 5.5). Few pairs that all stayed do not
    prove that none moves. So in each old grade the variance is at least that of one sampled pair that
    moved by one grade. That rule is ours; a simulation in the tests shows that the interval holds.

    >>> asked = pl.DataFrame({"old_grade": [0] * 20, "new_grade": [0] * 15 + [1] * 5})
    >>> change = mean_change(asked, {0: 1000})
    >>> round(change.value, 2), round(change.low, 2), round(change.high, 2)
    (0.25, 0.04, 0.46)
    """
    from scipy.stats import t

    n_all = sum(sizes.values())
    mean = variance = 0.0
    degrees = 0
    for grade, n_pairs in sizes.items():
        changes = _changes(asked, grade)
        n = len(changes)
        if not n:
            return None
        weight = n_pairs / n_all
        mean += weight * float(changes.mean())
        if n < n_pairs:
            spread = float(changes.var(ddof=1)) if n > 1 else 1.0
            variance += weight**2 * (1 - n / n_pairs) * max(spread, 1 / n) / n
            degrees += n - 1
    half = float(t.ppf(0.975, max(1, degrees))) * math.sqrt(variance) if variance else 0.0
    return Measured(mean, mean - half, mean + half)


def _changes(asked: pl.DataFrame, grade: int) -> np.ndarray:
    of_grade = asked.filter(pl.col("old_grade") == grade)
    return (of_grade["new_grade"].cast(pl.Int64) - of_grade["old_grade"].cast(pl.Int64)).to_numpy()
