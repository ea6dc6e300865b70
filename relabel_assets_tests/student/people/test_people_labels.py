"""Labels of a benchmark by two calibrations: the teacher's, and people's of other queries."""

import numpy as np
import polars as pl
import pytest

from relabel_assets.benchmark.labelers import PEOPLE
from relabel_assets.student.calibration import Calibration
from relabel_assets.student.folder import Settings
from relabel_assets.student.labeler import graded
from relabel_assets.student.people.people_calibration import PeopleCalibration
from relabel_assets.student.people.people_labels import benchmark_labels

TEACHER = Calibration(slope=2.0, thresholds=[-1.0, 0.0, 2.0])
POINTS = [0.5, 1.5, 2.5]
OWN = PeopleCalibration(
    calibration=Calibration(slope=1.5, thresholds=[0.0, 1.0, 3.0]),
    cut_points=[0.4, 1.4, 2.4],
    n_queries=12,
    n_pairs=96,
)
SETTINGS = Settings.model_construct(calibration=TEACHER, cut_points=POINTS, people=OWN, seed=13)

SCORES = np.random.default_rng(1).normal(size=96)
KEYS = pl.DataFrame(
    {"query_id": [f"q{n // 8:02}" for n in range(96)], "doc_id": [f"d{n % 8}" for n in range(96)]}
)
# As student_labels has them, with a column that no calibration changes.
LABELS = graded(KEYS.with_columns(model_id=pl.lit("m")), SCORES, OWN.calibration, OWN.cut_points)


def people(**grades: int | None) -> pl.DataFrame:
    """People's grades of all pairs; `grades` are those of all pairs of a query."""
    by_score = pl.Series("grade", np.searchsorted([-0.5, 0.5, 1.5], SCORES))
    pairs = KEYS.with_columns(by_score)
    for query, grade in grades.items():
        of_query = pl.col("query_id") == query
        pairs = pairs.with_columns(pl.when(of_query).then(grade).otherwise("grade").alias("grade"))
    return pairs


def by_query(labels: pl.DataFrame, query: str) -> list[float]:
    return labels.filter(pl.col("query_id") == query)["expected_grade"].to_list()


def test_the_teachers_calibration_is_found_again_behind_peoples() -> None:
    student = benchmark_labels(LABELS, people(), SETTINGS)["student"]
    by_teacher = graded(KEYS, SCORES, TEACHER, POINTS)
    assert student["grade"].equals(by_teacher["grade"])
    assert student["model_id"].unique().to_list() == ["m"]
    assert student["expected_grade"].to_list() == pytest.approx(by_teacher["expected_grade"])


def test_no_query_is_graded_with_peoples_grades_of_it() -> None:
    before = benchmark_labels(LABELS, people(), SETTINGS)[PEOPLE]
    after = benchmark_labels(LABELS, people(q03=0), SETTINGS)[PEOPLE]
    assert by_query(after, "q03") == by_query(before, "q03")
    assert after["expected_grade"].to_list() != before["expected_grade"].to_list()


def test_a_query_that_no_person_graded_gets_the_students_own_calibration() -> None:
    labels = benchmark_labels(LABELS, people(q05=None), SETTINGS)[PEOPLE]
    assert (labels.height, labels.columns) == (LABELS.height, LABELS.columns)
    assert by_query(labels, "q05") == pytest.approx(by_query(LABELS, "q05"))
    assert by_query(labels, "q06") != pytest.approx(by_query(LABELS, "q06"))


def test_the_labels_of_a_student_of_its_teacher_stay_as_they_are() -> None:
    settings = Settings.model_construct(calibration=TEACHER, cut_points=POINTS, people=None)
    assert benchmark_labels(LABELS, people(), settings) == {"student": LABELS}
