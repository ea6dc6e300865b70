"""A recorded teacher: what is recorded is a grade, and nothing is guessed."""

import polars as pl

from relabel_assets.benchmark.cut_points import cut_points, grades_from
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.recorded import grade_recorded


def test_grades_outside_the_rubric_and_missing_pairs_are_not_recorded() -> None:
    pairs = pl.DataFrame({"query_id": ["q"] * 4, "doc_id": ["a", "b", "c", "d"]})
    recorded = pl.DataFrame(
        {
            "query_id": ["q"] * 4,
            "doc_id": ["b", "a", "c", "a"],
            "grade": [7, 2, 1, 0],
            "rationale": ["r7", "r2", None, "r0"],
            "model": ["m", None, "m", "m"],
        }
    )
    labels = grade_recorded(pairs, recorded, model="gpt", rubric=default_rubric())
    assert labels["doc_id"].to_list() == ["a", "b", "c", "d"]
    assert labels["grade"].to_list() == [2, None, 1, None]
    assert labels["status"].to_list() == ["ok", "not_recorded", "ok", "not_recorded"]
    assert labels["teacher_model"].to_list() == ["gpt", None, "m", None]
    assert "7.0 is not one of 0 to 3" in labels["status_reason"][1]
    assert labels["rationale"].to_list() == ["r2", None, None, None]


def test_cut_points_give_each_grade_as_often_as_it_was_given() -> None:
    values, grades = [0.1, 0.9, 0.4, 0.3, 0.2], [0, 3, 1, 0, 0]
    points = cut_points(values, grades, 4)
    assert points[0] == 0.35 and points[1] == points[2] == 0.65
    assert sorted(grades_from(values, points)) == sorted(grades)
    assert 2 not in grades_from([0.6, 0.64, 0.66], points)
    assert cut_points([0.5, 0.6], [0, 0], 3) == [1.6, 1.6]
    assert grades_from([5.0], cut_points([0.5, 0.6], [2, 2], 3)).tolist() == [2]
