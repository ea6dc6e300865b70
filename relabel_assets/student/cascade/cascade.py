"""The cascade: a student's grades of a query, some of whose pairs others have graded.

What belongs here: the second stage as it is saved with a student, its fit, and grades from it. What does
not: the model of the residuals (residual_process.py) and which pairs are asked about (asking.py).

The residual process gives the expected grade of each pair. Its probabilities are the student's own,
tilted: p_k exp(a k), with the `a` that gives this expected grade (the nearest distribution to the
student's with that mean; Csiszar 1975). Cut points turn the expected grade into a grade. They depend on
the share of the query's pairs that is known: the more is known, the farther expected grades lie apart.

With nothing known, everything is the student's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydantic
from numpy.typing import NDArray

from relabel_assets.benchmark.cut_points import cut_points, grades_from, never_given
from relabel_assets.progress import Progress, silent
from relabel_assets.student.cascade.asking import choose_pairs, pairs_to_ask
from relabel_assets.student.cascade.residual_process import (
    QueryPairs,
    ResidualProcess,
    fit_residual_process,
)

# Where cut points are fitted. Between two of them they are interpolated. Not measured beyond: who can pay
# for more than two fifths of the grades rarely needs a student.
_SHARES = (0.05, 0.1, 0.2, 0.4)
_MIN_PROBABILITY = 1e-6  # of a grade: a tilt can give no weight to a grade that has none
_LARGEST_TILT = 60.0  # exp(60) outweighs any probability above it
_BISECTIONS = 60  # each halves the error of the tilt

Graded = tuple[QueryPairs, Sequence[int] | NDArray]  # a query's pairs (n) and their grades (n,)


@dataclass(frozen=True)
class CascadeGrades:
    """The grades of a query's n pairs: `grade` (n,), `expected_grade` (n,), `grade_probs` (n, n_grades)."""

    grade: NDArray
    expected_grade: NDArray
    grade_probs: NDArray


class Cascade(pydantic.BaseModel):
    """The second stage of a student. `cut_points` has a list for each of the ascending `shares`.

    The first share is 0: its cut points are the student's own.

    >>> process = ResidualProcess(offset=0.3, similarity=0.6, length=0.2, features=0.1, noise=0.1)
    >>> cascade = Cascade(process=process, shares=[0.0], cut_points=[[0.5]])
    >>> probs, alike = np.full((2, 2), 0.5), np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> pairs = QueryPairs.of(probs, alike, np.zeros((2, 1)))
    >>> cascade.grade(pairs, probs, known=[0], grades=[1]).grade_probs[1].round(1).tolist()
    [0.1, 0.9]
    """

    model_config = pydantic.ConfigDict(allow_inf_nan=False, frozen=True)

    process: ResidualProcess
    shares: list[float] = pydantic.Field(min_length=1)
    cut_points: list[list[float]]

    @pydantic.model_validator(mode="after")
    def _lists_agree(self) -> "Cascade":
        is_ascending = self.shares[0] == 0 and self.shares == sorted(set(self.shares))
        if not is_ascending or len(self.cut_points) != len(self.shares):
            raise ValueError("its shares do not ascend from 0, or do not fit its cut points")
        return self

    def points_at(self, share: float) -> list[float]:
        """The cut points where `share` of a query's pairs is known; beyond the last share, its own.

        >>> process = ResidualProcess(offset=1, similarity=1, length=1, features=1, noise=1)
        >>> cascade = Cascade(process=process, shares=[0.0, 0.2], cut_points=[[0.4], [0.6]])
        >>> cascade.points_at(0.1), cascade.points_at(0.5)
        ([0.5], [0.6])
        """
        by_grade = np.array(self.cut_points).T  # (n_grades - 1, shares)
        return [float(np.interp(share, self.shares, points)) for points in by_grade]

    def grade(
        self,
        pairs: QueryPairs,
        grade_probs: NDArray,
        known: Sequence[int] | NDArray,
        grades: Sequence[int] | NDArray,
    ) -> CascadeGrades:
        """The grades of `pairs` (n), given the `grades` (K,) of the rows `known` (K,).

        `grade_probs` (n, n_grades) are the student's own. A known pair has the grade that the others
        and its own say together. Whoever needs the known grade itself has it.
        """
        expected, probs = pairs.expected, grade_probs
        if len(known):
            greatest = grade_probs.shape[1] - 1
            mean = self.process.posterior(pairs, known, grades).mean
            expected = np.clip(mean, 0, greatest)
            probs = tilted(grade_probs, expected)
        points = self.points_at(len(known) / max(1, len(pairs)))
        return CascadeGrades(grades_from(expected, points), expected, probs)


def tilted(grade_probs: NDArray, expected: NDArray) -> NDArray:
    """`grade_probs` (n, n_grades), each row tilted until its mean is `expected` (n,).

    >>> tilted(np.array([[0.25, 0.5, 0.25]]), np.array([1.5])).round(2).tolist()
    [[0.06, 0.38, 0.56]]
    """
    grades = np.arange(grade_probs.shape[1])
    logarithms = np.log(np.maximum(grade_probs, _MIN_PROBABILITY))
    low, high = np.full(len(expected), -_LARGEST_TILT), np.full(len(expected), _LARGEST_TILT)

    def at(tilt: NDArray) -> NDArray:
        weights = logarithms + tilt[:, None] * grades
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        is_below = at(middle) @ grades < expected
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return at((low + high) / 2)


def fit_cascade(
    queries: Sequence[Graded],
    student_points: Sequence[float],
    seed: int,
    progress: Progress = silent,
) -> Cascade:
    """The second stage for a student with the cut points `student_points`, from graded queries.

    The student must not have seen the queries that its probabilities are of. Cut points of a share are
    fitted to what the process expects of all other pairs, when this share of each query is known.

    >>> draw = np.random.default_rng(5)
    >>> pairs = [QueryPairs(np.ones(9), np.ones(9), np.eye(9), draw.normal(size=(9, 2))) for _ in range(9)]
    >>> queries = [(nine, draw.integers(0, 2, 9)) for nine in pairs]
    >>> fit_cascade(queries, student_points=[0.5], seed=13).points_at(0.0)
    [0.5]
    """
    process = fit_residual_process(queries, seed, progress)
    shares, points = [0.0], [list(student_points)]
    for done, share in enumerate(_SHARES):
        progress("fitting the cut points of cascades, shares", done, len(_SHARES))
        fitted = _points_at(process, queries, share, len(student_points) + 1, seed)
        # With few pairs left, a grade may be missing among them. Its cut points would be out of reach.
        if never_given(fitted) == never_given(student_points):
            shares.append(share)
            points.append(fitted)
    return Cascade(process=process, shares=shares, cut_points=points)


def _points_at(
    process: ResidualProcess, queries: Sequence[Graded], share: float, n_grades: int, seed: int
) -> list[float]:
    """The cut points of pairs that are not known, where `share` of each query's pairs is."""
    expected, grades = list[NDArray](), list[NDArray]()
    counts = pairs_to_ask([len(pairs) for pairs, _ in queries], share, seed)
    for (pairs, listed), count in zip(queries, counts, strict=True):
        given = np.asarray(listed)
        known = choose_pairs(process, pairs, int(count))
        is_hidden = np.ones(len(pairs), dtype=bool)
        is_hidden[known] = False
        expected.append(process.posterior(pairs, known, given[known]).mean[is_hidden])
        grades.append(given[is_hidden])
    return cut_points(
        np.clip(np.concatenate(expected), 0, n_grades - 1), np.concatenate(grades), n_grades
    )
