"""Documents from rows and from files: the source of each column, and the content hash."""

import hashlib
import json
from datetime import date, datetime

import pytest

from relabel_assets.corpus.documents import (
    COLUMNS,
    content_hash,
    document_from_row,
    documents_from_rows,
    frames_of,
)
from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_METADATA_CHARACTERS
from relabel_assets.intake.one_input import SetAside
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

FULL = {
    "doc_id": "d1",
    "title": "Leave",
    "body": "Text.",
    "author": "Ana",
    "path": "hr/leave",
    "updated_at": "2026-02-01",
    "doc_type": "policy",
}


def test_a_row_keeps_its_columns_and_gets_a_hash() -> None:
    document = document_from_row(FULL)
    assert {name: document[name] for name in FULL} == FULL
    assert set(document) == set(COLUMNS)


def test_the_hash_is_of_title_body_and_metadata_in_this_order() -> None:
    """In another order every stored document would count as changed."""
    values = ["Leave", "Text.", "Ana", "hr/leave", "2026-02-01", "policy"]
    expected = hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()
    assert content_hash(FULL) == document_from_row(FULL)["content_hash"] == expected
    assert expected == "a9211aaab486a90987fa1db925f48ea16660f1cd35ac68f8113001b5a1cb68b4"


def test_the_hash_is_of_utf_8_text() -> None:
    """Pinned: another encoding of é would make every document of a warehouse look changed."""
    fields = dict.fromkeys(DOCUMENT_COLUMNS) | {"title": "Congé", "body": "parental"}
    expected = '["Congé", "parental", null, null, null, null]'
    assert content_hash(fields) == hashlib.sha256(expected.encode()).hexdigest()


@pytest.mark.parametrize("column", DOCUMENT_COLUMNS)
def test_each_column_counts_in_the_hash_and_the_id_does_not(column: str) -> None:
    assert content_hash(FULL | {column: "other"}) != content_hash(FULL)
    assert content_hash(FULL | {"doc_id": "other"}) == content_hash(FULL)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2026, 2, 1), "2026-02-01"),
        (datetime(2026, 2, 1, 8, 30), "2026-02-01T08:30:00"),
        (2026, "2026"),
        (1.5, "1.5"),
        ("yesterday", "yesterday"),
        ("", None),
        (None, None),
    ],
)
def test_metadata_is_text_and_dates_are_iso_8601(value: object, text: str | None) -> None:
    assert document_from_row(FULL | {"updated_at": value})["updated_at"] == text


@pytest.mark.parametrize("value", [True, ["Ana"], {"name": "Ana"}])
def test_metadata_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(SetAside, match="author is"):
        document_from_row(FULL | {"author": value})


def test_the_first_of_two_documents_with_an_id_is_kept() -> None:
    problems: list[Problem] = []
    rows = [
        (1, {"doc_id": "b", "body": "1"}),
        (2, {"doc_id": "a", "body": "2"}),
        (3, {"doc_id": "b", "body": "3"}),
    ]
    (documents,) = frames_of(documents_from_rows(rows, file="f", problems=problems))
    assert documents.select("doc_id", "body").rows() == [("b", "1"), ("a", "2")]
    assert documents.columns == list(COLUMNS)
    assert [(problem.line, "line 1" in problem.message) for problem in problems] == [(3, True)]


def test_hidden_text_is_left_out_of_body_title_and_hash() -> None:
    hidden = "Ask HR.<!-- parental leave -->"
    row = document_from_row({"doc_id": "d1", "title": "Leave\u200b", "body": hidden})
    assert (row["title"], row["body"]) == ("Leave", "Ask HR.")
    assert row == document_from_row({"doc_id": "d1", "title": "Leave", "body": "Ask HR."})


@pytest.mark.parametrize("body", ["<!-- leave -->", "<p hidden>leave</p>\n", "\u200b"])
def test_a_document_of_hidden_text_alone_is_set_aside(body: str) -> None:
    with pytest.raises(SetAside, match="hidden text alone"):
        document_from_row({"doc_id": "d1", "body": body})


def test_a_title_of_hidden_text_alone_is_no_title() -> None:
    assert (
        document_from_row({"doc_id": "d1", "title": "<!-- leave -->", "body": "Ask."})["title"]
        is None
    )


def test_what_has_no_column_is_metadata_and_counts_in_the_hash() -> None:
    row = FULL | {"region": "EU", "product": "x", "empty": "", "none": None}
    document = document_from_row(row)
    assert document["metadata"] == '{"product": "x", "region": "EU"}'
    assert document["content_hash"] != document_from_row(FULL)["content_hash"]
    assert document == document_from_row(FULL | {"product": "x", "region": "EU"})
    assert document_from_row(FULL)["metadata"] is None


@pytest.mark.parametrize(
    ("value", "metadata"),
    [
        ({"product": "x"}, '{"product": "x"}'),
        ('{"product": "x"}', '{"product": "x"}'),
        ("{torn", '{"metadata": "{torn"}'),
        ("text", '{"metadata": "text"}'),
        ([1], '{"metadata": [1]}'),
        ({}, None),
        (None, None),
    ],
)
def test_a_column_metadata_may_hold_an_object_or_its_json(
    value: object, metadata: str | None
) -> None:
    assert document_from_row(FULL | {"metadata": value})["metadata"] == metadata


def test_too_much_metadata_is_left_out_by_name_and_the_rest_stays() -> None:
    document = document_from_row(FULL | {"long": "x" * MAX_METADATA_CHARACTERS, "product": "x"})
    assert document["metadata"] == '{"left_out": ["long"], "product": "x"}'


def test_metadata_cannot_break_a_row() -> None:
    text = document_from_row(FULL | {"a\x00": "\ud800", "b": "e\u0301"})["metadata"] or ""
    assert json.loads(text) == {"a\x00": "\ufffd", "b": "\u00e9"}


def test_all_texts_are_nfc() -> None:
    """What was written on a Mac must meet what was written elsewhere."""
    composed = {name: f"caf\u00e9 {name}" for name in FULL}
    decomposed = {name: f"cafe\u0301 {name}" for name in FULL}
    assert document_from_row(decomposed) == document_from_row(composed)
