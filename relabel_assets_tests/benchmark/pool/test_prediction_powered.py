"""Prediction-powered estimates: by hand on small pools, a census, power tuning, and coverage."""

import numpy as np
import pytest

from relabel_assets.benchmark.metrics import kappa
from relabel_assets.benchmark.pool.contributions import Ratio, linear_metrics
from relabel_assets.benchmark.pool.graded_sample import GradedSample, merged
from relabel_assets.benchmark.pool.prediction_powered import MIN_GRADES, estimate


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def mean_grade(probs: np.ndarray, query: np.ndarray, sample: GradedSample) -> Ratio:
    return linear_metrics(probs, query, {}, {}, sample)["people", "mean_grade"]


def census(grade: np.ndarray, query: np.ndarray) -> GradedSample:
    everything = np.arange(len(grade))
    return GradedSample(
        everything,
        grade,
        query,
        np.zeros_like(grade),
        np.array([float(len(grade))]),
        query.max() + 1,
    )


# Two strata: 4 pairs of which 2 are graded, and 2 pairs of which 1 is.
SIX = GradedSample(
    position=ints(0, 1, 4), grade=ints(1, 0, 1), query=ints(0, 0, 1), group=ints(0, 0, 1),
    group_sizes=np.array([4.0, 2.0]), n_queries=2,
)  # fmt: skip
SIX_QUERIES = ints(0, 0, 0, 1, 1, 1)
SIX_PROBS = np.array([[0.5, 0.5], [0.5, 0.5], [1, 0], [1, 0], [0, 1], [0.2, 0.8]], dtype=float)


def test_people_alone_is_the_stratified_mean() -> None:
    """(4 x (1 + 0) / 2 + 2 x 1) / 6."""
    metric = mean_grade(SIX_PROBS, SIX_QUERIES, SIX)
    assert estimate([metric], SIX, tuning=0.0).value == pytest.approx(4 / 6)


def test_predictions_count_for_all_pairs_and_people_correct_them() -> None:
    """Predictions: .5 + .5 + 0 + 0 + 1 + .8. Corrections: 2 x .5 + 2 x -.5 + 2 x 0."""
    metric = mean_grade(SIX_PROBS, SIX_QUERIES, SIX)
    assert estimate([metric], SIX, tuning=1.0).value == pytest.approx(2.8 / 6)


def test_the_variance_of_a_stratum_is_that_of_sampling_without_replacement() -> None:
    """4^2 x (1 - 2/4) / 2 x 0.5 of the first; one pair alone has no variance that could be seen."""
    values = SIX.grade.astype(float)
    assert SIX.covariance(values, values) == pytest.approx(2.0)


def test_whole_queries_vary_between_and_within() -> None:
    """2 of 4 queries: totals 2 and 0; in the first 1 of 2 pairs is graded twice over, as 1 and 1."""
    sample = GradedSample(
        position=ints(0, 1, 4, 5), grade=ints(1, 0, 0, 0), query=ints(0, 0, 1, 1),
        group=ints(0, 0, 1, 1), group_sizes=np.array([4.0, 2.0]), n_queries=4, is_by_query=True,
    )  # fmt: skip
    values = sample.grade.astype(float)
    between = 4**2 * (1 - 2 / 4) / 2 * 2.0  # totals of the queries: 4 x 1/2 and 0, variance 2
    within = 4**2 * (1 - 2 / 4) / 2 * 0.5
    assert sample.covariance(values, values) == pytest.approx(between + 2 * within)
    assert sample.weights.tolist() == [4.0, 4.0, 2.0, 2.0]


def test_one_drawn_query_tells_nothing() -> None:
    sample = GradedSample(
        np.arange(30),
        np.arange(30) % 2,
        np.zeros(30, int),
        np.zeros(30, int),
        np.array([30.0]),
        5,
        True,
    )
    probs, query = np.full((150, 2), 0.5), np.repeat(np.arange(5), 30)
    assert np.isnan(estimate([mean_grade(probs, query, sample)], sample).pool.low)


def test_a_census_is_the_truth_with_no_width_and_new_queries_still_vary() -> None:
    draw = np.random.default_rng(3)
    query, grade = np.repeat(np.arange(5), 8), draw.integers(0, 4, 40)
    given, probs = draw.integers(0, 4, 40), draw.dirichlet(np.ones(4), 40)
    sample = census(grade, query)
    metrics = linear_metrics(probs, query, {"student": given}, {"student": grade > 1}, sample)
    estimates = {name: estimate([ratio], sample) for (_, name), ratio in metrics.items()}
    truth = {
        "mean_grade": grade.mean(),
        "kappa": kappa(grade, given),
        "kappa_quadratic": kappa(grade, given, "quadratic"),
        "within_one": (np.abs(grade - given) <= 1).mean(),
        "precision@10": 1.0,
    }
    for name, value in truth.items():
        assert estimates[name].value == pytest.approx(value), name
        assert estimates[name].pool.half_width == pytest.approx(0, abs=1e-9)
    assert estimates["kappa"].new_queries.half_width > 0.01


def test_pairs_without_a_grade_of_the_labeler_do_not_count() -> None:
    query, grade = np.zeros(30, int), np.arange(30) % 3
    given = np.where(np.arange(30) < 10, -1, grade)
    sample = census(grade, query)
    metrics = linear_metrics(np.full((30, 3), 1 / 3), query, {"teacher": given}, {}, sample)
    assert estimate([metrics["teacher", "kappa"]], sample).value == pytest.approx(1.0)
    assert estimate([metrics["teacher", "within_one"]], sample).value == pytest.approx(1.0)


def drawn(
    draw: np.random.Generator, grade: np.ndarray, query: np.ndarray, group: np.ndarray, n: list[int]
) -> GradedSample:
    """A stratified simple random sample."""
    places = [
        draw.choice(np.flatnonzero(group == stratum), size, replace=False)
        for stratum, size in enumerate(n)
    ]
    at = np.sort(np.concatenate(places))
    sizes = np.bincount(group).astype(float)
    return GradedSample(at, grade[at], query[at], group[at], sizes, int(query.max()) + 1)


def pool_of(n: int, *, is_noise: bool) -> tuple[np.ndarray, ...]:
    """Probabilities, grades, queries and strata. The student is calibrated, or knows nothing."""
    draw = np.random.default_rng(11)
    probs = draw.dirichlet([1.0, 0.5, 0.3, 0.3], n)
    told = draw.permuted(probs, axis=0) if is_noise else probs
    grade = (draw.random(n)[:, None] > probs.cumsum(axis=1)[:, :-1]).sum(axis=1)
    group = (probs @ np.arange(4) > 1).astype(int)
    return told, grade, np.arange(n) // 20, group


def test_power_tuning_ignores_predictions_that_are_noise() -> None:
    probs, grade, query, group = pool_of(1000, is_noise=True)
    draw, tunings = np.random.default_rng(5), []
    for _ in range(40):
        sample = drawn(draw, grade, query, group, [100, 100])
        tunings.append(estimate([mean_grade(probs, query, sample)], sample).tuning)
    assert np.median(tunings) == 0 and np.mean(tunings) < 0.1


@pytest.mark.parametrize("is_noise", [True, False])
def test_the_interval_is_never_wider_than_that_of_people_alone(is_noise: bool) -> None:
    probs, grade, query, group = pool_of(400, is_noise=is_noise)
    draw, shares = np.random.default_rng(5), []
    for _ in range(60):
        sample = drawn(draw, grade, query, group, [15, 15])
        metrics = linear_metrics(probs, query, {"student": probs.argmax(axis=1)}, {}, sample)
        for ratio in metrics.values():
            alone = estimate([ratio], sample, tuning=0.0).pool.half_width
            shares.append(estimate([ratio], sample).pool.half_width / alone)
    assert max(shares) <= 1 + 1e-9
    assert is_noise or np.mean(shares) < 0.97


def test_intervals_cover_the_truth_as_often_as_they_promise() -> None:
    """300 samples of 60 of 1,000 pairs. 15 should miss; 5 to 27 are within three standard errors."""
    probs, grade, query, group = pool_of(1000, is_noise=False)
    given = probs.argmax(axis=1)
    everything = census(grade, query)
    truth = {
        key: estimate([ratio], everything).value
        for key, ratio in linear_metrics(probs, query, {"student": given}, {}, everything).items()
    }
    draw, missed = np.random.default_rng(5), dict.fromkeys(truth, 0)
    for _ in range(300):
        sample = drawn(draw, grade, query, group, [30, 30])
        for key, ratio in linear_metrics(probs, query, {"student": given}, {}, sample).items():
            interval = estimate([ratio], sample).pool
            missed[key] += not interval.low <= truth[key] <= interval.high
    assert all(5 <= count <= 27 for count in missed.values()), missed


def test_errors_that_no_grade_shows_are_not_ruled_out() -> None:
    """30 of 300 pairs without an error: the share of pairs within one grade may be below 1."""
    query, grade = np.arange(300) // 10, np.zeros(300, int)
    sample = GradedSample(np.arange(30), grade[:30], query[:30], grade[:30], np.array([300.0]), 30)
    metrics = linear_metrics(
        np.tile([0.9, 0.1, 0, 0], (300, 1)), query, {"student": grade}, {}, sample
    )
    interval = estimate([metrics["student", "within_one"]], sample).pool
    assert 0.9 < interval.low < 0.999 and interval.high == 1


def is_told(is_top: np.ndarray) -> bool:
    """Whether precision can be told of 100 pairs, of which people graded 25 in each of two strata."""
    query, grade = np.zeros(100, int), np.arange(100) % 4
    at = np.flatnonzero(np.arange(100) % 50 < 25)
    sample = GradedSample(at, grade[at], query[at], at // 50, np.array([50.0, 50.0]), 1)
    metrics = linear_metrics(np.full((100, 4), 0.25), query, {}, {"student": is_top}, sample)
    return bool(np.isfinite(estimate([metrics["student", "precision@10"]], sample).pool.low))


def test_a_metric_with_fewer_than_twenty_counted_grades_cannot_be_told() -> None:
    places = np.arange(100)
    graded_and_not = [places[:MIN_GRADES], places[25 : 25 + MIN_GRADES]]
    assert is_told(np.isin(places, np.concatenate(graded_and_not)))
    assert not is_told(np.isin(places, np.concatenate([graded_and_not[0][1:], graded_and_not[1]])))


def test_a_sample_that_missed_a_part_of_what_counts_cannot_tell() -> None:
    """The graded pairs stand for 40. If 50 count, a fifth is missing; if 60, a third."""
    places = np.arange(100)
    assert is_told((places < 20) | ((places >= 25) & (places < 50) | (places >= 95)))
    assert not is_told((places < 20) | ((places >= 25) & (places < 50) | (places >= 85)))


def test_a_few_grades_that_stand_for_nearly_all_cannot_tell() -> None:
    """25 grades that stand for 25 pairs, and 8 or 12 that stand for 100 each."""
    for n_heavy, told in ((8, False), (12, True)):
        n_pairs, group = 25 + 100 * n_heavy, np.repeat([0, 1], [25, n_heavy])
        at, grade = np.arange(25 + n_heavy), np.arange(25 + n_heavy) % 4
        query = np.zeros(n_pairs, int)
        sample = GradedSample(at, grade[at], query[at], group, np.array([25.0, 100.0 * n_heavy]), 1)
        metric = mean_grade(np.full((n_pairs, 4), 0.25), query, sample)
        assert bool(np.isfinite(estimate([metric], sample).pool.low)) is told


def test_a_paired_difference_is_surer_than_its_parts() -> None:
    probs, grade, query, group = pool_of(1000, is_noise=False)
    draw = np.random.default_rng(5)
    given = probs.argmax(axis=1)
    nearly = np.where(np.arange(1000) % 50 == 0, (given + 1) % 4, given)
    sample = drawn(draw, grade, query, group, [60, 60])
    metrics = linear_metrics(probs, query, {"a": given, "b": nearly}, {}, sample)
    first, second = metrics["a", "kappa"], metrics["b", "kappa"]
    difference = estimate([first, second.negated()], sample, tuning=0.0)
    parts = [estimate([part], sample, tuning=0.0) for part in (first, second)]
    assert difference.value == pytest.approx(parts[0].value - parts[1].value)
    assert difference.pool.half_width < 0.5 * parts[0].pool.half_width


def test_a_stratum_that_nobody_graded_joins_the_one_with_the_nearest_name() -> None:
    names = ["student 0, top 10", "student 2", "student 2, top 10, unsure", "student 3"]
    into, sizes = merged(names, np.array([10.0, 20.0, 5.0, 7.0]), np.array([3, 4, 0, 2]))
    assert (into.tolist(), sizes.tolist()) == ([0, 1, 1, 2], [10.0, 25.0, 7.0])
