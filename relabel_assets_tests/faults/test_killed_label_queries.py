"""Queries that only get labels, in runs with a live teacher that is killed, fails, and comes back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.graph.checks.gate_checks import who_graded
from relabel_assets.running import runner
from relabel_assets.running.plan import plan
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import (
    N_PAIRS,
    SUBJECTS,
    answers_in,
    ask_live,
    jsonl,
    make,
    relabel,
)
from relabel_assets_tests.faults.teacher_server import TeacherServer

PAIR = ["query_id", "doc_id"]
UP_TO_STUDENT = list(TABLES)[: list(TABLES).index("student_model") + 1]
RUN = "from relabel_assets.cli.main import main; main()"
N_LABEL_PAIRS, N_ASKED = 8 * 8, 8 * 2
PRICE = {"price_usd_per_million_tokens": {"input": 1000.0, "output": 1000.0}}


def add_label_queries(home: Path, **labels: object) -> None:
    """A query about each subject of `tiny` that only gets labels, asked about as `labels` says."""
    folder = home / "data" / "tiny"
    queries = [
        {"query_id": f"l{number}", "text": f"tell me about {subject} now", "split": "label"}
        for number, subject in enumerate(SUBJECTS)
    ]
    file = folder / "queries.jsonl"
    provided = [
        line for line in file.read_text().splitlines(keepends=True) if '"label"' not in line
    ]
    file.write_text("".join(provided) + jsonl(queries))
    settings = json.loads((folder / "corpus.yaml").read_text())
    (folder / "corpus.yaml").write_text(json.dumps(settings | {"labels": labels}))


def kill_after(server: TeacherServer, n_answers: int) -> None:
    """Make asked_labels in a process that is killed after so many answers of the server."""
    command = [sys.executable, "-c", RUN, "run", "-c", "tiny", "-s", "asked_labels"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while server.answered.total() < n_answers and child.poll() is None:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(timeout=60)


def test_a_killed_run_asks_about_the_rest_and_a_teacher_that_fails_leaves_pairs_to_the_student(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    ledger = home / "home" / "ledger"
    with TeacherServer().running() as server:
        ask_live(home, base_url=server.base_url, max_concurrency=2, max_retries=0, **PRICE)
        add_label_queries(home, ask=0.25)
        assert make(*UP_TO_STUDENT).is_success  # type: ignore[union-attr]
        # The teacher is not asked about label queries before the student chose.
        assert server.requests.total() == N_PAIRS
        project, warehouse = runner.from_environment()
        (planned,) = plan(project, warehouse, "tiny", ["asked_labels"])
        assert planned.note.startswith(
            f"the teacher is asked about {N_ASKED} pairs with about {N_ASKED} requests, about $"
        )
        estimate = relabel("estimate", "-c", "tiny").stdout
        assert f"label queries: {N_ASKED} of {N_LABEL_PAIRS} pairs are to be asked" in estimate

        server.latency_s = 0.2
        kill_after(server, N_PAIRS + 5)
        server.latency_s = 0.0
        answered, requests = answers_in(ledger), server.requests.copy()
        assert N_PAIRS < answered.total() < N_PAIRS + N_ASKED
        assert warehouse.read("asked_labels", "tiny").is_empty()
        assert make("asked_labels", "student_labels", "final_labels").is_success  # type: ignore[union-attr]
        assert all(server.requests[key] == requests[key] for key in answered)
        assert set(answers_in(ledger).values()) == {1}
        asked = warehouse.read("asked_labels", "tiny")
        assert asked["status"].to_list() == ["ok"] * N_ASKED
        labels = warehouse.read("final_labels", "tiny")
        assert labels.select(PAIR).equals(warehouse.read("bm25_candidates", "tiny").select(PAIR))
        known = of_label_queries(labels).filter(pl.col("labeler") == "teacher")
        assert known.select(*PAIR, "grade").equals(asked.select(*PAIR, "grade"))
        assert set(of_label_queries(labels)["n_known"]) == {2}
        assert who_graded(warehouse, "tiny").endswith(
            "Of label queries 64 pairs: 75.0 % student knowing others, 25.0 % teacher."
        )

        add_label_queries(home, ask=0.5)
        server.choose = lambda body, key, nth: "503"
        outcome = make("asked_labels", "final_labels")
    assert outcome is not None and outcome.is_success, outcome.failures
    assert "asked_labels: chosen_pairs_are_graded" in outcome.findings
    statuses = warehouse.read("asked_labels", "tiny")["status"].value_counts().rows()
    assert dict(statuses) == {"ok": N_ASKED, "failed": N_ASKED}
    assert set(of_label_queries(warehouse.read("final_labels", "tiny"))["n_known"]) == {2}
    receipt = warehouse.receipt("asked_labels", "tiny")
    assert receipt is not None and receipt.n_unfinished == N_ASKED


def of_label_queries(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("query_id").str.starts_with("l"))
