"""The residual process: what known grades say about the other pairs of a query."""

import numpy as np
import pytest
from numpy.typing import NDArray

from relabel_assets.student.cascade import residual_process
from relabel_assets.student.cascade.residual_process import (
    QueryPairs,
    ResidualProcess,
    fit_residual_process,
)

PROCESS = ResidualProcess(offset=0.05, similarity=0.6, length=0.2, features=0.1, noise=0.1)


def pairs_of(n: int, seed: int = 0, std: float = 1.0) -> QueryPairs:
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(n, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return QueryPairs(draw.uniform(0, 3, n), np.full(n, std), vectors, draw.normal(size=(n, 3)))


def along(*degrees: float) -> NDArray:
    """Unit vectors at these angles."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def test_without_a_known_grade_the_expected_grades_are_the_students_own() -> None:
    pairs = pairs_of(7)
    assert PROCESS.posterior(pairs, [], []).mean.tolist() == pairs.expected.tolist()


def test_a_grade_above_the_expected_one_raises_similar_documents_most() -> None:
    pairs = QueryPairs(np.ones(3), np.ones(3), along(0, 20, 90), np.zeros((3, 1)))
    known, near, far = PROCESS.posterior(pairs, [0], [3]).mean
    assert known > near > far > 1


def test_a_grade_above_the_expected_one_raises_even_unlike_documents_by_the_offset() -> None:
    pairs = QueryPairs(np.ones(2), np.ones(2), along(0, 180), np.zeros((2, 1)))
    generous = PROCESS.posterior(pairs, [0], [3]).mean[1]
    without_offset = PROCESS.model_copy(update={"offset": 1e-9})
    assert generous > 1.05
    assert without_offset.posterior(pairs, [0], [3]).mean[1] == pytest.approx(1, abs=1e-3)


def test_documents_with_the_same_features_are_misjudged_alike() -> None:
    features = np.array([[1.0], [1.0], [-1.0]])
    pairs = QueryPairs(np.ones(3), np.ones(3), along(0, 120, 240), features)
    by_features = ResidualProcess(offset=1e-6, similarity=1e-6, length=0.2, features=0.5, noise=0.1)
    _, same, opposite = by_features.posterior(pairs, [0], [3]).mean
    assert same > 1 > opposite


def test_where_the_student_is_sure_little_changes() -> None:
    pairs = QueryPairs(np.ones(3), np.array([1.0, 1.0, 0.1]), along(0, 0, 0), np.zeros((3, 1)))
    _, unsure, sure = PROCESS.posterior(pairs, [0], [3]).mean
    assert unsure - 1 > 5 * (sure - 1) > 0


def test_the_mean_of_a_known_pair_is_between_its_grade_and_the_expected_one() -> None:
    pairs = pairs_of(5)
    mean = PROCESS.posterior(pairs, [2], [3]).mean[2]
    assert pairs.expected[2] < mean < 3


def test_known_grades_never_add_variance() -> None:
    pairs = pairs_of(9)
    prior = PROCESS.posterior(pairs, [], []).variance
    one = PROCESS.posterior(pairs, [1], [0]).variance
    two = PROCESS.posterior(pairs, [1, 4], [0, 2]).variance
    assert (one <= prior + 1e-12).all()
    assert (two <= one + 1e-12).all()
    assert two[4] < one[4]


def test_the_order_of_pairs_and_of_known_grades_does_not_matter() -> None:
    pairs, order = pairs_of(6), np.array([3, 1, 5, 0, 2, 4])
    turned = QueryPairs(*(getattr(pairs, name)[order] for name in QueryPairs.__dataclass_fields__))
    mean = PROCESS.posterior(pairs, [0, 5], [3, 1]).mean
    assert PROCESS.posterior(turned, [2, 3], [1, 3]).mean == pytest.approx(mean[order])


def test_equal_documents_with_different_grades_get_a_grade_between() -> None:
    pairs = QueryPairs(np.ones(3), np.ones(3), along(0, 0, 0), np.ones((3, 1)))
    assert PROCESS.posterior(pairs, [0, 1], [3, 0]).mean[2] == pytest.approx(1.4, abs=0.1)


def test_a_student_that_is_certain_has_pairs_that_may_still_change() -> None:
    pairs = QueryPairs.of(np.array([[1.0, 0.0], [0.5, 0.5]]), along(0, 0), np.zeros((2, 1)))
    assert pairs.expected.tolist() == [0.0, 0.5]
    assert pairs.std.tolist() == [0.01, 0.5]


def test_the_fit_finds_the_process_that_made_the_grades() -> None:
    made_by = ResidualProcess(offset=0.3, similarity=0.8, length=0.4, features=0.05, noise=0.2)
    draw, queries = np.random.default_rng(5), []
    for seed in range(60):
        pairs = pairs_of(20, seed)
        covariance = made_by.covariance(pairs) + np.diag(made_by.noise_variance(pairs))
        residuals = np.linalg.cholesky(covariance) @ draw.normal(size=20)
        queries.append((pairs, pairs.expected + residuals))
    fitted = fit_residual_process(queries, seed=13)
    for name in ("offset", "similarity", "length", "noise"):
        assert getattr(fitted, name) == pytest.approx(getattr(made_by, name), rel=0.4), name


def test_residuals_without_a_pattern_are_noise_and_change_nothing() -> None:
    draw = np.random.default_rng(5)
    queries = []
    for seed in range(60):
        pairs = pairs_of(20, seed)
        queries.append((pairs, pairs.expected + draw.normal(size=20)))
    process = fit_residual_process(queries, seed=13)
    pairs, _ = queries[0]
    mean = process.posterior(pairs, [0], [pairs.expected[0] + 2]).mean
    assert np.abs(mean - pairs.expected)[1:].max() < 0.25


def test_one_query_with_equal_grades_and_equal_documents_can_be_fitted() -> None:
    pairs = QueryPairs(np.ones(4), np.full(4, 0.01), along(0, 0, 0, 0), np.zeros((4, 1)))
    process = fit_residual_process([(pairs, [1, 1, 1, 1])], seed=13)
    assert np.isfinite(list(process.model_dump().values())).all()


def test_a_large_set_is_fitted_to_a_sample_that_the_seed_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(residual_process, "_MAX_QUERIES", 4)
    queries = [(pairs_of(3, number), np.full(3, number % 4)) for number in range(10)]
    once, again = fit_residual_process(queries, seed=1), fit_residual_process(queries, seed=1)
    assert once == again
    assert once != fit_residual_process(queries, seed=2)
