"""Tests for a shift: does the student give lower or higher grades on new queries than its teacher would?

What belongs here: the tests, and their sentences. What does not: the mean grades of a benchmark and their
interval (bootstrap.py), and the gate on ranking (gate.py).

A student may rank as its teacher does and still count too few relevant documents. Its calibration and
cut points hold for queries like those of training, and new queries may be others. Where the teacher graded
them (grade_shift), the error shows. Where nobody did (bulk_shift), only a difference to training does:
estimating the new shares from the student's probabilities alone made grades worse (docs/experiments.md).
"""

import math

import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.plural import counted

# In grades, not measured: one pair in ten that is wrong by one grade. A smaller shift of thousands of
# pairs is certain and of no use to know.
_MIN_SHIFT = 0.1
# Without a grade of the new queries only their documents can be told from others. On the demo corpora those
# of the benchmark are .03 to .12 above training, in the mean of what the student expects.
_MIN_BULK_SHIFT = 0.2
_Z = 1.96  # a 95 % interval


def grade_shift(rows: pl.DataFrame, *, min_queries: int) -> list[str]:
    """A sentence if the student's mean grade differs from its teacher's; none if it is not shown to.

    `rows` are those of `measure`. A shift is at least 0.1 of a grade, and its 95 % interval of a
    paired bootstrap over queries does not hold 0. With fewer than `min_queries` queries it is not
    shown, because such an interval is too narrow.

    >>> rows = pl.DataFrame({"labeler": ["student", "teacher", DIFFERENCE], "metric": "mean_grade",
    ...     "slice": "all", "value": [0.5, 0.67, -0.17], "ci_low": [0.4, 0.6, -0.25],
    ...     "ci_high": [0.6, 0.7, -0.09], "n_queries": 56})
    >>> print(*grade_shift(rows, min_queries=30))
    The student grades lower than its teacher on queries that it did not learn from: mean grade 0.50 ...
    """
    of_all = rows.filter(pl.col("metric") == "mean_grade", pl.col("slice") == "all")
    by_labeler = {str(row["labeler"]): row for row in of_all.iter_rows(named=True)}
    difference = by_labeler.get(DIFFERENCE)
    if not difference or None in (difference["value"], difference["ci_low"]):
        return []
    if difference["n_queries"] < min_queries:
        return []
    shift, low, high = (difference[name] for name in ("value", "ci_low", "ci_high"))
    if abs(shift) < _MIN_SHIFT or low <= 0 <= high:
        return []
    student, teacher = by_labeler["student"]["value"], by_labeler["teacher"]["value"]
    return [
        f"The student grades {'lower' if shift < 0 else 'higher'} than its teacher on queries that it "
        f"did not learn from: mean grade {student:.2f} beside {teacher:.2f}, {shift:+.2f} "
        f"[{low:+.2f}, {high:+.2f}] on {counted(difference['n_queries'], 'query')}. Let the teacher "
        "grade queries of that kind too."
    ]


def bulk_shift(new: pl.DataFrame, training: pl.DataFrame, *, min_queries: int) -> list[str]:
    """A sentence if the student expects clearly other grades of new queries than of those of training.

    Both have query_id and the student's expected_grade: of queries that taught nobody, and of those that
    did. A shift is at least 0.2 of a grade between the means of the queries, and its 95 % interval does
    not hold 0. With fewer than `min_queries` of either it is not shown.

    >>> new = pl.DataFrame({"query_id": [f"n{n}" for n in range(40)], "expected_grade": [0.1, 0.2] * 20})
    >>> training = pl.DataFrame({"query_id": [f"t{n}" for n in range(40)], "expected_grade": [0, 1] * 20})
    >>> print(*bulk_shift(new, training, min_queries=30))
    The student expects a mean grade of 0.15 of 40 queries that taught it nothing, and 0.50 of the 40 of ...
    """
    shift, margin, n_queries = _bulk_difference(new, training)
    if n_queries < max(2, min_queries) or abs(shift) < max(_MIN_BULK_SHIFT, margin):
        return []
    return [
        f"{bulk_means(new, training)} Either they have other documents, or their grades do not hold. The "
        "teacher's grades of some tell, and correct the others: `labels: {ask: 0.1}`, or `relabel label "
        "--ask 10%`."
    ]


def bulk_means(new: pl.DataFrame, training: pl.DataFrame) -> str:
    """The mean expected grade of new queries beside that of training, as for `bulk_shift`.

    Empty with fewer than two queries of either. The interval is Welch's (1947), over queries.

    >>> bulk_means(*[pl.DataFrame({"query_id": ["a", "b"], "expected_grade": [0.0, 1.0]})] * 2)[-26:]
    'ing: +0.00 [-1.39, +1.39].'
    """
    shift, margin, n_queries = _bulk_difference(new, training)
    if n_queries < 2:
        return ""
    means = [_query_means(frame) for frame in (new, training)]
    return (
        f"The student expects a mean grade of {means[0].mean():.2f} of {counted(len(means[0]), 'query')} "
        f"that taught it nothing, and {means[1].mean():.2f} of the {len(means[1]):,} of training: "
        f"{shift:+.2f} [{shift - margin:+.2f}, {shift + margin:+.2f}]."
    )


def _bulk_difference(new: pl.DataFrame, training: pl.DataFrame) -> tuple[float, float, int]:
    """The difference of the means over queries, half its 95 % interval, and the lesser number of queries."""
    means = [_query_means(frame) for frame in (new, training)]
    n_queries = min(map(len, means))
    if n_queries < 2:
        return 0.0, math.inf, n_queries
    variance = sum(mean.var(ddof=1) / len(mean) for mean in means)
    return float(means[0].mean() - means[1].mean()), _Z * math.sqrt(variance), n_queries


def _query_means(labels: pl.DataFrame) -> NDArray:
    means = labels.group_by("query_id").agg(pl.col("expected_grade").cast(pl.Float64).mean())
    return means["expected_grade"].to_numpy()
