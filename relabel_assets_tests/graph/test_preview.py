"""The preview of a table in the UI: its rows and columns, and text that is shown as it was written."""

import html
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from relabel_assets.graph import preview as previews
from relabel_assets.graph.preview import texts_from
from relabel_assets.intake.text import one_line
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.graph.test_catalog import TEXT, tags

RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")
HASH = "0" * 64


def preview(**columns: list[object]) -> list[str]:
    text = previews.preview(pl.DataFrame(columns, strict=False)).value
    return str(text).splitlines()


def test_a_preview_is_a_markdown_table() -> None:
    lines = preview(rank=[1, 2], score=[1.23456, None])
    assert lines == ["| rank | score |", "|---|---|", "| 1 | 1.235 |", "| 2 |  |"]


def test_text_comes_before_ids_and_hashes_are_left_out() -> None:
    row: dict[str, list[object]] = {
        "corpus": ["tiny"],
        "query_id": ["q1"],
        "doc_id": ["d1"],
        "content_hash": [HASH],
        "request_key": [HASH],
        "attempts": [1],
        "rationale": ["names the limit"],
        "grade": [3],
        "title": ["Expenses"],
        "query": ["hotel limit"],
    }
    header, _, first = preview(**row)
    assert header == "| query | title | grade | rationale | attempts | query_id |"
    assert first == "| hotel limit | Expenses | 3 | names the limit | 1 | q1 |"


def test_a_pair_is_shown_with_its_query_and_title(tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")

    def put(table: str, **values: object) -> pl.DataFrame:
        schema = warehouse.read(table, "tiny").schema
        frame = pl.DataFrame([{name: values.get(name) for name in schema}], schema=schema)
        warehouse.replace(table, "tiny", frame, input_hash=HASH)
        return frame

    put("seed_docs", doc_id="d1", title="Expenses", body="text", content_hash=HASH)
    put(
        "synthetic_queries", query_id="q1", text="hotel limit", split="train", source="provided",
        content_hash=HASH,
    )  # fmt: skip
    rows = pl.DataFrame({"query_id": ["q1", "q2"], "doc_id": ["d1", "d1"], "grade": [3, 0]})
    add = texts_from(warehouse, TABLES["teacher_labels"], "tiny")
    shown = previews.preview(rows, add).value
    assert str(shown).splitlines()[2:] == [
        "| hotel limit | Expenses | 3 | q1 | d1 |",
        "|  | Expenses | 0 | q2 | d1 |",
    ]


def test_each_grade_is_shown_once_before_one_is_shown_again() -> None:
    rows = preview(grade=[0, 0, 2, 0, 3, 3, None], rank=list(range(7)))[2:]
    assert rows == ["| 3 | 4 |", "| 2 | 2 |", "| 0 | 0 |", "| 3 | 5 |", "| 0 | 1 |"]


def test_long_text_is_cut_and_a_list_is_joined() -> None:
    (row,) = preview(body=["x" * 200], probs=[[0.25, 0.75]])[2:]
    assert row == f"| {'x' * 79}… | 0.25, 0.75 |"


def test_columns_that_are_empty_in_the_shown_rows_are_left_out() -> None:
    assert preview(doc_id=["d1"], title=[None])[0] == "| doc_id |"


def test_the_fullest_rows_are_shown() -> None:
    rows = preview(doc_id=[f"d{number}" for number in range(9)], title=[None] * 8 + ["last"])[2:]
    assert rows[0] == "| last | d8 |"
    assert len(rows) == 5


def test_a_preview_stays_short_enough_to_be_shown_inline() -> None:
    wide = {f"column_{number}": ["x" * 70] * 5 for number in range(8)}
    assert len("\n".join(preview(**wide))) < 1_000


def test_an_empty_partition_says_so() -> None:
    assert preview(doc_id=[]) == ["_no rows_"]


@given(TEXT)
def test_a_preview_shows_any_text_and_renders_none_of_it(text: str) -> None:
    value = previews.preview(pl.DataFrame({"body": [text], "list": [[text]], "doc_id": ["d1"]}))
    rendered = RENDERER.render(str(value.value))
    assert tags(rendered) == {"table", "thead", "tbody", "tr", "th", "td"}
    cells = [html.unescape(cell) for cell in re.findall("<td>(.*?)</td>", rendered)]
    assert len(cells) == 3
    if len(text) <= 80:
        assert cells == [one_line(text), one_line(text), "d1"]


def test_the_preview_of_a_huge_text_is_short() -> None:
    frame = pl.DataFrame({"body": ["x" * 5_000_000], "probs": [list(range(1_000_000))]})
    assert len(str(previews.preview(frame).value)) < 1_000


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_preview_that_starts_with_no_id(table: str) -> None:
    names = [name for name in TABLES[table].schema.column_names() if name != "corpus"]
    frame = pl.DataFrame({name: ["1"] for name in names}).with_columns(query=pl.lit("q"))
    first = str(previews.preview(frame).value).split(" | ")[0]
    assert not first.endswith(("_id", "_hash", "_key"))
