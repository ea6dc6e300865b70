"""Final labels: whose grade counts, what the student knows, and a student without a second stage."""

from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest

from relabel_assets.labeling.final.label_queries import PairTexts
from relabel_assets.labeling.final.precedence import (
    final_labels,
    grades_knowing,
    known_grades,
    people_grades,
)
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.grading.grading import label_frame
from relabel_assets_tests.builders import crossed_pairs
from relabel_assets_tests.labeling.graders import HashScorer

PAIR = ["query_id", "doc_id"]
CROSSED = crossed_pairs(6, 2)
TEXTS = PairTexts(
    CROSSED.select(PAIR),
    CROSSED.select("query_id", "text").unique(maintain_order=True),
    CROSSED.drop("query_id", "text").unique(maintain_order=True),
)


@dataclass
class Student(HashScorer):
    """A student with a second stage, or without."""

    cascade: object | None = True

    def __post_init__(self) -> None:
        super().__init__()


def row(query_id: str, doc_id: str, grade: int | None, **more: Any) -> dict[str, Any]:
    status = "ok" if grade is not None else "refused"
    given = {"query_id": query_id, "doc_id": doc_id, "grade": grade, "status": status} | more
    return dict.fromkeys(label_frame([]).columns) | {"attempts": 1, "request_key": "k"} | given


def reference(*rows: tuple[str, str, str, int, str]) -> pl.DataFrame:
    columns = dict.fromkeys(["query_id", "doc_id", "assessor"], pl.String)
    schema = columns | {"grade": pl.Int64, "kind": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def student_labels() -> pl.DataFrame:
    alone = pl.Series([0] * TEXTS.pairs.height, dtype=pl.Int64)
    none = pl.select(pl.when(pl.lit(value=False)).then(alone)).to_series()
    graded = HashScorer().score(CROSSED).grade(none).drop("n_known")
    return graded.with_columns(pl.col("grade").cast(pl.Int8), model_id=pl.lit("m"))


def labels(student: Student, teacher: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    known = known_grades(people_grades(people), teacher)
    rows = final_labels(student_labels(), grades_knowing(student, TEXTS, known), known)  # type: ignore[arg-type]
    return TABLES["final_labels"].validate(rows.with_columns(corpus=pl.lit("c")))


def of(rows: pl.DataFrame, query_id: str, doc_id: str) -> dict[str, Any]:
    return rows.row(
        by_predicate=(pl.col(PAIR[0]) == query_id) & (pl.col(PAIR[1]) == doc_id), named=True
    )


TEACHER = label_frame(
    [
        row("q0", "d0", 3, expected_grade=2.8, grade_probs=[0.0, 0.0, 0.2, 0.8]),
        row("q0", "d1", 2),
        row("q0", "d2", None),
    ]
)
PEOPLE = reference(
    ("q0", "d0", "ana", 1, "human"),
    ("q0", "d0", "ben", 2, "human"),
    ("q0", "d3", "llm", 3, "adjudicated"),
)


def test_people_count_before_the_teacher_and_the_teacher_before_the_student() -> None:
    rows = labels(Student(), TEACHER, PEOPLE)
    assert rows.select(PAIR).equals(TEXTS.pairs)
    people, teacher, refused = (of(rows, "q0", doc) for doc in ("d0", "d1", "d2"))
    assert (people["labeler"], people["grade"], people["expected_grade"]) == ("people", 1, 1.5)
    assert (people["grade_probs"], people["request_key"]) == (None, None)
    assert (teacher["labeler"], teacher["grade"], teacher["request_key"]) == ("teacher", 2, "k")
    assert refused["labeler"] == of(rows, "q0", "d3")["labeler"] == "student"


def test_the_student_grades_the_rest_knowing_what_people_and_the_teacher_said() -> None:
    alone, rows = student_labels(), labels(Student(), TEACHER, PEOPLE)
    of_q0 = rows.filter(pl.col("query_id") == "q0")
    assert of_q0["n_known"].unique().to_list() == [2]
    known = pl.Series([1, 2, None, None, None, None], dtype=pl.Int64)
    expected = HashScorer().score(CROSSED.head(6)).grade(known)
    others = of_q0.filter(pl.col("labeler") == "student")
    assert others["expected_grade"].to_list() == expected["expected_grade"].to_list()[2:]
    # Nothing is known of the other query: it is the student's own, to the last digit.
    of_q1 = rows.filter(pl.col("query_id") == "q1")
    assert of_q1["n_known"].unique().to_list() == [0]
    columns = ["grade", "expected_grade", "grade_probs"]
    assert of_q1.select(columns).equals(alone.filter(pl.col("query_id") == "q1").select(columns))


def test_a_teachers_own_probabilities_stay_and_others_get_the_students() -> None:
    rows = labels(Student(), TEACHER, reference())
    own, without = of(rows, "q0", "d0"), of(rows, "q0", "d1")
    assert (own["expected_grade"], own["grade_probs"]) == (2.8, [0.0, 0.0, 0.2, 0.8])
    assert without["grade_probs"] is not None
    mean = sum(prob * grade for grade, prob in enumerate(without["grade_probs"]))
    assert without["expected_grade"] == pytest.approx(mean)


def test_a_student_without_a_second_stage_grades_alone_beside_known_grades() -> None:
    rows = labels(Student(cascade=None), TEACHER, PEOPLE)
    assert set(rows["n_known"]) == {0}
    teacher = of(rows, "q0", "d1")
    assert (teacher["grade"], teacher["expected_grade"], teacher["grade_probs"]) == (2, 2.0, None)
    alone = of(student_labels(), "q0", "d2")
    assert of(rows, "q0", "d2")["expected_grade"] == alone["expected_grade"]
