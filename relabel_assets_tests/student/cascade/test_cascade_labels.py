"""Cascades as labelers of the benchmark, of a student that was trained for it."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from relabel_assets.benchmark.labelers import CASCADES
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student import Labeler, cascade_labels, train_student
from relabel_assets_tests.student.cascade.test_known_grades import graded_pairs

pytestmark = pytest.mark.slow

PAIR = ["query_id", "doc_id"]
PAIRS = graded_pairs()
QUERIES = PAIRS.select("query_id", "text").unique(maintain_order=True)
DOCUMENTS = PAIRS.drop("query_id", "text", "grade", "split").unique("doc_id", maintain_order=True)
HALF = {"cascade@50%": 0.5}


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Labeler:
    folder = tmp_path_factory.mktemp("students") / "one"
    train_student(PAIRS, config=StudentConfig(epochs=0), rubric=default_rubric(), folder=folder)
    return Labeler.load(folder)


def teacher_labels(**columns: Any) -> pl.DataFrame:
    """Rows of teacher_labels: every pair, its grade turned around so that it is not the student's."""
    rows = PAIRS.select(
        *PAIR,
        grade=3 - pl.col("grade"),
        expected_grade=pl.lit(None, pl.Float64),
        status=pl.lit("ok"),
    )
    return rows.with_columns(**columns)


def labels_of(
    student: Labeler, teacher: pl.DataFrame, shares: dict[str, float] = HALF
) -> dict[str, pl.DataFrame]:
    return cascade_labels(student, teacher, QUERIES, DOCUMENTS, shares=shares, seed=13)


def chosen(student: Labeler, share: float = 0.5) -> pl.DataFrame:
    """The pairs that the student asks about."""
    pairs = PAIRS.sort(PAIR)
    return pairs.filter(student.score(pairs.drop("grade", "split")).to_ask(share, 13)).select(PAIR)


def told(student: Labeler, teacher: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The student's labels, told the teacher's grades of the pairs `known`."""
    scored = student.score(teacher.sort(PAIR).select(PAIR).join(PAIRS, on=PAIR))
    grades = scored.keys.join(
        known.join(teacher, on=PAIR), on=PAIR, how="left", maintain_order="left"
    )
    return scored.grade(grades["grade"].cast(pl.Int64))


def test_a_known_pair_has_the_teachers_grade_and_the_others_what_follows_from_it(
    student: Labeler,
) -> None:
    teacher, known = teacher_labels(), chosen(student)
    labels = labels_of(student, teacher)["cascade@50%"]
    assert labels.columns == [*PAIR, "grade", "expected_grade"]
    assert known.height == 50 and labels.height == 100
    of_known = known.join(labels, on=PAIR).join(teacher, on=PAIR, suffix="_of_teacher")
    assert of_known["grade"].to_list() == of_known["grade_of_teacher"].to_list()
    assert labels.equals(told(student, teacher, known).select(labels.columns))


def test_a_known_pair_ranks_by_what_all_known_grades_say(student: Labeler) -> None:
    known = chosen(student).join(labels_of(student, teacher_labels())["cascade@50%"], on=PAIR)
    assert (known["expected_grade"] != known["grade"]).all()
    assert known["expected_grade"].is_between(0, 3).all()


@pytest.mark.parametrize("status", ["failed", "refused", "unparseable"])
def test_a_pair_that_the_teacher_failed_on_is_chosen_and_never_known(
    student: Labeler, status: str
) -> None:
    failed = pl.struct(PAIR).is_in(chosen(student).select(pl.struct(PAIR)).to_series().implode())
    teacher = teacher_labels(
        status=pl.when(failed).then(pl.lit(status)).otherwise(pl.lit("ok")),
        grade=pl.when(failed).then(None).otherwise(pl.col("grade")),
    )
    labels = labels_of(student, teacher)["cascade@50%"]
    alone = student.grade(PAIRS.sort(PAIR).drop("grade", "split"))
    assert labels.equals(alone.select(labels.columns))


@pytest.mark.parametrize("status", ["not_recorded", "over_budget"])
def test_a_pair_that_nobody_asked_about_is_not_chosen(student: Labeler, status: str) -> None:
    is_asked = pl.col("doc_id") < "d6"
    teacher = teacher_labels(
        status=pl.when(is_asked).then(pl.lit("ok")).otherwise(pl.lit(status)),
        grade=pl.when(is_asked).then(pl.col("grade")),
    )
    labels = labels_of(student, teacher)["cascade@50%"]
    assert labels.equals(labels_of(student, teacher.filter(is_asked))["cascade@50%"])
    assert labels.height == 60


def test_each_share_knows_its_share_of_the_grades(student: Labeler) -> None:
    teacher = teacher_labels()
    labels = labels_of(student, teacher, CASCADES)
    for name, share in CASCADES.items():
        known = chosen(student, share)
        assert known.height == 100 * share
        assert labels[name].equals(told(student, teacher, known).drop("grade_probs", "n_known"))


def test_without_a_second_stage_or_an_asked_pair_there_is_no_cascade(student: Labeler) -> None:
    assert labels_of(replace(student, cascade=None), teacher_labels()) == {}
    nobody = teacher_labels(status=pl.lit("not_recorded"), grade=pl.lit(None, pl.Int64))
    assert labels_of(student, nobody) == {}
