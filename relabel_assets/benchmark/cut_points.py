"""From a number that ranks to a grade: cut points set so that grades come out as often as the teacher gave them.

What belongs here: choosing and applying cut points. What does not: the number (a BM25 score, a student's expected grade).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def cut_points(values: Sequence[float] | NDArray, grades: Sequence[int] | NDArray, n_grades: int) -> list[float]:
    """`n_grades` - 1 ascending numbers: as many `values` lie below the k-th as there are `grades` below k.

    Both come from the training labels (quantile matching). A grade that was never given gets the same cut point as the
    next one, so that it is not given here either.
    """
    ordered, given = np.sort(np.asarray(values, dtype=float)), np.asarray(grades)
    points = []
    for grade in range(1, n_grades):
        below = int((given < grade).sum())
        if below == 0:
            points.append(float(ordered[0]) - 1.0)
        elif below == len(ordered):
            points.append(float(ordered[-1]) + 1.0)
        else:
            points.append(float(ordered[below - 1] + ordered[below]) / 2)
    return points


def grades_from(values: Sequence[float] | NDArray, points: Sequence[float]) -> NDArray[np.int64]:
    """The grade of each value: the number of cut points that lie below it."""
    return np.searchsorted(np.asarray(points, dtype=float), np.asarray(values, dtype=float), side="left")
