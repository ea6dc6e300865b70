"""From a score to the probability of each grade: the cumulative logit model (McCullagh 1980).

What belongs here: fitting it, applying it, and saying how far off its probabilities are. What does not: cut points
(core/cut_points.py), which choose one grade.
"""

from collections.abc import Sequence

import numpy as np
import pydantic
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

_PRIOR = 1e-3  # keeps slope and thresholds finite where a grade never occurs or scores separate the grades
_BINS = 10


class Calibration(pydantic.BaseModel):
    """P(grade >= k | score) = sigmoid(slope * score - thresholds[k - 1]), with slope > 0 and thresholds ascending."""

    slope: float
    thresholds: list[float]

    def grade_probs(self, scores: Sequence[float] | NDArray) -> NDArray:
        """The probability of each grade, (N, n_grades); rows sum to 1."""
        values = np.asarray(scores, dtype=float)[:, None]
        at_least = expit(self.slope * values - np.asarray(self.thresholds))  # (N, n_grades - 1)
        edges = np.hstack([np.ones_like(values), at_least, np.zeros_like(values)])
        return edges[:, :-1] - edges[:, 1:]


def expected_grades(grade_probs: NDArray) -> NDArray:
    """The mean grade under each row of probabilities, (N,)."""
    return grade_probs @ np.arange(grade_probs.shape[1])


def fit_calibration(scores: Sequence[float] | NDArray, grades: Sequence[int] | NDArray, n_grades: int) -> Calibration:
    """Fit by maximum likelihood on graded scores, (N,) each, with a weak prior."""
    values, given = np.asarray(scores, dtype=float), np.asarray(grades)
    at_least = given[:, None] >= np.arange(1, n_grades)  # (N, n_grades - 1)
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    standard = (values - centre) / spread
    # The likelihood of each threshold on its own, with one shared slope and ordered thresholds, is smooth and convex enough.
    shares = np.clip(at_least.mean(axis=0), 0.5 / len(given), 1 - 0.5 / len(given))
    start_thresholds = np.maximum.accumulate(-np.log(shares / (1 - shares)) + 1e-3 * np.arange(n_grades - 1))
    start = np.concatenate([[0.0], _to_free(start_thresholds)])

    def loss(free: NDArray) -> float:
        thresholds = _to_thresholds(free[1:])
        survival = expit(np.exp(free[0]) * standard[:, None] - thresholds)
        edges = np.hstack([np.ones((len(given), 1)), survival, np.zeros((len(given), 1))])
        likelihood = np.take_along_axis(edges[:, :-1] - edges[:, 1:], given[:, None], axis=1)
        return float(-np.log(np.clip(likelihood, 1e-12, None)).mean() + _PRIOR * (free**2).sum())

    best = minimize(loss, start, method="L-BFGS-B").x
    slope = float(np.exp(best[0]))
    return Calibration(slope=slope / spread, thresholds=(_to_thresholds(best[1:]) + slope * centre / spread).tolist())


def reliability(grade_probs: NDArray, grades: Sequence[int] | NDArray) -> list[tuple[float, float, float]]:
    """(probability said, share that came true, share of all) in ten equal bins of P(grade >= k), all k pooled."""
    at_least = 1 - np.cumsum(grade_probs, axis=1)[:, :-1]  # (N, n_grades - 1)
    said = at_least.ravel()
    true = (np.asarray(grades)[:, None] >= np.arange(1, grade_probs.shape[1])).ravel()
    bins = np.minimum((said * _BINS).astype(int), _BINS - 1)
    found = ((bins == b) for b in np.unique(bins))
    return [(float(said[mine].mean()), float(true[mine].mean()), float(mine.mean())) for mine in found]


def expected_calibration_error(grade_probs: NDArray, grades: Sequence[int] | NDArray) -> float:
    """Mean gap between what was said and what came true, over the bins of `reliability`.

    The expected calibration error of Guo et al. 2017, on the cumulative probabilities of an ordinal grade; 0 to 1.
    """
    return float(sum(abs(said - true) * share for said, true, share in reliability(grade_probs, grades)))


def _to_free(thresholds: NDArray) -> NDArray:
    steps = np.diff(thresholds)
    return np.concatenate([thresholds[:1], np.log(np.maximum(steps, 1e-3))])


def _to_thresholds(free: NDArray) -> NDArray:
    return free[0] + np.concatenate([[0.0], np.cumsum(np.exp(free[1:]))])
