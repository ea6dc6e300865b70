"""CSV and TSV: delimiters, encodings, quotes that may mean two things, and the line of what is refused."""

import io

import pytest

from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.column_names import Columns
from relabel_assets.intake.tables.delimited import delimited_table

FREE = Columns({}, ())
TEXTS = Columns(
    {"id": ("ID", "_id", "doc id"), "body": ("text", "content")},
    (("id",), ("body",)),
    ids=frozenset({"id"}),
    numbers=frozenset({"grade"}),
    headerless=("id", "body"),
)


def rows(text: bytes, columns: Columns = FREE, *, is_tsv: bool = False) -> list[tuple[int, object]]:
    return [
        (line, row.message if isinstance(row, SetAside) else row)
        for line, row in delimited_table(io.BytesIO(text), columns, is_tsv=is_tsv).rows
    ]


def bodies(text: bytes, *, is_tsv: bool = False) -> list[object]:
    return [
        row["body"] if isinstance(row, dict) else row for _, row in rows(text, TEXTS, is_tsv=is_tsv)
    ]


def taken(text: bytes, *, is_tsv: bool = False) -> str:
    return delimited_table(io.BytesIO(text), TEXTS, is_tsv=is_tsv).taken


def test_a_row_has_the_number_of_its_first_line() -> None:
    assert rows(b'\xef\xbb\xbfid,body\r\na,"one\ntwo"\r\n\r\nb,x\r\n') == [
        (2, {"id": "a", "body": "one\ntwo"}),
        (5, {"id": "b", "body": "x"}),
    ]


def test_a_ragged_row_and_one_that_is_not_utf_8_cost_themselves() -> None:
    text = b"id,body\na\nb,x,y\n" + b"c,caf\xe9\nd,N\0\n" + "e,één goed\n".encode()
    assert rows(text) == [
        (2, "it has 1 fields, and the first line 2"),
        (3, "it has 3 fields, and the first line 2"),
        (4, "not UTF-8 text, or with a NUL"),
        (5, "not UTF-8 text, or with a NUL"),
        (6, {"id": "e", "body": "één goed"}),
    ]


def test_an_open_quote_is_named_with_its_line() -> None:
    with pytest.raises(SetAside, match=r"not CSV from line 3 on .*is not closed"):
        rows(b'id,body\na,x\nb,"open\nc,y\n')
    with pytest.raises(SetAside, match="not CSV from line 2 on"):
        rows(b'id,body\na,"x"y\n')
    with pytest.raises(SetAside, match="not CSV from line 4 on"):
        rows(b'sep=;\nid;body\na;x\nb;"open\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"id,body,id\na,x,b\n", "'id' is there twice"),
        (b"ID,_id,body\na,x,b\n", "'ID' and '_id' may both be id"),
        (b"id,text,content\na,x,b\n", "'text' and 'content' may both be body"),
        (b"id,\xff\xff\n", "not UTF-8, and which other encoding it has is not certain"),
        (b'"id', "not CSV from line 1 on"),
        (b"name,text\n1,x\n", "it has no column id; its columns: 'name, text'"),
        (b"", "it has no column id; its columns: none"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(SetAside, match=message):
        rows(text, TEXTS)


def test_a_column_without_a_name_is_left_out_and_may_be_there_twice() -> None:
    assert rows(b"id,,\na,b,c\n") == [(2, {"id": "a"})]


@pytest.mark.parametrize(
    ("text", "is_tsv", "expected"),
    [
        (b"ID,Text\n1,a;b\n", False, "CSV with commas, UTF-8; id from 'ID', body from 'Text'"),
        (b"id;price;body\n1;1,5;a,b\n", False, "CSV with semicolons, UTF-8"),
        (b"sep=|\r\nid|body\r\n1|a\r\n", False, "CSV with bars, UTF-8"),
        (b"id\tbody\n1\ta\n", False, "TSV, UTF-8"),
        (b"id,body\n1,a\n", True, "CSV with commas, UTF-8"),
        ("id\tbody\n1\té".encode("utf-16"), False, "TSV, UTF-16"),
        ("id;body\n1;é".encode("utf-16-be"), False, "CSV with semicolons, UTF-16"),
        ("id,body\n1,Größe der Wohnung – 5 €".encode("cp1252"), False, "CSV with commas, cp1252"),
    ],
)
def test_it_says_which_delimiter_encoding_and_columns_it_took(
    text: bytes, is_tsv: bool, expected: str
) -> None:
    assert taken(text, is_tsv=is_tsv) == expected
    assert len(rows(text, TEXTS, is_tsv=is_tsv)) == 1


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        ("Umowa o pracę została podpisana w dniu pierwszego stycznia", "cp1250"),
        ("Příklad směrnice o dovolené", "cp1250"),
        ("İstanbul şehir çalışma", "cp1254"),
        ("Приказ о выплате зарплаты", "cp1251"),
        ("Δελτίο μισθοδοσίας", "cp1253"),
    ],
)
def test_an_encoding_that_only_looks_like_cp1252_is_refused(body: str, encoding: str) -> None:
    with pytest.raises(SetAside, match="which other encoding it has is not certain"):
        taken(f"id,body\n1,{body}\n".encode(encoding))


def test_a_byte_that_cp1252_has_not_is_named_with_its_line() -> None:
    with pytest.raises(SetAside, match="byte 0x81 in line 3"):
        taken(b"id,body\n1,x\n2,\x81\x81\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Written with backslashes: read as CSV, row 2 would swallow row 3.
        (rb"""id,body
1,"say \"hi\" now"
2,"a \""
3,"b"
""", ['say "hi" now', 'a "', "b"]),
        # A backslash at the end of a cell.
        (rb"""id,body
1,"C:\dir\"
2,"D"
""", ["C:\\dir\\", "D"]),
        # Doubled quotes behind a backslash, as pandas writes code.
        (rb"""id,body
1,"x = \""hi\"""
2,"D"
""", ['x = \\"hi\\"', "D"]),
    ],
)  # fmt: skip
def test_a_backslash_before_a_quote_is_read_in_the_way_that_gives_whole_rows(
    text: bytes, expected: list[str]
) -> None:
    assert bodies(text) == expected


def test_a_ragged_row_does_not_turn_the_meaning_of_backslashes() -> None:
    text = b'id,body\n1,"say \\"hi\\" now"\n2\n3,b\n'
    assert bodies(text) == ['say "hi" now', "it has 1 fields, and the first line 2", "b"]


def test_rows_that_differ_by_the_meaning_of_a_backslash_are_refused_with_their_line() -> None:
    with pytest.raises(SetAside, match="in one way alone from line 3 on"):
        bodies(b'id,body\n0,x\n1,say \\"hi\\"\n')


def test_quotes_in_a_tsv_file_of_whole_lines_are_text_where_one_does_not_close() -> None:
    raw = b'id\tbody\n1\t"Hello world\n2\tfoo "\n'
    assert bodies(raw, is_tsv=True) == ['"Hello world', 'foo "']
    assert taken(raw, is_tsv=True) == "TSV, UTF-8; quotes are text"
    quoted = b'id\tbody\n1\t"say ""hi"""\n2\t"two\nlines"\n'
    assert bodies(quoted, is_tsv=True) == ['say "hi"', "two\nlines"]


def test_a_tsv_file_without_header_is_read_if_its_first_line_can_only_be_a_row() -> None:
    assert rows(b"1\ta\n2\tb\n", TEXTS, is_tsv=True) == [
        (1, {"id": "1", "body": "a"}),
        (2, {"id": "2", "body": "b"}),
    ]
    assert taken(b"1\ta\n", is_tsv=True) == "TSV, UTF-8; no header: id and body"
    for header in (b"number\ttopic", b"id\ttopic", b"d1\tx\ty", b"d1"):
        with pytest.raises(SetAside, match="it has no column"):
            rows(header + b"\n1\ta\n", TEXTS, is_tsv=True)
    with pytest.raises(SetAside, match="it has no column"):  # a comma is no tab
        rows(b"1,a\n2,b\n", TEXTS)


def test_ids_and_grades_are_what_spreadsheets_make_of_them() -> None:
    text = "id,body,grade\n12.0,a,2\n 0012 ,b,2.0\n1.23E+12,c,1\ncafe\u0301,d,good\n".encode()
    assert rows(text, TEXTS) == [
        (2, {"id": "12", "body": "a", "grade": 2}),
        (3, {"id": "0012", "body": "b", "grade": 2.0}),
        (4, "id is 1.23E+12: a spreadsheet wrote a long number so, and its last digits are lost"),
        (5, {"id": "caf\u00e9", "body": "d", "grade": "good"}),
    ]
