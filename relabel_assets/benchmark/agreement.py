"""The agreement of assessors who graded the same pairs.

What belongs here: Krippendorff's alpha of all assessors and Cohen's kappa of each two, with intervals. What
does not: the agreement of a labeler with the reference (metrics.py).

krippendorff and scikit-learn are imported where they are used: loading them takes long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from relabel_assets.benchmark.bootstrap import kappas
from relabel_assets.benchmark.metrics import kappa
from relabel_assets.benchmark.resampling import resamples

_PAIR = ["query_id", "doc_id"]
_INTERVAL = (2.5, 97.5)  # percentiles of the resamples: a 95 % interval
_LEAST_QUERIES = 2  # one query drawn again is the same query


@dataclass(frozen=True)
class Agreement:
    """One measure of the agreement of `assessors`, with its 95 % interval.

    `measure`: alpha (Krippendorff's, ordinal, of all assessors), kappa or kappa_quadratic (Cohen's, of
    two). None where it is undefined: where all grades are the same.
    """

    measure: str
    assessors: tuple[str, ...]
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n_queries: int
    n_pairs: int


def agreement(grades: pl.DataFrame, *, n_resamples: int = 500, seed: int = 13) -> list[Agreement]:
    """The agreement between assessors on the pairs that more than one of them graded.

    `grades`: query_id, doc_id, assessor and grade, one row a pair and assessor. Alpha of all, then kappa
    and kappa_quadratic of every two assessors with pairs in common. Intervals are percentiles of a
    bootstrap over queries: 500 resamples, because each alpha is a call of a library and not a sum. Empty
    where no pair has two grades. Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".

    >>> rows = [(f"q{i}", "d", name, i % 4) for i in range(8) for name in ("ana", "ben")]
    >>> grades = pl.DataFrame(rows, schema=["query_id", "doc_id", "assessor", "grade"], orient="row")
    >>> [(one.measure, one.value) for one in agreement(grades, n_resamples=20)]
    [('alpha', 1.0), ('kappa', 1.0), ('kappa_quadratic', 1.0)]
    """
    shared = grades.filter(pl.len().over(_PAIR) > 1).sort(*_PAIR, "assessor")
    if shared.is_empty():
        return []
    names = sorted(shared["assessor"].unique())
    table = shared.select(*_PAIR, "assessor", pl.col("grade").cast(pl.Float64)).pivot(
        "assessor", index=_PAIR, values="grade"
    )
    values = table.select(names).to_numpy()  # (pairs, assessors), NaN where there is none
    return list(_measures(table["query_id"].to_numpy(), values, tuple(names), n_resamples, seed))


def _measures(
    queries: NDArray, values: NDArray, names: tuple[str, ...], n_resamples: int, seed: int
) -> Iterator[Agreement]:
    """Alpha of all columns of `values` (pairs, assessors), and both kappas of every two."""
    by_query, counts = _resampled(queries, n_resamples, seed)

    def resampled_alphas() -> list[float]:
        drawn = (alpha(np.repeat(values, count[by_query], axis=0)) for count in counts)
        return [np.nan if value is None else value for value in drawn]

    size = len(counts.T), len(values)
    yield Agreement("alpha", names, alpha(values), *_interval(resampled_alphas(), size[0]), *size)
    for first, second in combinations(range(len(names)), 2):
        is_shared = ~np.isnan(values[:, [first, second]]).any(axis=1)
        if is_shared.any():
            two = values[is_shared][:, [first, second]].astype(int)
            assessors = (names[first], names[second])
            yield from _kappas_of(two, queries[is_shared], assessors, n_resamples, seed)


def _kappas_of(
    two: NDArray, queries: NDArray, assessors: tuple[str, str], n_resamples: int, seed: int
) -> Iterator[Agreement]:
    """Both kappas of two assessors, from their grades (pairs, 2)."""
    by_query, counts = _resampled(queries, n_resamples, seed)
    n_grades = 1 + int(two.max())
    confusions = np.zeros((counts.shape[1], n_grades, n_grades))
    np.add.at(confusions, (by_query, two[:, 0], two[:, 1]), 1)
    drawn = np.tensordot(counts, confusions, axes=1)  # (R, n_grades, n_grades)
    for measure, power, weights in (("kappa", 0, None), ("kappa_quadratic", 2, "quadratic")):
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = _interval(kappas(drawn, power), len(confusions))
        value = kappa(two[:, 0], two[:, 1], weights)
        yield Agreement(measure, assessors, value, low, high, len(confusions), len(two))


def alpha(values: NDArray) -> float | None:
    """Krippendorff's alpha of grades (pairs, assessors) as ordered values; NaN where there is none.

    None where it is undefined: without a pair of two grades, or with one grade alone.

    >>> alpha(np.array([[0.0, 0.0], [3.0, 3.0], [1.0, 2.0]])) < 1
    True
    >>> print(alpha(np.array([[2.0, 2.0]])))
    None
    """
    import krippendorff

    paired = values[(~np.isnan(values)).sum(axis=1) > 1]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return None
    return float(krippendorff.alpha(paired.T, level_of_measurement="ordinal"))


def _resampled(queries: NDArray, n_resamples: int, seed: int) -> tuple[NDArray, NDArray]:
    """The number of the query of each pair, (pairs,), and how often it counts in each resample, (R, Q)."""
    names, number = np.unique(queries, return_inverse=True)
    return number, resamples(len(names), n_resamples, seed)[1:]  # without the data themselves


def _interval(resampled: ArrayLike, n_queries: int) -> tuple[float | None, float | None]:
    """The 95 % interval of resampled values; None from too few queries, or where all are undefined."""
    values = np.asarray(resampled, dtype=float)
    values = values[~np.isnan(values)]
    if n_queries < _LEAST_QUERIES or not len(values):
        return None, None
    low, high = np.percentile(values, _INTERVAL)
    return float(low), float(high)
