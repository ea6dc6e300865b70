"""A folder of documents and a live teacher: queries, candidates and labels over real HTTP."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.corpus.queries.splits import leaking_queries
from relabel_assets.running import runner
from relabel_assets_tests.builders import (
    DOCUMENT_SUBJECTS,
    configure,
    jsonl,
    write_documents,
    writes_queries,
)
from relabel_assets_tests.faults.teacher_server import (
    TeacherServer,
    choose_at_random,
)

TABLES = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels"]


def bring_up_to_date() -> tuple[runner.Outcome | None, Any]:
    project, warehouse = runner.from_environment()
    return runner.bring_up_to_date(project, warehouse, "bare", TABLES), warehouse


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


def n_query_requests(server: TeacherServer) -> int:
    return sum(
        server.requests[key]
        for key, body in server.bodies.items()
        if "queries" in str(body["messages"][0])
    )


def test_documents_alone_become_labels_and_a_rerun_asks_about_new_ones_only(
    home: Path,
) -> None:
    write_documents(home)
    server = TeacherServer()
    server.behave = writes_queries
    with server.running():
        configure(home, server)
        outcome, warehouse = bring_up_to_date()
        assert outcome is not None and outcome.is_success, outcome
        queries = warehouse.read("synthetic_queries", "bare")
        # Three are written for each document, and the copied title is not kept.
        assert Counter(queries["seed_doc_id"].value_counts()["count"]) == {
            2: len(DOCUMENT_SUBJECTS)
        }
        assert set(queries["source"]) == {"synthetic"}
        assert queries["is_round_trip"].all()
        assert queries["teacher_model"].unique().to_list() == ["fake"]
        assert set(queries["split"]) == {"train", "dev", "benchmark"}
        assert leaking_queries(queries) == []
        assert warehouse.read("teacher_labels", "bare")["status"].unique().to_list() == ["ok"]
        assert n_query_requests(server) == len(DOCUMENT_SUBJECTS)
        n_requests = server.requests.total()
        assert bring_up_to_date()[0] is None
        assert server.requests.total() == n_requests
        write_documents(home, ("coffee machines",))
        assert bring_up_to_date()[0].is_success  # type: ignore[union-attr]
        assert n_query_requests(server) == len(DOCUMENT_SUBJECTS) + 1
        assert max(server.requests.values()) == 1
        n_written = 2 * (len(DOCUMENT_SUBJECTS) + 1)
        assert warehouse.read("synthetic_queries", "bare").height == n_written
        # Queries that only get labels come beside those: the teacher is asked about none of them here.
        n_requests = server.requests.total()
        of_label = [{"query_id": f"l{n}", "text": f"log {n}", "split": "label"} for n in range(3)]
        (home / "data" / "bare" / "queries.jsonl").write_text(jsonl(of_label))
        assert bring_up_to_date()[0].is_success  # type: ignore[union-attr]
        queries = warehouse.read("synthetic_queries", "bare")
        assert queries.height == n_written + 3
        assert queries.filter(pl.col("split") == "label")["source"].to_list() == ["provided"] * 3
        assert set(warehouse.read("bm25_candidates", "bare")["query_id"]) >= {"l0", "l1", "l2"}
        assert server.requests.total() == n_requests


def test_failed_documents_are_counted_and_retried_by_the_next_run(home: Path) -> None:
    write_documents(home)
    faults = ("500", "only prose", "refusal", "wrong schema")
    at_random = choose_at_random(0.5, faults, seed=3)
    # Only faults: a DIFFERENCE would be a grade.
    server = TeacherServer(
        lambda *request: fault if (fault := at_random(*request)) in faults else None
    )
    server.behave = writes_queries
    with server.running():
        configure(home, server, max_retries=0)
        project, warehouse = runner.from_environment()
        tables = ["seed_docs", "synthetic_queries"]
        assert runner.bring_up_to_date(project, warehouse, "bare", tables).is_success  # type: ignore[union-attr]
        first = warehouse.read("synthetic_queries", "bare")
        receipt = warehouse.receipt("synthetic_queries", "bare")
        assert receipt is not None
        assert first["seed_doc_id"].n_unique() + receipt.n_unfinished == len(DOCUMENT_SUBJECTS)
        assert receipt.n_unfinished > 0
        server.choose = lambda body, key, nth: None
        assert runner.bring_up_to_date(project, warehouse, "bare", tables).is_success  # type: ignore[union-attr]
        second = warehouse.read("synthetic_queries", "bare")
        assert second["seed_doc_id"].n_unique() == len(DOCUMENT_SUBJECTS)
        assert set(first["query_id"]) <= set(second["query_id"])
        assert all(server.answered[key] <= 1 for key in server.requests)


def test_a_run_without_any_written_query_fails_with_the_reason(home: Path) -> None:
    write_documents(home)
    server = TeacherServer(lambda body, key, nth: "refusal")
    with server.running():
        configure(home, server, max_retries=0)
        outcome, _ = bring_up_to_date()
    assert outcome is not None and not outcome.is_success
    assert (
        "no query was written (12 refused: the model refused"
        in outcome.failures["synthetic_queries"]
    )


def test_documents_too_short_for_queries_fail_with_a_message(home: Path) -> None:
    folder = home / "data" / "bare" / "documents"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("Too short.")
    server = TeacherServer()
    with server.running():
        configure(home, server)
        outcome, _ = bring_up_to_date()
    assert outcome is not None
    assert "no document has enough text" in outcome.failures["synthetic_queries"]
    assert server.requests.total() == 0
