"""A recorded teacher: recorded grades become labels, and other pairs get a reason."""

import polars as pl
import pytest

from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.grading.grading import LABEL_SCHEMA
from relabel_assets.teacher.grading.recorded import grade_recorded

PAIRS = pl.DataFrame({"query_id": ["q"] * 4, "doc_id": ["a", "b", "c", "d"]})


def grade(*records: tuple[str, object], **columns: list[str | None]) -> pl.DataFrame:
    """The labels of PAIRS from (document, grade)."""
    recorded = {"query_id": ["q"] * len(records), "doc_id": [doc_id for doc_id, _ in records]}
    grades = pl.Series("grade", [grade for _, grade in records], strict=False)
    return grade_recorded(
        PAIRS, pl.DataFrame(recorded | columns).with_columns(grades), default_rubric()
    )


def test_every_pair_has_a_row_in_order() -> None:
    labels = grade(("d", 1), ("a", 3), ("unasked", 2))
    assert labels.schema == LABEL_SCHEMA
    assert labels["doc_id"].to_list() == ["a", "b", "c", "d"]
    assert labels["grade"].to_list() == [3, None, None, 1]
    assert labels["status"].to_list() == ["ok", "not_recorded", "not_recorded", "ok"]
    assert labels["status_reason"].to_list()[:2] == [None, "no recorded grade for this pair"]
    assert labels["attempts"].to_list() == [0, 0, 0, 0]


@pytest.mark.parametrize("recorded", [4, 7, -1, 1.5])
def test_a_grade_outside_the_rubric_is_not_recorded(recorded: float) -> None:
    row = grade(("a", recorded)).row(0, named=True)
    assert (row["grade"], row["status"]) == (None, "not_recorded")
    assert row["status_reason"] == f"the recorded grade {float(recorded)} is not one of 0 to 3"


@pytest.mark.parametrize("recorded", [0, 3, 2.0])
def test_a_grade_of_the_rubric_is_recorded(recorded: float) -> None:
    assert grade(("a", recorded))["grade"][0] == recorded


def test_the_first_of_two_records_counts() -> None:
    assert grade(("a", 2), ("a", 0))["grade"][0] == 2
    assert grade(("a", 7), ("a", 0))["status"][0] == "not_recorded"


def test_only_a_grade_has_a_model_and_a_rationale() -> None:
    labels = grade(
        ("a", 2), ("b", 7), ("c", 1), rationale=["r2", "r7", None], model=["gpt", "gpt", None]
    )
    assert labels["rationale"].to_list() == ["r2", None, None, None]
    assert labels["teacher_model"].to_list() == ["gpt", None, None, None]
    assert grade(("a", 2))["teacher_model"].to_list() == [None] * 4
