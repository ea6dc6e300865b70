"""What a run did not use is on the terminal: rejected queries, and inputs that were set aside."""

from collections import Counter

import polars as pl
import pytest

from relabel_assets.cli import output
from relabel_assets.graph.written_queries import _notices
from relabel_assets.running.runner import Outcome
from relabel_assets.teacher.queries.query_writer import WrittenQueries


def test_rejected_queries_are_counted_by_reason() -> None:
    rejected = Counter({"nearly another query": 2, "too long": 1})
    failed = Counter({"refused": 1})
    written = WrittenQueries(pl.DataFrame(), rejected, failed, {"refused": "no"}, 0.0, [])
    assert _notices(written) == [
        "3 written queries rejected: 2 nearly another query, 1 too long",
        "no queries of 1 document: 1 refused: no",
    ]
    nothing = WrittenQueries(pl.DataFrame(), Counter(), Counter(), {}, 0.0, [])
    assert _notices(nothing) == []


def test_the_end_of_a_run_says_what_was_set_aside(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_outcome(Outcome("demo", is_success=True, set_aside={"seed_docs": 1200}))
    assert "demo: set aside 1,200 of seed_docs" in capsys.readouterr().err


def test_what_was_set_aside_is_said_once_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The check of a table that the run kept is the only one that says it."""
    findings = {
        f"{table}: nothing_set_aside": "- 2 inputs set aside"
        for table in ("seed_docs", "teacher_labels")
    }
    output.print_outcome(Outcome("demo", True, findings=findings, set_aside={"seed_docs": 2}))
    printed = capsys.readouterr().err
    assert printed.count("seed_docs") == 1 and "set aside 2 of seed_docs" in printed
    assert "check teacher_labels: nothing_set_aside did not pass" in printed
