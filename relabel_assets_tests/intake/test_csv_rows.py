"""CSV rows: strict, by line, and the end of a file that cannot be split."""

import io

import pytest

from relabel_assets.intake.csv_rows import csv_rows
from relabel_assets.intake.one_input import SetAside


def rows(text: bytes) -> list[tuple[int, object]]:
    return [
        (line, row.message if isinstance(row, SetAside) else row)
        for line, row in csv_rows(io.BytesIO(text), lambda names: None)
    ]


def test_a_row_has_the_number_of_its_first_line() -> None:
    assert rows(b'\xef\xbb\xbfid,body\r\na,"one\ntwo"\r\n\r\nb,x\r\n') == [
        (2, {"id": "a", "body": "one\ntwo"}),
        (5, {"id": "b", "body": "x"}),
    ]


def test_a_ragged_row_and_one_that_is_not_utf_8_cost_themselves() -> None:
    assert rows(b"id,body\na\nb,x,y\nc,caf\xe9\nd,N\0\ne,good\n") == [
        (2, "it has 1 fields, and the first line 2"),
        (3, "it has 3 fields, and the first line 2"),
        (4, "not UTF-8 text, or with a NUL"),
        (5, "not UTF-8 text, or with a NUL"),
        (6, {"id": "e", "body": "good"}),
    ]


def test_an_open_quote_is_named_with_its_line() -> None:
    with pytest.raises(SetAside, match=r"not CSV from line 3 on .*is not closed"):
        rows(b'id,body\na,x\nb,"open\nc,y\n')
    with pytest.raises(SetAside, match="not CSV from line 2 on"):
        rows(b'id,body\na,"x"y\n')


def columns(text: bytes) -> list[str]:
    seen: list[str] = []
    list(csv_rows(io.BytesIO(text), seen.extend))
    return seen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"id,body,id\na,x,b\n", "'id' is there twice"),
        (b"id,\xff\n", "not UTF-8"),
        (b'"id', "not CSV from line 1 on"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(SetAside, match=message):
        columns(text)


def test_empty_column_names_may_repeat_and_an_empty_file_has_no_column() -> None:
    assert columns(b"id,,\n") == ["id", "", ""]
    assert columns(b"") == []
