"""Prediction-powered estimates of ratios of totals, from a sample with known chances.

What belongs here: the estimate, its power tuning and its intervals. What does not: the design of the sample
(graded_sample.py), and what a metric sums up (contributions.py, ndcg_model.py).

A total over the pool is estimated as the sum of the student's predictions and the weighted sum of people's
corrections: the difference estimator of survey sampling (Särndal, Swensson & Wretman 1992, eq. 6.3.1), which
prediction-powered inference is for samples with known chances (Angelopoulos et al. 2023; Zrnic & Candès
2024, "Active Statistical Inference"). Predictions count L times, and L is the least-squares coefficient in
which the estimated variance is smallest (PPI++: Angelopoulos, Duchi & Zrnic 2023, eq. 10). A ratio is
linearized (Särndal et al. 1992, sec. 5.6).

Libraries were tried: ppi-python 0.2 knows neither strata nor a finite pool, and glide-py 0.11 needs Python
3.12, two ungraded pairs in every stratum, and has no ratios and no finite pool either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from relabel_assets.benchmark.pool.contributions import Contributions, Ratio
from relabel_assets.benchmark.pool.graded_sample import Floats, GradedSample

_LEVEL = 0.975  # upper end of a 95 % interval
# What it takes to tell a metric, of the graded pairs that count in it. Measured on trec_dl: the interval of
# a top 10 with five graded pairs covers the truth in 55 to 72 of 100 samples. So does one in which two
# pairs stand for nearly all: Kish's effective number (1965) is (sum of weights)^2 / sum of squares.
MIN_GRADES, _MIN_EFFECTIVE = 20, 10
# The pairs that count are known. A sample that stands for far fewer or more of them has missed a part.
_MOST_ASTRAY = 0.25


@dataclass(frozen=True)
class Interval:
    """A 95 % interval and the variance behind it. The ends are NaN where it cannot be told."""

    low: float
    high: float
    variance: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Estimate:
    """A metric of the pool. `pool` is of these queries, `new_queries` of queries like them."""

    value: float
    pool: Interval
    new_queries: Interval
    tuning: float  # L: 0 is people alone


def estimate(
    terms: Sequence[Ratio], sample: GradedSample, *, tuning: float | None = None
) -> Estimate:
    """The sum of `terms`: one metric, or two for a paired difference (negated); with 95 % intervals.

    `tuning` fixes L; by default it is tuned between 0 and 1. L is 0 where tuning does not make the interval
    narrower after the degree of freedom that it costs. So the interval is never wider than people's alone.

    With fewer than 20 graded pairs that count in a metric, or where a few of them stand for nearly all, its
    intervals are NaN: it cannot be told.

    `pool`: the pairs that nobody graded are what is not known. `new_queries`: queries are not known either;
    the variance is that of the totals by query (Cochran 1977, sec. 11.3, sampling with replacement). So is
    that of the pool where people stopped early.

    The two pairs of a pool, of which people graded the first as 1, where the student expected 0.5:

    >>> from relabel_assets.benchmark.pool.contributions import linear_metrics
    >>> sample = GradedSample(np.array([0]), np.array([1]), np.array([0]), np.array([0]), np.array([2.0]), 1)
    >>> probs, query = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 0])
    >>> metric = linear_metrics(probs, query, {}, {}, sample)["people", "mean_grade"]
    >>> estimate([metric], sample, tuning=1.0).value  # (0.5 + 2 x (1 - 0.5)) / 2
    0.75
    """
    shares = _shares_of_grades(sample, terms[0].numerator.table.shape[1])
    alone = _estimate(terms, sample, 0.0, shares, n_tuned=0)
    if tuning is not None:
        return alone if tuning == 0 else _estimate(terms, sample, tuning, shares, n_tuned=0)
    start = _linearized(terms, sample, 1.0)
    spread = sample.covariance(start.predicted, start.predicted)
    best = sample.covariance(start.seen, start.predicted) / spread if spread > 0 else 0.0
    best = float(np.clip(np.nan_to_num(best), 0, 1))
    if not best:
        return alone
    tuned = _estimate(terms, sample, best, shares, n_tuned=1)
    return tuned if tuned.pool.half_width < alone.pool.half_width else alone


@dataclass(frozen=True)
class _Linearized:
    """What each pair adds to the sum of the terms, around the estimated value."""

    value: float
    table: Floats  # (n, K)
    seen: Floats  # (n,)
    predicted: Floats  # (n,)
    of_query: Floats  # (Q,) known and predicted, without the correction


def _total(part: Contributions, sample: GradedSample, tuning: float) -> float:
    seen = part.table[np.arange(len(sample.grade)), sample.grade]
    corrections = sample.weights @ (seen - tuning * part.predicted)
    return float(part.known_of_query.sum() + tuning * part.predicted_of_query.sum() + corrections)


def _linearized(terms: Sequence[Ratio], sample: GradedSample, tuning: float) -> _Linearized:
    first = terms[0].numerator
    value, table = 0.0, np.zeros_like(first.table)
    predicted, of_query = np.zeros_like(first.predicted), np.zeros_like(first.known_of_query)
    for term in terms:
        top, bottom = term.numerator, term.denominator
        size = _total(bottom, sample, tuning)
        ratio = _total(top, sample, tuning) / size if size > 0 else float("nan")
        scale = term.sign / size if size > 0 else float("nan")
        value += term.constant + term.sign * ratio
        table = table + scale * (top.table - ratio * bottom.table)
        predicted = predicted + scale * (top.predicted - ratio * bottom.predicted)
        of_query = of_query + scale * (
            top.known_of_query
            - ratio * bottom.known_of_query
            + tuning * (top.predicted_of_query - ratio * bottom.predicted_of_query)
        )
    seen = table[np.arange(len(sample.grade)), sample.grade]
    return _Linearized(value, table, seen, predicted, of_query)


def _estimate(
    terms: Sequence[Ratio], sample: GradedSample, tuning: float, shares: Floats, n_tuned: int
) -> Estimate:
    linear = _linearized(terms, sample, tuning)
    residual = linear.seen - tuning * linear.predicted
    deviation = linear.table - tuning * linear.predicted[:, None]  # (n, K)
    spread = deviation**2 @ shares - (deviation @ shares) ** 2
    lacking = sample.floor(spread, residual, terms[0].prior_pairs)
    variance = terms[0].inflation * (sample.covariance(residual, residual) + lacking)
    free = sample.degrees_of_freedom(residual)
    if not sample.is_census and any(_is_thin(term, sample) for term in terms):
        variance = float("nan")
    left = len(sample.grade) - len(sample.group_sizes)
    if n_tuned and left > n_tuned:
        variance *= left / (left - n_tuned)
    of_query = linear.of_query + np.bincount(
        sample.query, sample.weights * residual, sample.n_queries
    )
    q = sample.n_queries
    between = q * float(np.var(of_query, ddof=1)) if q > 1 else float("nan")
    of_both = float(np.maximum(between, variance))  # NaN where either is
    if sample.is_unfinished:
        variance = of_both
    limits = _limits(terms)
    return Estimate(
        value=float(np.clip(linear.value, *limits)),
        pool=_interval(linear.value, variance, free, limits),
        new_queries=_interval(linear.value, of_both, min(free, q - 1), limits),
        tuning=tuning,
    )


def _interval(value: float, variance: float, free: float, limits: tuple[float, float]) -> Interval:
    if not np.isfinite(variance) or (free < 1 and variance > 0):
        return Interval(float("nan"), float("nan"), float("nan"))
    half = float(stdtrit(np.clip(free, 1, 1e9), _LEVEL)) * max(variance, 0.0) ** 0.5
    low, high = np.clip([value - half, value + half], *limits)
    return Interval(float(low), float(high), variance)


def _is_thin(term: Ratio, sample: GradedSample) -> bool:
    """Whether too few of the graded pairs count in a metric, as in precision@10 those of the top 10 do."""
    bottom = term.denominator
    counts = ((term.numerator.table != 0) | (bottom.table != 0)).any(axis=1)
    weights = sample.weights * (1.0 if term.weight is None else term.weight[sample.query])
    weights = weights[counts]
    if counts.sum() < MIN_GRADES or weights.sum() ** 2 < _MIN_EFFECTIVE * (weights**2).sum():
        return True
    is_known = bool((bottom.table == bottom.table[:, :1]).all())  # whatever people say
    if not is_known or bottom.known_of_query.any():
        return False
    size, found = bottom.predicted_of_query.sum(), sample.weights @ bottom.table[:, 0]
    return bool(abs(found - size) > _MOST_ASTRAY * size)


def _limits(terms: Sequence[Ratio]) -> tuple[float, float]:
    """Those of the metric; those of a difference are unlimited."""
    return terms[0].limits if len(terms) == 1 else (-np.inf, np.inf)


def _shares_of_grades(sample: GradedSample, n_grades: int) -> Floats:
    """(K,) the estimated shares of people's grades over the pool, with one pair of each grade added.

    So that no grade is impossible because few pairs show none.
    """
    counts = np.bincount(sample.grade, sample.weights, n_grades)
    counts = counts / max(counts.sum(), 1e-12) * len(sample.grade) + 1.0
    return counts / counts.sum()
