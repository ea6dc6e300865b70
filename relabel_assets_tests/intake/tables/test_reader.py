"""The one reader of tables: the same rows from every format, sheets, JSON arrays, and damaged files."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables import sheet_rows
from relabel_assets.intake.tables.kinds import DOCUMENTS, REFERENCE_LABELS, TEACHER_LABELS
from relabel_assets.intake.tables.reader import read_table
from relabel_assets_tests.intake.tables.sheets import write_xlsx

FRAME = pl.DataFrame(
    {"ID": ["1", "0012"], "Title": ["a", None], "Contents": ["x, y", 'say "hi"\nto']}
)
EXPECTED = [("1", "a", "x, y"), ("0012", None, 'say "hi"\nto')]


def rows_of(path: Path, columns=DOCUMENTS):
    with path.open("rb") as file:
        table = read_table(file, path.suffix, columns)
        return [
            (line, row.message if isinstance(row, SetAside) else row) for line, row in table.rows
        ], table.taken


def write_sheet(path: Path) -> None:
    rows = [list(FRAME.columns), *(list(row) for row in FRAME.iter_rows())]
    write_xlsx(path, {"Notes": [["about"], ["us"]], "Pages": rows})


WRITERS: dict[str, Callable[[Path], object]] = {
    ".csv": FRAME.write_csv,
    ".tsv": lambda path: FRAME.write_csv(path, separator="\t"),
    ".jsonl": FRAME.write_ndjson,
    ".json": FRAME.write_json,
    ".parquet": FRAME.write_parquet,
    ".xlsx": write_sheet,
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    WRITERS[suffix](path)
    rows, _ = rows_of(path)
    found = [(row["doc_id"], row.get("title") or None, row["body"]) for _, row in rows]
    assert found == EXPECTED


def test_the_first_sheet_with_the_columns_is_read_and_named(tmp_path: Path) -> None:
    write_sheet(tmp_path / "t.xlsx")
    rows, taken = rows_of(tmp_path / "t.xlsx")
    assert [line for line, _ in rows] == [2, 3]
    assert taken == "sheet 'Pages'; doc_id from 'ID', title from 'Title', body from 'Contents'"


def test_numbers_of_a_sheet_are_ids_grades_and_texts(tmp_path: Path) -> None:
    rows = [
        ["qid", "docno", "rel", "rationale"],
        [12, 7.0, 3, 404],
        ["0012", 1.23e17, "2", date(2026, 2, 1)],
        ["0013", 8, "2.5", None],
    ]
    write_xlsx(tmp_path / "t.xlsx", {"Sheet1": rows})
    found, _ = rows_of(tmp_path / "t.xlsx", TEACHER_LABELS)
    assert found[0] == (
        2,
        {"query_id": "12", "doc_id": "7", "grade": 3.0, "rationale": "404"},
    )
    assert found[1] == (3, "doc_id is the number 1.23e+17, whose last digits may be lost")
    assert found[2][1]["grade"] == 2.5


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ({"A": [["x", "y"], [1, 2]]}, "it has no column doc_id; its columns: 'x, y'"),
        ({"A": []}, "it has no column doc_id; its columns: none"),
        ({"A": [["x"]], "B": [["id", "_id", "text"]]}, "none of its sheets can be used"),
    ],
)
def test_a_spreadsheet_without_the_columns_is_refused(
    tmp_path: Path, sheets: dict[str, list[list[object]]], message: str
) -> None:
    write_xlsx(tmp_path / "t.xlsx", sheets)
    with pytest.raises(SetAside, match=message):
        rows_of(tmp_path / "t.xlsx")


@pytest.mark.parametrize("content", [b"", b"no sheet", b"PK\x03\x04 torn", b"\xd0\xcf\x11\xe0torn"])
@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".ods"])
def test_a_damaged_spreadsheet_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(content)
    with pytest.raises(SetAside, match=r"it cannot be read as a spreadsheet|parser crashed"):
        rows_of(path)


@pytest.mark.slow
def test_a_spreadsheet_that_unpacks_beyond_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relabel_assets.intake.tables import limited_rows

    monkeypatch.setattr(limited_rows, "PARSER_MEMORY_BYTES", 2**29)
    write_xlsx(tmp_path / "t.xlsx", {"A": [["id", "text"], ["1", "x"]]})
    with zipfile.ZipFile(tmp_path / "t.xlsx") as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    cell = b'<row><c t="inlineStr"><is><t>' + b"x" * 300_000_000 + b"</t></is></c></row>"
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, part in parts.items():
            is_sheet = name.startswith("xl/worksheets/")
            packed.writestr(
                name, part.replace(b"</sheetData>", cell + b"</sheetData>") if is_sheet else part
            )
    with pytest.raises(SetAside, match=r"more than 0 GiB|cannot be read as a spreadsheet"):
        rows_of(tmp_path / "t.xlsx")


def test_a_spreadsheet_over_the_limit_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet_rows, "MAX_SHEET_FILE_BYTES", 10)
    write_sheet(tmp_path / "t.xlsx")
    with pytest.raises(SetAside, match="of a spreadsheet at most"):
        rows_of(tmp_path / "t.xlsx")


def array(text: str) -> list[tuple[int, object]]:
    return [
        (line, row.message if isinstance(row, SetAside) else row)
        for line, row in read_table(io.BytesIO(text.encode()), ".json", REFERENCE_LABELS).rows
    ]


def test_a_json_array_has_the_line_of_each_object_and_a_bad_value_costs_itself() -> None:
    rows = array('\ufeff [\n  {"qid": 1, "docno": "d", "rel": 2},\n  7,\n\n  {"qid": "q"}\n]\n')
    assert rows == [
        (2, {"query_id": "1", "doc_id": "d", "grade": 2}),
        (3, "a int, not an object"),
        (5, {"query_id": "q"}),
    ]
    assert array("[]") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[\n{"a": 1},\n{"a": }\n]', "from line 3 on"),
        ('[\n{"a": 1}\n{"a": 1}\n]', "from line 3 on .a comma or . is missing"),
        ('[\n{"a": 1}\n', "from line 3 on"),
        ('[{"a": 1}]\n more', "text after the array"),
    ],
)
def test_a_broken_array_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(SetAside, match=message):
        array(text)


def test_a_json_file_of_lines_is_read_as_lines() -> None:
    text = json.dumps({"qid": "q", "docno": "d", "score": 1}) + "\n"
    assert array(text) == [(1, {"query_id": "q", "doc_id": "d", "grade": 1})]


def test_a_name_that_is_ours_is_the_one_and_two_others_cost_their_row() -> None:
    text = b'{"doc_id": "a", "id": 7, "body": "x"}\n{"id": 1, "_id": 2, "text": "x"}\n'
    rows = [row for _, row in read_table(io.BytesIO(text), ".jsonl", DOCUMENTS).rows]
    assert rows[0] == {"doc_id": "a", "id": 7, "body": "x"}
    assert isinstance(rows[1], SetAside) and "may both be doc_id" in rows[1].message


def test_an_id_in_json_text_stays_as_it_is_written() -> None:
    text = b'{"doc_id": " 12.0 ", "body": "x"}\n{"doc_id": 12.0, "body": "x"}\n'
    ids = [row["doc_id"] for _, row in read_table(io.BytesIO(text), ".jsonl", DOCUMENTS).rows]
    assert ids == ["12.0", "12"]
