"""The calibration: a probability of each grade from a score.

What belongs here: fitting the cumulative logit model (McCullagh 1980), applying it, and measuring
the error of its probabilities. What does not: choosing one grade (benchmark/cut_points.py).
"""

from collections.abc import Sequence

import numpy as np
import pydantic
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

# The weight of the squared parameters in the loss. Without it they would be infinite where a grade
# never occurs, or where scores separate the grades without an error. Not measured: small, to be felt
# in these cases alone.
_PRIOR_WEIGHT = 1e-3
_MIN_STEP = 1e-3  # between two thresholds at the start of the search: its logarithm must exist
_MIN_LIKELIHOOD = 1e-12  # its logarithm must exist
_FAR_LOG_ODDS = 36.0  # from here on, a double cannot tell a probability from 0 or 1
_BISECTIONS = 60  # each halves the error of a score
_N_BINS = 10  # as is usual for reliability diagrams: bins of 10 %


class Calibration(pydantic.BaseModel):
    """The model P(grade >= k | score) = sigmoid(slope * score - thresholds[k - 1]).

    `slope` is positive and `thresholds` ascend.

    >>> calibration = Calibration(slope=1.0, thresholds=[0.0])
    >>> calibration.grade_probs([0.0]).tolist()
    [[0.5, 0.5]]
    """

    model_config = pydantic.ConfigDict(allow_inf_nan=False)

    slope: float
    thresholds: list[float]

    def grade_probs(self, scores: Sequence[float] | NDArray) -> NDArray:
        """The probability of each grade, (N, n_grades), for scores (N,); rows sum to 1."""
        values = np.asarray(scores, dtype=float)[:, None]
        at_least = expit(self.slope * values - np.asarray(self.thresholds))  # (N, n_grades - 1)
        return _probs_of_grades(at_least)

    def scores_at(self, expected: Sequence[float] | NDArray) -> NDArray:
        """The score whose expected grade is each of `expected`, (N,): the reverse of grade_probs.

        An expected grade that no score has, such as the greatest grade, gets a score far outside.

        >>> calibration = Calibration(slope=2.0, thresholds=[0.0, 1.0])
        >>> calibration.scores_at(expected_grades(calibration.grade_probs([-1.0, 0.3]))).round(6).tolist()
        [-1.0, 0.3]
        """
        values, thresholds = np.asarray(expected, dtype=float), np.asarray(self.thresholds)
        low = np.full(len(values), (thresholds.min() - _FAR_LOG_ODDS) / self.slope)
        high = np.full(len(values), (thresholds.max() + _FAR_LOG_ODDS) / self.slope)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            is_below = expit(self.slope * middle[:, None] - thresholds).sum(axis=1) < values
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
        return (low + high) / 2


def expected_grades(grade_probs: NDArray) -> NDArray:
    """The mean grade of each row of probabilities, (N,), from (N, n_grades).

    >>> expected_grades(np.array([[0.5, 0.0, 0.5]])).tolist()
    [1.0]
    """
    return grade_probs @ np.arange(grade_probs.shape[1])


def fit_calibration(
    scores: Sequence[float] | NDArray, grades: Sequence[int] | NDArray, n_grades: int
) -> Calibration:
    """The calibration with the greatest likelihood of `grades` (N,) given `scores` (N,).

    A weak prior keeps its parameters finite.

    >>> calibration = fit_calibration([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], n_grades=2)
    >>> expected_grades(calibration.grade_probs([0.1, 0.9])).round().tolist()
    [0.0, 1.0]
    """
    values, labels = np.asarray(scores, dtype=float), np.asarray(grades)
    # With standardized scores, the same prior and the same start fit scores of any unit.
    mean, std = float(values.mean()), float(values.std()) or 1.0
    standard = (values - mean) / std
    is_at_least = labels[:, None] >= np.arange(1, n_grades)  # (N, n_grades - 1)
    # The start ignores scores: each threshold is the log odds of a grade below k. Where all or no
    # pairs reach grade k, half a pair is added or taken, which keeps the odds finite.
    shares = np.clip(is_at_least.mean(axis=0), 0.5 / len(labels), 1 - 0.5 / len(labels))
    log_odds = -np.log(shares / (1 - shares)) + _MIN_STEP * np.arange(n_grades - 1)
    start = np.concatenate([[0.0], _to_free(np.maximum.accumulate(log_odds))])

    def loss(free: NDArray) -> float:
        """The mean negative log likelihood plus the prior; `free` is (log slope, *_to_free())."""
        at_least = expit(np.exp(free[0]) * standard[:, None] - _to_thresholds(free[1:]))
        probs = _probs_of_grades(at_least)
        likelihood = np.take_along_axis(probs, labels[:, None], axis=1)
        log_likelihood = np.log(np.clip(likelihood, _MIN_LIKELIHOOD, None)).mean()
        return float(-log_likelihood + _PRIOR_WEIGHT * (free**2).sum())

    best = minimize(loss, start, method="L-BFGS-B").x
    slope = float(np.exp(best[0]))
    # In the unit of `scores`: slope * (score - mean) / std - threshold.
    thresholds = _to_thresholds(best[1:]) + slope * mean / std
    return Calibration(slope=slope / std, thresholds=thresholds.tolist())


def reliability(
    grade_probs: NDArray, grades: Sequence[int] | NDArray
) -> list[tuple[float, float, float]]:
    """The reliability diagram: (mean probability, observed frequency, share of all) for each bin.

    Ten equal bins of P(grade >= k), all k together; empty bins are left out.

    >>> reliability(np.array([[0.25, 0.75], [0.25, 0.75]]), [1, 0])
    [(0.75, 0.5, 1.0)]
    """
    at_least = 1 - np.cumsum(grade_probs, axis=1)[:, :-1]  # (N, n_grades - 1)
    predicted = at_least.ravel()
    observed = (np.asarray(grades)[:, None] >= np.arange(1, grade_probs.shape[1])).ravel()
    bins = np.minimum((predicted * _N_BINS).astype(int), _N_BINS - 1)  # 1.0 belongs to the last bin
    in_bin = [bins == number for number in np.unique(bins)]
    return [
        (float(predicted[mask].mean()), float(observed[mask].mean()), float(mask.mean()))
        for mask in in_bin
    ]


def expected_calibration_error(grade_probs: NDArray, grades: Sequence[int] | NDArray) -> float:
    """The expected calibration error (Guo et al. 2017) of cumulative probabilities, 0 to 1.

    It is the mean gap between mean probability and observed frequency in the bins of `reliability`.

    >>> expected_calibration_error(np.array([[0.25, 0.75], [0.25, 0.75]]), [1, 0])
    0.25
    """
    bins = reliability(grade_probs, grades)
    return float(sum(abs(predicted - observed) * share for predicted, observed, share in bins))


def _probs_of_grades(at_least: NDArray) -> NDArray:
    """P(grade = k), (N, n_grades), from P(grade >= k) for k from 1, (N, n_grades - 1)."""
    ones, zeros = np.ones((len(at_least), 1)), np.zeros((len(at_least), 1))
    edges = np.hstack([ones, at_least, zeros])
    return edges[:, :-1] - edges[:, 1:]


def _to_free(thresholds: NDArray) -> NDArray:
    """Ascending thresholds as unconstrained numbers: the first, then the logarithm of each step."""
    steps = np.diff(thresholds)
    return np.concatenate([thresholds[:1], np.log(np.maximum(steps, _MIN_STEP))])


def _to_thresholds(free: NDArray) -> NDArray:
    """The reverse of _to_free: ascending thresholds from any numbers."""
    return free[0] + np.concatenate([[0.0], np.cumsum(np.exp(free[1:]))])
