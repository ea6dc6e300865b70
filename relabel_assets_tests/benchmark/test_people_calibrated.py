"""What is said of a student that is calibrated to people, and its rows before and after."""

import polars as pl

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.gates.training_limits import training_limits
from relabel_assets.benchmark.labelers import PEOPLE, PEOPLE_DIFFERENCE
from relabel_assets.benchmark.people_calibrated import calibrated_to, people_calibrated

ASKED = {"calibrated_to": "people", "n_people_queries": 2, "n_people_pairs": 7}
TOO_FEW = {"calibrated_to": "teacher", "n_people_queries": 0, "n_people_pairs": 0}
NOT_ASKED = {"calibrated_to": "teacher", "n_people_queries": None, "n_people_pairs": None}


def rows() -> pl.DataFrame:
    pairs = {"query_id": ["q", "q", "r", "r"], "doc_id": ["d1", "d2", "d1", "d2"]}
    reference = pl.DataFrame(pairs | {"assessor": "ana", "grade": [0, 1, 0, 3]})
    grades = {"student": [1, 1, 0, 3], PEOPLE: [0, 1, 0, 3]}
    scores = pl.concat(
        pl.DataFrame(pairs | {"labeler": labeler, "score": grade, "grade": grade})
        for labeler, grade in grades.items()
    )
    queries = pl.DataFrame({"query_id": ["q", "r"], "intent": ["keyword", "keyword"]})
    return measure(scores, reference, queries, n_resamples=20).rows


def test_the_difference_is_people_less_teacher_paired_over_queries_and_in_no_intent() -> None:
    of_kappa = rows().filter(pl.col("metric") == "kappa")
    values = dict(of_kappa.filter(pl.col("slice") == "all").select("labeler", "value").iter_rows())
    assert values[PEOPLE] == 1.0
    assert values[PEOPLE_DIFFERENCE] == values[PEOPLE] - values["student"] > 0
    assert set(of_kappa.filter(pl.col("slice") != "all")["labeler"]) == {"student"}


def test_the_report_says_what_it_is_worth_before_and_after() -> None:
    of_whom, worth = people_calibrated(rows(), ASKED)
    assert "calibrated to people's: 7 pairs of 2 queries" in of_whom
    assert "0.636 calibrated to the teacher, 1.000 to people, +0.364" in worth
    assert "on 2 queries" in worth


def test_without_a_benchmark_only_the_calibration_is_said() -> None:
    assert people_calibrated(rows().clear(), ASKED) == [calibrated_to(ASKED)]


def test_too_few_grades_of_people_are_said_and_nothing_where_nobody_asked() -> None:
    (sentence,) = people_calibrated(rows(), TOO_FEW)
    assert "not to people's: these are of 0 queries, and 2 are needed" in sentence
    assert people_calibrated(rows(), NOT_ASKED) == []
    assert people_calibrated(rows(), {}) == []  # a row of an earlier version


def test_a_grade_that_people_hardly_give_is_not_said_to_be_missing_in_training() -> None:
    student = {"n_train_pairs": 60, "n_dev_pairs": 9, "cut_points": [0.5, 1.5, 4.0]}
    (by_teacher,) = training_limits(student | NOT_ASKED)
    (by_people,) = training_limits(student | ASKED)
    assert by_teacher.endswith("never gives grade 3, which no graded pair of its training has.")
    assert by_people.endswith("never gives grade 3, which people hardly ever give.")
