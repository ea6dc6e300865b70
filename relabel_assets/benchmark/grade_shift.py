"""The test for a shift: does the student give lower or higher grades than its teacher on new queries?

What belongs here: the test, and its sentence. What does not: the mean grades and their interval
(bootstrap.py), and the gate on ranking (gate.py).

A student may rank as its teacher does and still count too few relevant documents. Its calibration and
cut points hold for queries like those of training, and the benchmark queries may be others.
"""

import polars as pl

from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.plural import counted

# In grades, not measured: one pair in ten that is wrong by one grade. A smaller shift of thousands of
# pairs is certain and of no use to know.
_MIN_SHIFT = 0.1


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
