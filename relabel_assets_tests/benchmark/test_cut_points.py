"""Cut points by hand, with tied values, and on random values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relabel_assets.benchmark.cut_points import (
    cut_points,
    grades_from,
    never_given,
    refuse_collapsed,
)
from relabel_assets.errors import StudentError


def test_tied_values_at_a_cut_point_all_get_the_lower_grade() -> None:
    scores = [0.0, 0.0, 0.0, 0.0, 1.0, 2.0]  # BM25: four documents share no word with the query
    grades = [0, 0, 1, 1, 2, 3]
    points = cut_points(scores, grades, 4)
    # Two grades are below 1: between the 2nd and 3rd value is 0. Four below 2: 0.5. Five below 3:
    # 1.5.
    assert points == [0.0, 0.5, 1.5]
    assert grades_from(scores, points).tolist() == [0, 0, 0, 0, 2, 3]


def test_a_value_above_a_cut_point_gets_the_higher_grade() -> None:
    assert grades_from([0.5, np.nextafter(0.5, 1)], [0.5]).tolist() == [0, 1]


def test_a_grade_absent_from_the_teachers_is_never_assigned() -> None:
    points = cut_points([1.0, 2.0, 3.0], [0, 0, 2], 3)
    assert points == [2.5, 2.5]
    assert grades_from([1.0, 2.4, 2.6, 9.0], points).tolist() == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ("grade", "points"), [(0, [3.0, 3.0]), (1, [-1.0, 3.0]), (2, [-1.0, -1.0])]
)
def test_a_single_teacher_grade_is_the_only_grade_assigned(grade: int, points: list[float]) -> None:
    assert cut_points([0.5, 0.6], [grade, grade], 3) == pytest.approx(points)
    # Not even for the least and the greatest expected grade that there is.
    assert set(grades_from([0.0, 0.5, 0.6, 2.0], points).tolist()) == {grade}


@pytest.mark.parametrize(
    ("points", "grades"),
    [
        ([0.5, 1.5, 2.5], []),
        ([0.5, 0.5, 2.5], [1]),  # two cut points are equal
        ([0.5, 0.5, 0.5], [1, 2]),
        ([0.0, 1.5, 2.5], []),  # an expected grade of 0 is not above 0
        ([-0.1, 1.5, 2.5], [0]),  # no expected grade is below 0
        ([0.5, 1.5, 3.0], [3]),  # nor above 3
        ([-1.0, -1.0, 4.0], [0, 1, 3]),
    ],
)
def test_a_grade_between_equal_cut_points_or_out_of_reach_is_never_given(
    points: list[float], grades: list[int]
) -> None:
    assert never_given(points) == grades
    given = set(grades_from(np.linspace(0, 3, 3_001), points).tolist())
    assert given == {0, 1, 2, 3} - {*grades}


def test_cut_points_that_collapse_a_grade_of_the_training_labels_are_refused() -> None:
    scores, grades = [0.4, 0.4, 0.4, 2.0], [0, 1, 2, 3]  # three pairs with the same score
    points = cut_points(scores, grades, 4)
    with pytest.raises(StudentError) as refused:
        refuse_collapsed(points, grades)
    assert "never give grade 1, which 1 of its 4 training pairs have" in str(refused.value)


def test_a_grade_that_the_teacher_never_gave_collapses_and_is_not_refused() -> None:
    for grades in ([0, 0, 3, 3], [2, 2, 2, 2], [1, 1, 1, 2]):
        points = cut_points([0.4, 0.5, 1.9, 2.0], grades, 4)
        refuse_collapsed(points, grades)
        assert never_given(points) == sorted({0, 1, 2, 3} - {*grades})


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-5, 5), st.integers(0, 3)),
        min_size=1,
        max_size=60,
        unique_by=lambda row: row[0],
    )
)
def test_each_grade_is_as_frequent_as_the_teachers(rows: list[tuple[float, int]]) -> None:
    values, grades = (np.array(column) for column in zip(*rows, strict=True))
    points = cut_points(values, grades, 4)
    assert points == sorted(points)
    if len(values) > 1 and np.diff(np.sort(values)).min() < 1e-9:
        return  # no number lies between two values that are nearly equal
    counts = np.bincount(grades_from(values, points), minlength=4)
    assert counts.tolist() == np.bincount(grades, minlength=4).tolist()
