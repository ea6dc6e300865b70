"""Parsing shared by all readers: JSON lines, checked fields and duplicates, each value by hand."""

from typing import Any

import pytest

from relabel_assets.corpus.rows import (
    DuplicateCheck,
    json_objects,
    optional_choice,
    optional_text,
    required_grade,
    required_id,
    required_text,
)
from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_LINE_BYTES
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown


def read(*lines: bytes) -> tuple[list[tuple[int, dict[str, Any]]], list[Problem]]:
    problems: list[Problem] = []
    return list(
        json_objects(enumerate(lines, start=1), file="f.jsonl", problems=problems)
    ), problems


def test_a_bad_line_is_a_problem_and_later_lines_keep_their_numbers() -> None:
    rows, problems = read(b'{"a": 1}\n', b"{\n", b"\n", b'{"a": 4}\n')
    assert rows == [(1, {"a": 1}), (4, {"a": 4})]
    assert [(problem.file, problem.line) for problem in problems] == [("f.jsonl", 2)]


@pytest.mark.parametrize("first", [b'\xef\xbb\xbf{"a": 1}\n', b"\xef\xbb\xbf\n"])
def test_a_byte_order_mark_is_ignored(first: bytes) -> None:
    rows, problems = read(first, b'{"a": 2}\n')
    assert rows[-1] == (2, {"a": 2})
    assert problems == []


def test_only_a_last_line_without_a_newline_is_torn() -> None:
    _, (malformed,) = read(b'{"a":\n')
    _, (torn,) = read(b'{"a":')
    assert "ends in the middle" in torn.message
    assert "ends in the middle" not in malformed.message


def test_a_line_over_the_limit_is_not_parsed() -> None:
    _, (problem,) = read(b'{"a": "' + b"x" * MAX_LINE_BYTES + b'"}\n')
    assert f"{MAX_LINE_BYTES:,}" in problem.remedy


@pytest.mark.parametrize(
    ("value", "expected"), [("d1", "d1"), (" d1 ", "d1"), (7, "7"), (0, "0"), (-1, "-1")]
)
def test_an_id_is_text_or_a_whole_number(value: object, expected: str) -> None:
    assert required_id({"doc_id": value}, "doc_id") == expected


@pytest.mark.parametrize("value", [None, "", "  ", True, 1.5, ["d1"], {}])
def test_any_other_id_is_refused(value: object) -> None:
    with pytest.raises(SetAside, match="doc_id is"):
        required_id({"doc_id": value}, "doc_id")


@pytest.mark.parametrize("value", [None, "", " \t\n"])
def test_blank_text_is_none_and_refused_where_text_is_required(value: object) -> None:
    assert optional_text({"title": value}, "title") is None
    assert optional_text({}, "title") is None
    with pytest.raises(SetAside, match="title is missing or empty"):
        required_text({"title": value}, "title")


def test_text_is_unchanged() -> None:
    assert optional_text({"body": " two\n words "}, "body") == " two\n words "


@pytest.mark.parametrize(
    ("value", "message"), [(7, "not text"), ("a\x00b", "NUL"), ("\ud800", "surrogate")]
)
def test_a_value_that_is_not_text_is_refused(value: object, message: str) -> None:
    with pytest.raises(SetAside, match=message):
        optional_text({"body": value}, "body")


def test_a_choice_is_one_of_the_allowed_values_or_none() -> None:
    allowed = ("train", "benchmark")
    assert optional_choice({"split": "train"}, "split", allowed) == "train"
    assert optional_choice({"split": None}, "split", allowed) is None
    with pytest.raises(SetAside) as refused:
        optional_choice({"split": "Train"}, "split", allowed)
    assert refused.value.remedy == "Allowed: train, benchmark."


@pytest.mark.parametrize(("value", "grade"), [(0, 0), (3, 3), (2.0, 2)])
def test_a_whole_number_of_the_rubric_is_a_grade(value: float, grade: int) -> None:
    result = required_grade(value, max_grade=3)
    assert (result, type(result)) == (grade, int)


@pytest.mark.parametrize("value", [-1, 4, 2.5, True, False, "2", None, float("nan"), float("inf")])
def test_any_other_grade_is_refused(value: object) -> None:
    with pytest.raises(SetAside, match="grade is") as refused:
        required_grade(value, max_grade=3)
    assert "0 to 3" in refused.value.remedy


def test_the_highest_grade_follows_the_rubric() -> None:
    assert required_grade(1, max_grade=1) == 1
    with pytest.raises(SetAside):
        required_grade(2, max_grade=1)


def test_a_duplicate_key_is_refused_with_the_line_of_the_first() -> None:
    ids = DuplicateCheck()
    ids.add("d1", "doc_id 'd1'", "line 1")
    ids.add("d2", "doc_id 'd2'", "line 2")
    with pytest.raises(SetAside) as refused:
        ids.add("d1", "doc_id 'd1'", "line 3")
    assert refused.value.message == "doc_id 'd1' came before, in line 1"
    with pytest.raises(SetAside, match="line 1"):  # the place of the first, not of the second
        ids.add("d1", "doc_id 'd1'", "line 4")


def test_a_value_in_a_message_is_at_most_60_characters() -> None:
    assert shown("abc") == "'abc'"
    assert len(shown("x" * 58)) == 60
    assert shown("x" * 59) == "'" + "x" * 58 + "…"
