"""What becomes of a grade when its document changes: kept, moved, stale, or none of these."""

from typing import Any

import polars as pl
import pytest

from relabel_assets.teacher.grading.carried import carried_counts, with_carried
from relabel_assets.teacher.grading.grading import label_frame

FIRST = {
    "query_id": "q",
    "doc_id": "d",
    "status": "ok",
    "grade": 2,
    "request_key": "request 1",
    "teacher_model": "m",
    "prompt_hash": "p",
    "passages": '[[0,9,"a"]]',
    "document_hash": "version 1",
}
MOVED = {"passages": '[[5,14,"a"]]'}
ASKED_AGAIN = {"request_key": "request 2"}


def carried(row: dict[str, Any], before: dict[str, Any] | None, version: str) -> str | None:
    """`carried` of `row`, made from that version of the document, after the row `before`."""
    documents = pl.DataFrame({"doc_id": ["d", "e"], "content_hash": [version, "other"]})
    old = label_frame([before] if before else [])
    new = with_carried(label_frame([row | {"document_hash": None}]), old, documents)
    assert new.columns == old.columns and new["grade"].to_list() == [row["grade"]]
    assert new["document_hash"].to_list() == [version if row["request_key"] else None]
    return new["carried"].item()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "kept"),
        (MOVED, "moved"),
        ({"passages": None}, "moved"),  # a body that is now short enough, shown in the same words
        (ASKED_AGAIN, "stale"),
        (ASKED_AGAIN | {"status": "over_budget", "grade": None}, "stale"),
        (ASKED_AGAIN | {"teacher_model": "another"}, None),  # asked again for another reason too
        (ASKED_AGAIN | {"prompt_hash": "another"}, None),
    ],
)
def test_a_grade_is_carried_by_what_the_teacher_would_see(
    change: dict[str, Any], expected: str | None
) -> None:
    assert carried(FIRST | change, FIRST, "version 2") == expected


def test_a_grade_whose_document_is_as_it_was_stays_what_it_was() -> None:
    assert carried(FIRST, FIRST, "version 1") is None
    assert carried(FIRST, FIRST | {"carried": "moved"}, "version 1") == "moved"
    over_budget = FIRST | {"status": "over_budget", "grade": None, "carried": "stale"}
    assert carried(FIRST, over_budget, "version 1") == "stale"  # it was asked with more budget


def test_another_request_about_the_same_document_is_not_carried() -> None:
    assert carried(FIRST | ASKED_AGAIN, FIRST | {"carried": "kept"}, "version 1") is None


@pytest.mark.parametrize(
    "before",
    [
        None,  # a new pair
        FIRST | {"status": "over_budget", "grade": None},  # there was no grade
        FIRST | {"document_hash": None},  # a row of an earlier version
    ],
)
def test_without_an_earlier_grade_of_a_known_version_nothing_is_carried(
    before: dict[str, Any] | None,
) -> None:
    assert carried(FIRST, before, "version 2") is None


def test_a_recorded_grade_answers_no_request_and_is_not_carried() -> None:
    recorded = FIRST | {"request_key": None, "document_hash": None}
    assert carried(recorded, recorded, "version 2") is None


def test_the_rows_stay_in_order_and_are_counted() -> None:
    rows = [FIRST | {"query_id": f"q{n}"} for n in (3, 1, 2)]
    documents = pl.DataFrame({"doc_id": ["d"], "content_hash": ["version 2"]})
    changed = [rows[0], rows[1] | MOVED, rows[2] | ASKED_AGAIN]
    after = with_carried(label_frame(changed), label_frame(rows), documents)
    assert after["query_id"].to_list() == ["q3", "q1", "q2"]
    assert after["carried"].to_list() == ["kept", "moved", "stale"]
    assert carried_counts(after) == {"grades_kept": 1, "grades_moved": 1, "grades_stale": 1}
    assert carried_counts(label_frame(rows)) == {}
