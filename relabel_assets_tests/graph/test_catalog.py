"""Markdown previews of rows in the UI: escaping, truncation and the choice of rows."""

import html
import json
import math
import re

import dagster as dg
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from relabel_assets.errors import Problem
from relabel_assets.graph import catalog
from relabel_assets.intake.text import one_line


def preview(**columns: list[object]) -> list[str]:
    text = catalog.preview(pl.DataFrame(columns, strict=False)).value
    return str(text).splitlines()


def test_a_preview_is_a_markdown_table() -> None:
    lines = preview(query_id=["q1", "q2"], score=[1.23456, None])
    assert lines == ["| query_id | score |", "|---|---|", "| q1 | 1.235 |", "| q2 |  |"]


def test_text_cannot_break_the_table_or_become_html() -> None:
    (row,) = preview(body=["a | b\nc <script>"])[2:]
    assert row == "| a \\| b c &lt;script&gt; |"


def test_long_text_is_cut_and_a_list_is_joined() -> None:
    (row,) = preview(body=["x" * 200], probs=[[0.25, 0.75]])[2:]
    assert row == f"| {'x' * 79}… | 0.25, 0.75 |"


def test_columns_that_are_empty_in_the_shown_rows_are_left_out() -> None:
    assert preview(doc_id=["d1"], title=[None])[0] == "| doc_id |"


def test_the_fullest_rows_are_shown() -> None:
    rows = preview(doc_id=[f"d{number}" for number in range(9)], title=[None] * 8 + ["last"])[2:]
    assert rows[0] == "| d8 | last |"
    assert len(rows) == 5


def test_a_preview_stays_short_enough_to_be_shown_inline() -> None:
    wide = {f"column_{number}": ["x" * 70] * 5 for number in range(8)}
    assert len("\n".join(preview(**wide))) < 1_000


def test_an_empty_partition_says_so() -> None:
    assert preview(doc_id=[]) == ["_no rows_"]


def test_problems_are_listed_up_to_twenty() -> None:
    problems = [Problem("queries.jsonl", line, "<b>bad", "Mend it.") for line in range(25)]
    lines = str(catalog.problem_list(problems).value).splitlines()
    assert lines[0] == "- queries.jsonl:0: &lt;b&gt;bad. Mend it."
    assert len(lines) == 21
    assert "5 more" in lines[-1]


# Text from data

RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")
MARKUP = [
    "![x](http://a/x.png)",
    "[x](javascript:x)",
    "<img src=x>",
    "<b>",
    "|",
    "\n\n# x",
    "`",
    "\\",
    "*",
]
TEXT = st.lists(st.sampled_from(MARKUP) | st.text(max_size=9), max_size=5).map("".join)


def tags(rendered: str) -> set[str]:
    return set(re.findall(r"<(\w+)[^>]*>", rendered))


@given(TEXT)
def test_a_preview_shows_any_text_and_renders_none_of_it(text: str) -> None:
    value = catalog.preview(pl.DataFrame({"doc_id": ["d1"], "body": [text], "list": [[text]]}))
    rendered = RENDERER.render(str(value.value))
    assert tags(rendered) == {"table", "thead", "tbody", "tr", "th", "td"}
    cells = [html.unescape(cell) for cell in re.findall("<td>(.*?)</td>", rendered)]
    assert len(cells) == 3
    if len(text) <= 80:
        assert cells == ["d1", one_line(text), one_line(text)]


@given(TEXT)
def test_a_list_of_problems_renders_no_text_of_a_file(text: str) -> None:
    value = catalog.problem_list([Problem(text or "a", None, text, text)])
    assert tags(RENDERER.render(str(value.value))) <= {"ul", "li"}


def test_lists_and_previews_of_huge_texts_are_short() -> None:
    huge = "x" * 5_000_000
    assert len(str(catalog.problem_list([Problem(huge, 1, huge, huge)] * 30).value)) < 20_000
    frame = pl.DataFrame({"body": [huge], "probs": [list(range(1_000_000))]})
    assert len(str(catalog.preview(frame).value)) < 1_000


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (0.123456, 0.1235),
        (2**63, "more than 64 bits"),
        (-(10**3_000), "more than 64 bits"),
        (2**63 - 1, 2**63 - 1),
        (True, True),
        ("a\x1b[2J\ud800", r"a\x1b[2J\ud800"),
        ("x" * 20_000, "x" * 9_999 + "…"),
    ],
)
def test_a_value_of_metadata_is_one_that_dagster_stores(value: object, stored: object) -> None:
    accepted = catalog._storable_value(value)
    assert accepted == stored and type(accepted) is type(stored)
    json.dumps(dg.MetadataValue.text(str(accepted)).value, allow_nan=False).encode()
