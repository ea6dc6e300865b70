"""Metrics as ratios of two totals over the pool, and what each pair contributes to either.

What belongs here: metrics that are linear in people's grades: mean grade, precision, agreement. What does
not: NDCG, which is not (ndcg_model.py), and their estimates (prediction_powered.py).

With weights w(a, b), kappa = 1 - D / E (Cohen 1968). D is the sum of w over the pairs. E = sum of c(a) over
the pairs of people's grade a, where c(a) is the mean of w(a, b) over the labeler's grades b. Those are known
of every pair. So both are totals over people's grades.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relabel_assets.benchmark.labelers import POOL_PEOPLE
from relabel_assets.benchmark.pool.graded_sample import Floats, GradedSample, Ints

# Of kappa, in which a rare disagreement counts in full. Measured on support_desk with 100 grades: with none
# its interval covers the truth in 91.7 % of 300 samples, with a quarter in 95.3 %.
_PRIOR_PAIRS = 0.25


@dataclass(frozen=True)
class Contributions:
    """What the pairs of a pool contribute to a total, as far as it is known.

    The total is estimated as known + L predicted + sum over graded pairs of weight x (seen - L predicted).
    L is a number from 0 (people alone) to 1.
    """

    table: Floats  # (n, K) of each graded pair, if people's grade were 0 to K - 1
    predicted: Floats  # (n,) of each graded pair, expected by the student
    predicted_of_query: Floats  # (Q,) the same over all pairs of each query
    known_of_query: Floats  # (Q,) what is known without any correction

    def weighted(self, weight: Floats, query: Ints) -> "Contributions":
        """The same where a query counts `weight` times, (Q,). `query` (n,): those of the graded pairs."""
        of_pair = weight[query]
        return Contributions(
            self.table * of_pair[:, None],
            self.predicted * of_pair,
            self.predicted_of_query * weight,
            self.known_of_query * weight,
        )


@dataclass(frozen=True)
class Ratio:
    """A metric: constant + sign x numerator / denominator, within `limits`.

    `prior_pairs`: of GradedSample.floor, for its variance. `inflation`: of that variance, for what the
    totals leave out. `weight`: how much a query counts, (Q,).
    """

    numerator: Contributions
    denominator: Contributions
    limits: tuple[float, float]
    constant: float = 0.0
    sign: float = 1.0
    prior_pairs: float = 0.0
    inflation: float = 1.0
    weight: Floats | None = None

    def weighted(self, weight: Floats, query: Ints) -> "Ratio":
        """The same metric where a query counts `weight` times, (Q,). `query` (n,): of the graded pairs."""
        top, bottom = (part.weighted(weight, query) for part in (self.numerator, self.denominator))
        return replace(self, numerator=top, denominator=bottom, weight=weight)

    def negated(self) -> "Ratio":
        """Minus this metric, as a term of a difference."""
        return replace(self, constant=-self.constant, sign=-self.sign)


def linear_metrics(
    probs: Floats,
    query: Ints,
    labels: Mapping[str, Ints],
    tops: Mapping[str, NDArray[np.bool_]],
    sample: GradedSample,
    *,
    weight: Floats | None = None,
    relevant: int = 2,
) -> dict[tuple[str, str], Ratio]:
    """The metrics of each labeler, by labeler and name; ("people", "mean_grade") is that of the pool.

    `weight` (Q,): how much a query counts; each once by default.

    `probs` (N, K): the student's probability of each grade of each pair of the pool. `query` (N,).
    `labels`: each labeler's grades (N,), -1 where it gave none: these pairs do not count. `tops`: which
    pairs are in the top 10 of its ranking, (N,). precision@10 is the share of these with a grade of
    `relevant` at least.

    >>> sample = GradedSample(np.array([0]), np.array([1]), np.array([0]), np.array([0]), np.array([2.0]), 1)
    >>> probs, query = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 0])
    >>> metrics = linear_metrics(probs, query, {"student": np.array([1, 0])}, {}, sample)
    >>> [name for _, name in metrics]
    ['mean_grade', 'kappa', 'kappa_quadratic', 'within_one']
    >>> metrics["people", "mean_grade"].numerator.predicted_of_query
    array([0.5])
    """
    n_pairs, n_grades = probs.shape
    weight = np.ones(sample.n_queries) if weight is None else weight
    grades, ones = np.arange(n_grades), np.ones((n_pairs, n_grades))

    def ratio(top: Floats, bottom: Floats, limits: tuple[float, float]) -> Ratio:
        of_top, of_bottom = (linear(part, probs, query, sample) for part in (top, bottom))
        return Ratio(of_top, of_bottom, limits).weighted(weight, sample.query)

    mean = ratio(ones * grades, ones, (0, n_grades - 1))
    metrics = {(POOL_PEOPLE, "mean_grade"): mean}
    apart = np.abs(grades[:, None] - grades[None, :])
    costs = {"kappa": (apart > 0).astype(float), "kappa_quadratic": apart.astype(float) ** 2}
    for labeler, given in labels.items():
        has_grade = np.where(given[:, None] >= 0, ones, 0.0)
        counts = np.bincount(given[given >= 0], weight[query[given >= 0]], n_grades)
        shares = counts / max(counts.sum(), 1e-12)
        for name, cost in costs.items():
            by_chance = has_grade * (cost @ shares)
            disagreement = ratio(has_grade * cost[given], by_chance, (-np.inf, 1))
            prior = _PRIOR_PAIRS if name == "kappa" else 0.0
            metrics[labeler, name] = replace(
                disagreement, constant=1.0, sign=-1.0, prior_pairs=prior
            )
        within_one = has_grade * (apart <= 1)[given]
        metrics[labeler, "within_one"] = ratio(within_one, has_grade, (0, 1))
    for labeler, is_top in tops.items():
        domain = np.where(is_top[:, None], ones, 0.0)
        metrics[labeler, "precision@10"] = ratio(domain * (grades >= relevant), domain, (0, 1))
    return metrics


def linear(values: Floats, probs: Floats, query: Ints, sample: GradedSample) -> Contributions:
    """The contributions of a total of `values` (N, K), a value of each pair and grade.

    >>> sample = GradedSample(np.array([1]), np.array([1]), np.array([0]), np.array([0]), np.array([2.0]), 1)
    >>> total = linear(np.array([[0.0, 1.0]] * 2), np.array([[1, 0], [0.4, 0.6]]), np.array([0, 0]), sample)
    >>> total.predicted, total.predicted_of_query
    (array([0.6]), array([0.6]))
    """
    expected = (values * probs).sum(axis=1)
    of_query = np.bincount(query, expected, sample.n_queries).astype(np.float64)
    graded = sample.position
    return Contributions(values[graded], expected[graded], of_query, np.zeros(sample.n_queries))
