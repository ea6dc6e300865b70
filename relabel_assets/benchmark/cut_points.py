"""Cut points: thresholds that turn a score into grades as frequent as the teacher's.

What belongs here: choosing and applying cut points. What does not: the score (BM25's, or a
student's expected grade).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relabel_assets.errors import StudentError


def cut_points(
    values: Sequence[float] | NDArray, grades: Sequence[int] | NDArray, n_grades: int
) -> list[float]:
    """`n_grades` - 1 ascending cut points: as many `values` are below the k-th as `grades` below k.

    Both come from the training labels (quantile matching). A grade that the teacher never gave gets
    the cut point of the next grade, so that grades_from never gives it either. Below the least grade
    and above the greatest the cut points are out of reach of any value from 0 to `n_grades` - 1.

    A cut point is halfway between two values. Between equal values, such as BM25's zeros, it is that
    value: grades_from gives all of them the lower grade.

    >>> cut_points([0.1, 0.4, 0.8], [0, 1, 2], n_grades=3)
    [0.25, 0.6000000000000001]
    >>> cut_points([0.0, 0.0, 0.0, 2.0], [0, 0, 1, 1], n_grades=2)
    [0.0]
    """
    ascending = np.sort(np.asarray(values, dtype=float))
    teacher_grades = np.asarray(grades)
    points = []
    for grade in range(1, n_grades):
        n_below = int((teacher_grades < grade).sum())
        if n_below == 0:
            points.append(min(float(ascending[0]), 0.0) - 1.0)
        elif n_below == len(ascending):
            points.append(max(float(ascending[-1]), n_grades - 1.0) + 1.0)
        else:
            points.append(float(ascending[n_below - 1] + ascending[n_below]) / 2)
    return points


def grades_from(values: Sequence[float] | NDArray, points: Sequence[float]) -> NDArray[np.int64]:
    """The grade of each value: the number of cut points below it.

    A value that equals a cut point is not above it (side="left"), so it gets the lower grade.

    >>> grades_from([0.1, 0.25, 0.3, 0.9], points=[0.25, 0.6]).tolist()
    [0, 0, 1, 2]
    """
    return np.searchsorted(
        np.asarray(points, dtype=float), np.asarray(values, dtype=float), side="left"
    )


def never_given(points: Sequence[float]) -> list[int]:
    """The grades that grades_from gives to no expected grade, which is from 0 to the greatest grade.

    >>> never_given([0.5, 1.5, 1.5]), never_given([-1.0, 1.5, 4.0]), never_given([0.5, 1.0, 1.5])
    ([2], [0, 3], [])
    """
    highest = len(points)
    upper, lower = [*points, np.inf], [-np.inf, *points]
    return [
        grade
        for grade in range(highest + 1)
        if lower[grade] >= min(upper[grade], highest) or upper[grade] < 0
    ]


def refuse_collapsed(points: Sequence[float], grades: Sequence[int] | NDArray) -> None:
    """Raise StudentError where a grade of the training labels `grades` is never given.

    It was given to pairs whose scores are those of other grades' pairs.

    >>> refuse_collapsed([0.4, 0.4, 2.5], [0, 1, 2, 3])
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: the student would never give grade 1, which 1 of its 4 ...
    """
    taught = np.asarray(grades)
    for grade in never_given(points):
        n_pairs = int((taught == grade).sum())
        if n_pairs:
            raise StudentError(
                f"the student would never give grade {grade}, which {n_pairs:,} of its "
                f"{len(taught):,} training pairs have: it scores them as it scores pairs of other "
                "grades. Grade more pairs, of documents that differ. What was graded is kept."
            )
