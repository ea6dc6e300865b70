"""The calibration to people: grade probabilities and cut points as people grade, not as the teacher does.

What belongs here: fitting it to people's grades, held near the teacher's, and fits for each query that had
not seen it. What does not: the teacher's calibration (student/calibration.py), and frames of pairs
(people_labels.py).

People may be stricter than the teacher, or tell the grades apart in other places. So the teacher's
calibration, P(grade >= k) = sigmoid(u - t_k) with u the score in its log odds, becomes

    P(grade >= k) = sigmoid(e^b (u - m) + m - t'_k)

b says how well the score separates the grades. t'_1 is t_1 moved by d, each step between two thresholds is
multiplied by e^s, and m is the mean of t. With b = d = s = 0 it is the teacher's. A normal prior holds them
there, so few grades of people change little (a maximum a posteriori estimate). Pairs of one query are alike:
each of n counts 1 / (1 + (n - 1) r), where r is their correlation (the design effect; Kish 1965).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydantic
from numpy.typing import NDArray
from scipy.optimize import minimize

from relabel_assets.benchmark.cut_points import cut_points
from relabel_assets.benchmark.people_calibrated import MIN_PEOPLE_QUERIES
from relabel_assets.student.calibration import Calibration, expected_grades

# Standard deviations of the prior of d, b and s. Halves of them learn slower from 20 queries, doubles are
# worse from 2 and 5 (docs/experiments.md).
_SHIFT_STD = 0.5
_SLOPE_STD = 0.25
_STEP_STD = 0.25
# Of a student's errors in two pairs of one query. 0 and .3 made little difference (docs/experiments.md).
_CORRELATION = 0.1
_MIN_STEP = 1e-3  # between two thresholds: its logarithm must exist
_MIN_LIKELIHOOD = 1e-12  # its logarithm must exist
_MAX_FOLDS = 10  # more folds learn from hardly more queries


class PeopleCalibration(pydantic.BaseModel):
    """A calibration and its cut points, fitted to people's grades of `n_pairs` pairs of `n_queries`.

    >>> calibration = Calibration(slope=1.0, thresholds=[0.0])
    >>> PeopleCalibration(calibration=calibration, cut_points=[0.5], n_queries=9, n_pairs=90).cut_points
    [0.5]
    """

    model_config = pydantic.ConfigDict(allow_inf_nan=False)

    calibration: Calibration
    cut_points: list[float]
    n_queries: int
    n_pairs: int

    @pydantic.model_validator(mode="after")
    def _lengths_agree(self) -> "PeopleCalibration":
        if len(self.cut_points) != len(self.calibration.thresholds):
            raise ValueError("people's cut points and thresholds do not fit each other")
        return self


@dataclass(frozen=True)
class ToPeople:
    """Turns grades that a teacher is expected to give into grades that people are expected to give.

    >>> teacher, stricter = Calibration(slope=1, thresholds=[0]), Calibration(slope=1, thresholds=[1])
    >>> people = PeopleCalibration(calibration=stricter, cut_points=[0.5], n_queries=9, n_pairs=90)
    >>> ToPeople(teacher, people).probs(np.array([0.5])).round(2).tolist()
    [[0.73, 0.27]]
    """

    teacher: Calibration
    people: PeopleCalibration

    def probs(self, expected: NDArray) -> NDArray:
        """The probability of each grade by people, (N, n_grades), from the teacher's expected grade (N,)."""
        return self.people.calibration.grade_probs(self.teacher.scores_at(expected))


@dataclass(frozen=True)
class PeopleGrades:
    """N pairs of `queries` (N,), to which a student gives `scores` (N,) and people `grades` (N,).

    A pair that no person graded has the grade NaN. It helps to place the cut points.
    """

    scores: NDArray
    grades: NDArray
    queries: Sequence[str]

    @property
    def is_graded(self) -> NDArray:
        """Whether a person graded each pair, (N,)."""
        return ~np.isnan(self.grades)

    def graded_queries(self) -> list[str]:
        """The queries of graded pairs, sorted."""
        return np.unique(np.array(self.queries)[self.is_graded]).tolist()

    def without_grades(self, queries: set[str]) -> "PeopleGrades":
        """The same pairs, none of `queries` graded."""
        is_hidden = np.array([query in queries for query in self.queries])
        return PeopleGrades(self.scores, np.where(is_hidden, np.nan, self.grades), self.queries)


def fit_to_people(people: PeopleGrades, teacher: Calibration) -> PeopleCalibration:
    """The calibration to `people`, held near the `teacher`'s.

    The cut points give each grade to as many of all pairs as the calibration expects. So they do not
    depend on which pairs people were shown.

    >>> queries = [f"q{number}" for number in range(40)]
    >>> strict = PeopleGrades(np.linspace(-1, 1, 40), np.zeros(40), queries)
    >>> fit_to_people(strict, Calibration(slope=1.0, thresholds=[0.0])).calibration.thresholds[0] > 1
    True
    """
    teacher_thresholds = np.array(teacher.thresholds)
    steps = np.maximum(np.diff(teacher_thresholds), _MIN_STEP)
    middle, is_graded = teacher_thresholds.mean(), people.is_graded
    log_odds = teacher.slope * np.asarray(people.scores, dtype=float)[is_graded]
    labels = people.grades[is_graded].astype(int)[:, None]
    weights = _weights(np.array(people.queries)[is_graded])
    spread = np.array([_SLOPE_STD, _SHIFT_STD, *np.full(len(steps), _STEP_STD)])

    def moved(free: NDArray) -> Calibration:
        """The calibration of log odds with b, d and s, `free`."""
        moved_steps = np.cumsum(steps * np.exp(free[2:]))
        thresholds = teacher_thresholds[0] + free[1] + np.concatenate([[0.0], moved_steps])
        slope = float(np.exp(free[0]))
        return Calibration(slope=slope, thresholds=(thresholds + (slope - 1) * middle).tolist())

    def loss(free: NDArray) -> float:
        likelihood = np.take_along_axis(moved(free).grade_probs(log_odds), labels, axis=1)[:, 0]
        log_likelihood = weights @ np.log(np.clip(likelihood, _MIN_LIKELIHOOD, None))
        return float(((free / spread) ** 2).sum() / 2 - log_likelihood)

    best = moved(minimize(loss, np.zeros(len(spread)), method="L-BFGS-B").x)
    calibration = Calibration(slope=best.slope * teacher.slope, thresholds=best.thresholds)
    return PeopleCalibration(
        calibration=calibration,
        cut_points=_points_of_expected_shares(calibration.grade_probs(people.scores)),
        n_queries=len(people.graded_queries()),
        n_pairs=len(labels),
    )


def cross_fitted(
    people: PeopleGrades, teacher: Calibration, seed: int
) -> dict[str, PeopleCalibration]:
    """The calibration of each graded query, fitted to people's grades of other queries alone.

    At most ten folds over queries; `seed` draws them. Empty for a single query.

    >>> people = PeopleGrades(np.zeros(3), np.array([0.0, 1.0, 1.0]), ["a", "b", "c"])
    >>> fits = cross_fitted(people, Calibration(slope=1.0, thresholds=[0.0]), seed=13)
    >>> fits["a"].calibration.thresholds < fits["b"].calibration.thresholds
    True
    """
    names = people.graded_queries()
    if len(names) < MIN_PEOPLE_QUERIES:
        return {}
    n_folds = min(_MAX_FOLDS, len(names))
    shuffled = np.random.default_rng(seed).permutation(names).tolist()
    fits = dict[str, PeopleCalibration]()
    for fold in range(n_folds):
        held_out = shuffled[fold::n_folds]
        fit = fit_to_people(people.without_grades(set(held_out)), teacher)
        fits |= dict.fromkeys(held_out, fit)
    return fits


def _weights(queries: NDArray) -> NDArray:
    """How much each pair counts, (N,): n pairs of one query as n / (1 + (n - 1) r) independent ones."""
    _, query_of_row, n_pairs = np.unique(queries, return_inverse=True, return_counts=True)
    return 1 / (1 + (n_pairs[query_of_row] - 1) * _CORRELATION)


def _points_of_expected_shares(grade_probs: NDArray) -> list[float]:
    """Cut points that give each grade as often as `grade_probs` (N, n_grades) expect it."""
    n_below = np.round(np.cumsum(grade_probs.sum(axis=0))[:-1])
    as_frequent = np.searchsorted(n_below, np.arange(len(grade_probs)), side="right")
    return cut_points(expected_grades(grade_probs), as_frequent, grade_probs.shape[1])
