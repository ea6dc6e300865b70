"""The cascade: grades and probabilities of a query whose pairs others have graded in part."""

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray

from relabel_assets.student.cascade.cascade import Cascade, fit_cascade, tilted
from relabel_assets.student.cascade.residual_process import QueryPairs, ResidualProcess

PROCESS = ResidualProcess(offset=0.1, similarity=0.6, length=0.2, features=0.1, noise=0.1)
CASCADE = Cascade(process=PROCESS, shares=[0.0, 0.5], cut_points=[[0.7, 1.3, 1.9], [0.5, 1.5, 2.5]])


def probabilities(n: int, seed: int = 0) -> NDArray:
    return np.random.default_rng(seed).dirichlet(np.ones(4), n)


def query_of(n: int, seed: int = 0) -> tuple[QueryPairs, NDArray]:
    draw, probs = np.random.default_rng(seed), probabilities(n, seed)
    vectors = draw.normal(size=(n, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return QueryPairs.of(probs, vectors, draw.normal(size=(n, 3))), probs


def test_with_nothing_known_everything_is_the_students_own() -> None:
    pairs, probs = query_of(8)
    graded = CASCADE.grade(pairs, probs, [], [])
    assert graded.grade_probs.tolist() == probs.tolist()
    assert graded.expected_grade.tolist() == pairs.expected.tolist()
    at_own_points = [sum(value > point for point in (0.7, 1.3, 1.9)) for value in pairs.expected]
    assert graded.grade.tolist() == at_own_points


def test_probabilities_have_the_expected_grade_of_the_process() -> None:
    pairs, probs = query_of(8)
    graded = CASCADE.grade(pairs, probs, [0, 3], [3, 2])
    assert graded.grade_probs @ np.arange(4) == pytest.approx(graded.expected_grade, abs=1e-6)
    assert graded.grade_probs.sum(axis=1) == pytest.approx(np.ones(8))
    mean = PROCESS.posterior(pairs, [0, 3], [3, 2]).mean
    assert graded.expected_grade == pytest.approx(np.clip(mean, 0, 3))


def test_the_cut_points_between_two_shares_are_interpolated() -> None:
    assert CASCADE.points_at(0.25) == pytest.approx([0.6, 1.4, 2.2])
    assert CASCADE.points_at(0.9) == [0.5, 1.5, 2.5]


def test_expected_grades_stay_between_the_least_and_the_greatest_grade() -> None:
    pairs, probs = query_of(6)
    high = CASCADE.grade(pairs, probs, range(5), [3] * 5)
    low = CASCADE.grade(pairs, probs, range(5), [0] * 5)
    assert high.expected_grade.max() <= 3
    assert low.expected_grade.min() >= 0
    assert np.isfinite(high.grade_probs).all()
    assert np.isfinite(low.grade_probs).all()


def test_a_tilt_to_the_same_mean_changes_nothing() -> None:
    probs = probabilities(20)
    assert tilted(probs, probs @ np.arange(4)) == pytest.approx(probs, abs=1e-5)


@pytest.mark.parametrize("mean", [0.0, 1e-4, 1.5, 3 - 1e-4, 3.0])
def test_a_tilt_reaches_any_mean_also_from_a_certain_student(mean: float) -> None:
    certain = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    probs = tilted(certain, np.array([mean, mean]))
    assert probs @ np.arange(4) == pytest.approx([mean, mean], abs=1e-3)


def test_a_tilt_upwards_takes_from_every_lower_tail() -> None:
    (before,) = probabilities(1)
    (after,) = tilted(before[None], np.array([before @ np.arange(4) + 0.3]))
    assert (np.cumsum(after)[:-1] < np.cumsum(before)[:-1]).all()


def test_the_first_cut_points_are_the_students_and_later_ones_are_fitted() -> None:
    draw, queries = np.random.default_rng(3), []
    for seed in range(60):
        pairs, _ = query_of(30, seed)
        strictness = draw.normal(0, 0.7)
        grades = np.clip(np.round(pairs.expected + strictness + draw.normal(0, 0.4, 30)), 0, 3)
        queries.append((pairs, grades.astype(int)))
    cascade = fit_cascade(queries, student_points=[0.8, 1.5, 2.1], seed=13)
    assert cascade.shares == [0.0, 0.05, 0.1, 0.2, 0.4]
    assert cascade.points_at(0.0) == [0.8, 1.5, 2.1]
    pairs, given = queries[0]
    hidden = np.arange(10, 30)
    knowing = cascade.grade(pairs, probabilities(30), range(10), given[:10])
    alone = cascade.grade(pairs, probabilities(30), [], [])
    error = np.abs(knowing.expected_grade - given)[hidden].mean()
    assert error < 0.8 * np.abs(alone.expected_grade - given)[hidden].mean()


def test_a_grade_that_the_teacher_never_gave_is_never_given() -> None:
    queries = []
    for seed in range(12):
        pairs, _ = query_of(20, seed)
        queries.append((pairs, np.where(pairs.expected > 1.5, 2, 0)))
    own = [1.5, 1.5, 5.0]  # neither 1 nor 3
    cascade = fit_cascade(queries, student_points=own, seed=13)
    for share in np.linspace(0, 1, 11):
        points = cascade.points_at(float(share))
        assert points[0] == points[1]
        assert points[2] > 3


def test_shares_that_do_not_begin_at_nothing_known_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="do not ascend from 0"):
        Cascade(process=PROCESS, shares=[0.1], cut_points=[[0.5]])
