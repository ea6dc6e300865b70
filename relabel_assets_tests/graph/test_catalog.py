"""Markdown previews of rows in the UI: escaping, truncation and the choice of rows."""

import polars as pl

from relabel_assets.errors import Problem
from relabel_assets.graph import catalog


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
