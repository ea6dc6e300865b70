"""Cut points: thresholds that turn a score into grades as frequent as the teacher's.

What belongs here: choosing and applying cut points. What does not: the score (BM25's, or a
student's expected grade).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def cut_points(
    values: Sequence[float] | NDArray, grades: Sequence[int] | NDArray, n_grades: int
) -> list[float]:
    """`n_grades` - 1 ascending cut points: as many `values` are below the k-th as `grades` below k.

    Both come from the training labels (quantile matching). A grade that the teacher never gave gets
    the cut point of the next grade, so that grades_from never gives it either.

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
            points.append(float(ascending[0]) - 1.0)  # below all values; how far is no matter
        elif n_below == len(ascending):
            points.append(float(ascending[-1]) + 1.0)
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
