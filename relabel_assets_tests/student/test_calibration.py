"""The calibration: by hand, monotone, and its calibration error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relabel_assets.student.calibration import (
    Calibration,
    expected_calibration_error,
    expected_grades,
    fit_calibration,
    reliability,
)


def test_probabilities_by_hand() -> None:
    calibration = Calibration(slope=2.0, thresholds=[0.0, 2.0])
    # At score 1: P(grade >= 1) = sigmoid(2), P(grade >= 2) = sigmoid(0) = .5.
    at_least_1 = 1 / (1 + np.exp(-2))
    assert calibration.grade_probs([1.0])[0].tolist() == pytest.approx(
        [1 - at_least_1, at_least_1 - 0.5, 0.5]
    )
    assert expected_grades(np.array([[0.25, 0.25, 0.5]])).tolist() == [0.25 * 1 + 0.5 * 2]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 3)), min_size=1, max_size=30),
    st.lists(st.floats(-10, 10), min_size=2, max_size=10),
)
def test_probabilities_sum_to_one_and_the_expected_grade_never_falls_as_the_score_rises(
    graded: list[tuple[float, int]], scores: list[float]
) -> None:
    values, grades = zip(*graded, strict=True)
    calibration = fit_calibration(values, grades, 4)
    assert calibration.slope > 0
    assert (np.diff(calibration.thresholds) >= 0).all()
    probs = calibration.grade_probs(sorted(scores))
    assert (probs >= 0).all()
    assert probs.sum(axis=1) == pytest.approx(1.0)
    assert (np.diff(expected_grades(probs)) >= -1e-9).all()


def test_the_fit_recovers_the_model_that_generated_the_grades() -> None:
    draw = np.random.default_rng(1)
    scores = draw.normal(size=20_000)
    grades = (2 * scores[:, None] + draw.logistic(size=(20_000, 1)) > [-1.0, 0.0, 2.0]).sum(axis=1)
    calibration = fit_calibration(scores, grades, 4)
    assert calibration.slope == pytest.approx(2.0, abs=0.1)
    assert calibration.thresholds == pytest.approx([-1.0, 0.0, 2.0], abs=0.1)


def test_probabilities_do_not_depend_on_the_scale_of_scores() -> None:
    scores, grades = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), [0, 1, 0, 2, 2]
    plain = fit_calibration(scores, grades, 3).grade_probs(scores)
    scaled = fit_calibration(100 * scores - 7, grades, 3).grade_probs(100 * scores - 7)
    assert scaled == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("grade", [0, 3])
def test_a_single_training_grade_is_the_likeliest_and_none_is_impossible(grade: int) -> None:
    probs = fit_calibration([0.1, 0.2, 0.3, 0.4], [grade] * 4, 4).grade_probs([0.25])[0]
    assert probs.argmax() == grade
    assert (probs > 0).all()


def test_equal_scores_get_the_frequencies_of_grades() -> None:
    probs = fit_calibration(np.zeros(400), [0] * 100 + [1] * 300, 2).grade_probs([0.0])
    assert probs[0].tolist() == pytest.approx([0.25, 0.75], abs=0.01)


def test_reliability_by_hand() -> None:
    # P(grade >= 1) of five pairs: two in the bin from .1 to .2, where one of the grades is 1, one
    # in each of the last two.
    at_least = np.array([0.11, 0.15, 0.85, 0.95, 1.0])
    probs = np.stack([1 - at_least, at_least], axis=1)
    bins = reliability(probs, [0, 1, 1, 1, 1])
    expected = [(0.13, 0.5, 0.4), (0.85, 1.0, 0.2), (0.975, 1.0, 0.4)]  # 1.0 is in the bin of .95
    assert [pytest.approx(row) for row in expected] == bins
    error = 0.4 * 0.37 + 0.2 * 0.15 + 0.4 * 0.025
    assert expected_calibration_error(probs, [0, 1, 1, 1, 1]) == pytest.approx(error)


def test_reliability_counts_every_threshold_of_every_pair() -> None:
    # One pair of grade 1 of 0, 1, 2: P(>= 1) = .75 came true, P(>= 2) = .25 did not.
    assert reliability(np.array([[0.25, 0.5, 0.25]]), [1]) == [(0.25, 0.0, 0.5), (0.75, 1.0, 0.5)]


def test_the_calibration_error_of_a_fitted_model_is_small() -> None:
    draw = np.random.default_rng(1)
    scores = draw.normal(size=4000)
    grades = (scores[:, None] + draw.logistic(size=(4000, 1)) > [0.0, 1.0, 2.0]).sum(axis=1)
    probs = fit_calibration(scores, grades, 4).grade_probs(scores)
    assert expected_calibration_error(probs, grades) < 0.02
