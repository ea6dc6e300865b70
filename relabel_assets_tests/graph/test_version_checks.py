"""The checks on a teacher's versions."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.graph.drift.version_checks import (
    drift_lines,
    drift_note,
    grades_before_and_after,
    mixed_versions,
)
from relabel_assets.teacher.grading.grading import LABEL_SCHEMA
from relabel_assets.warehouse.warehouse import Warehouse

HASH = "0" * 64


def labels(grades: list[int | None], model: str = "old", prompt: str = "a" * 64) -> pl.DataFrame:
    """A row of teacher_labels for each of `grades`; a pair without one failed."""
    rows = [
        dict.fromkeys(LABEL_SCHEMA)
        | {"query_id": "q", "doc_id": f"d{i:03}", "grade": grade, "attempts": 1}
        | {"status": "failed" if grade is None else "ok", "status_reason": "x"}
        | {"teacher_model": model, "prompt_hash": prompt}
        for i, grade in enumerate(grades)
    ]
    return pl.DataFrame(rows, schema=LABEL_SCHEMA, orient="row")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.at(tmp_path / "warehouse.duckdb")


def write(warehouse: Warehouse, rows: pl.DataFrame, table: str = "teacher_labels") -> None:
    warehouse.replace(table, "tiny", rows, input_hash=HASH)


def test_several_versions_among_graded_pairs_are_named_and_failed_ones_do_not_count(
    warehouse: Warehouse,
) -> None:
    one = labels([0, 1, 2])
    failed = labels([None], model="new").with_columns(doc_id=pl.lit("e0"))
    write(warehouse, pl.concat([one, failed]))
    assert mixed_versions(warehouse, ("teacher_labels",), "tiny") == []
    other_prompt = labels([3], prompt="b" * 64).with_columns(doc_id=pl.lit("e1"))
    write(warehouse, pl.concat([one, other_prompt]))
    assert mixed_versions(warehouse, ("teacher_labels",), "tiny") == [
        "3 pairs graded by old, prompt and rubric aaaaaaaa",
        "1 pair graded by old, prompt and rubric bbbbbbbb",
    ]


def test_asked_labels_of_another_version_than_teacher_labels_are_named(
    warehouse: Warehouse,
) -> None:
    write(warehouse, labels([0, 1]))
    tables = ("teacher_labels", "asked_labels")
    assert mixed_versions(warehouse, tables, "tiny") == []
    write(warehouse, labels([0], model="new"), "asked_labels")
    assert len(mixed_versions(warehouse, tables, "tiny")) == 2


def test_a_write_that_moves_more_than_one_grade_in_ten_is_a_finding(warehouse: Warehouse) -> None:
    write(warehouse, labels([0] * 15 + [2] * 5))
    assert drift_lines(warehouse, "tiny") == [] and drift_note(warehouse, "tiny") == ""
    write(warehouse, labels([1] * 2 + [0] * 13 + [2] * 5, "new"))  # one in ten is allowed
    assert drift_lines(warehouse, "tiny") == []
    assert drift_note(warehouse, "tiny").startswith(
        "The last write moved grades: 2 of 20 moved, 10"
    )
    write(warehouse, labels([1] * 4 + [0] * 11 + [1] + [2] * 4, "newer"))
    assert drift_lines(warehouse, "tiny") == [
        "all grades: 3 of 20 moved, 15.0% [5.2%, 36.0%]",
        "grade 0: 2 of 13 moved, 15.4% [4.3%, 42.2%], 0 lower, 2 higher",
        "grade 1: 0 of 2 moved, 0.0% [0.0%, 65.8%], 0 lower, 0 higher",
        "grade 2: 1 of 5 moved, 20.0% [3.6%, 62.4%], 1 lower, 0 higher",
    ]
    write(warehouse, labels([1] * 4 + [0] * 11 + [1] + [2] * 4, "newest"))
    assert drift_lines(warehouse, "tiny") == [], "the last write moved nothing"


def test_pairs_that_lost_or_first_got_their_grade_did_not_move(warehouse: Warehouse) -> None:
    write(warehouse, labels([0, None, 2]))
    write(warehouse, labels([None, 1, 2, 3]))
    assert grades_before_and_after(warehouse, "tiny").rows() == [("q", "d002", 2, 2)]
    write(
        warehouse, labels([3, 1, 2, 3])
    )  # d000 lost its grade before: there is none to compare with
    assert "d000" not in grades_before_and_after(warehouse, "tiny")["doc_id"]
