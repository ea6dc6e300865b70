"""Whose grades an export has, and their provenance."""

from typing import Any

import polars as pl
import pytest

from relabel_assets.errors import ConfigError, WarehouseError
from relabel_assets.exchange.chosen_labels import chosen_labels
from relabel_assets.exchange.judgments import JUDGMENTS

PAIR = {"query_id": ["q1"], "doc_id": ["d1"]}
NONE = {"expected_grade": None, "grade_probs": None}


def answers(doc_id: str, grade: int | None, status: str = "ok") -> pl.DataFrame:
    values: dict[str, Any] = {"query_id": "q1", "doc_id": doc_id, "grade": grade, "status": status}
    values |= {"teacher_model": "gpt", "prompt_hash": "ab", "request_key": "cd"} | NONE
    return pl.DataFrame([values], schema_overrides={"grade": pl.Int64})


def final(doc_id: str, grade: int, labeler: str) -> dict[str, Any]:
    values = {"query_id": "q1", "doc_id": doc_id, "grade": grade, "labeler": labeler}
    return values | {"model_id": "s1", "request_key": None, "n_known": 1} | NONE


TABLES = {
    "synthetic_queries": pl.DataFrame(
        {"query_id": ["q1", "q2"], "text": ["leave", "travel"], "split": ["benchmark", "train"]}
    ),
    "seed_docs": pl.DataFrame({"doc_id": ["d1", "d2", "d3"], "title": ["Leave", None, None]}),
    "teacher_labels": pl.concat([answers("d1", 1), answers("d2", None, "refused")]),
    "asked_labels": answers("d3", 2),
    "reference_labels": pl.DataFrame(
        {
            "query_id": ["q1"] * 3,
            "doc_id": ["d1", "d1", "d2"],
            "assessor": ["ben", "ana", "0"],
            "grade": [3, 2, 1],
            "kind": ["human", "human", "adjudicated"],
        }
    ),
    "final_labels": pl.DataFrame(
        [final("d1", 2, "people"), final("d2", 0, "student"), final("d3", 2, "teacher")],
        schema_overrides={"expected_grade": pl.Float64},
    ),
    "imported_labels": pl.DataFrame(
        [{"query_id": "q2", "doc_id": "d1", "labeler": "vendor", "grade": 3, "model": "x"}]
    ),
}


def labels(labeler: str, *splits: str) -> list[dict[str, Any]]:
    frame = chosen_labels(TABLES.__getitem__, labeler, "demo", splits)
    assert frame.schema == pl.Schema(JUDGMENTS)
    return frame.to_dicts()


def given(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["doc_id"], row["grade"], row["labeler"], row["model"]) for row in rows]


def test_a_final_grade_names_its_giver_and_the_givers_model() -> None:
    rows = labels("final")
    assert given(rows) == [
        ("d1", 2, "people", "ana, ben"),
        ("d2", 0, "student", "s1"),
        ("d3", 2, "teacher", "gpt"),
    ]
    assert [row["prompt_hash"] for row in rows] == [None, None, "ab"]


def test_a_failure_of_the_teacher_is_no_grade_and_label_queries_count() -> None:
    assert given(labels("teacher")) == [("d1", 1, "teacher", "gpt"), ("d3", 2, "teacher", "gpt")]


def test_people_are_people_alone_and_their_median_is_rounded_down() -> None:
    assert given(labels("people")) == [("d1", 2, "people", "ana, ben")]
    assert [row[0] for row in given(labels("reference"))] == ["d1", "d2"]


def test_an_imported_labeler_is_one_and_an_unknown_one_is_refused() -> None:
    assert given(labels("vendor")) == [("d1", 3, "vendor", "x")]
    with pytest.raises(ConfigError, match=r"Labelers: final, student, .*, vendor"):
        labels("vendr")


def test_a_split_without_grades_says_so() -> None:
    assert len(labels("final", "benchmark", "dev")) == 3
    with pytest.raises(WarehouseError, match="no grades by final of the split dev"):
        labels("final", "dev")
