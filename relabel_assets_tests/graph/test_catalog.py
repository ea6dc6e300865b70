"""Metadata in the UI: descriptions, links, and values and texts that are safe to show."""

import html
import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from starlette.applications import Starlette
from starlette.testclient import TestClient

from relabel_assets.errors import Problem
from relabel_assets.graph import catalog
from relabel_assets.running.web_server import report_routes
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.receipt import Receipt


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


# Descriptions and links


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_first_line_of_a_description_is_plain_text(table: Table) -> None:
    """The UI's lists show it as it is written."""
    first = catalog.description(table).split("\n")[0]
    assert RENDERER.render(first) == f"<p>{html.escape(first, quote=False)}</p>\n"
    assert first.endswith(".") and len(first) < 200


def test_a_report_is_a_link_that_the_web_server_answers(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "tiny.html").write_text("<h1>tiny</h1>")
    receipt = Receipt(
        corpus="tiny",
        table_name="benchmark_report",
        input_hash="0",
        content_hash="0",
        n_rows=1,
        n_unfinished=0,
        n_set_aside=0,
        files=("reports/tiny.html",),
        run_id=None,
        written_at=datetime.now(UTC),
    )
    shown = catalog.metadata(TABLES["benchmark_report"], receipt, tmp_path, {"left_out": 0})
    link = shown["report_page"].value
    assert next(iter(shown)) == "report_page"  # the first line of the metadata
    server = TestClient(Starlette(routes=report_routes(tmp_path / "reports")))
    assert server.get(link).text == "<h1>tiny</h1>"


@given(TEXT)
def test_a_list_of_problems_renders_no_text_of_a_file(text: str) -> None:
    value = catalog.problem_list([Problem(text or "a", None, text, text)])
    assert tags(RENDERER.render(str(value.value))) <= {"ul", "li"}


def test_a_list_of_huge_texts_is_short() -> None:
    huge = "x" * 5_000_000
    assert len(str(catalog.problem_list([Problem(huge, 1, huge, huge)] * 30).value)) < 20_000


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
