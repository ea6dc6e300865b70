"""`relabel run` with a teacher of the Decisions API, over real HTTP: every table, a stop, the commands."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.cli.supervisor import STOPPED_LINE
from relabel_assets.running import runner
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import (
    N_PAIRS,
    UP_TO_CANDIDATES,
    answers_in,
    ask_live,
    assert_no_wrong_decision,
    configure,
    make,
    relabel,
    statuses,
    write_documents,
    writes_queries,
)
from relabel_assets_tests.faults.decisions_server import DecisionsServer, choose_at_random

pytestmark = pytest.mark.slow

# 16 queries with each of 8 documents.
DECISIONS = {"api": "decisions", "model": "gpt-6-luna"}
PRICE = {"price_usd_per_million_tokens": {"input": 0.1, "output": 0.0}}
RUN = [sys.executable, "-c", "from relabel_assets.cli.main import main; main()"]
RUN += ["run", "-c", "tiny", "-s", "teacher_labels"]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


def labels_of(corpus: str = "tiny") -> pl.DataFrame:
    _, warehouse = runner.from_environment()
    return warehouse.read("teacher_labels", corpus)


def test_a_whole_run_with_faults_grades_trains_and_measures(home: Path) -> None:
    with DecisionsServer(choose_at_random(0.3, seed=3), fault_share=0.3).running() as server:
        ask_live(home, base_url=server.base_url, **DECISIONS, **PRICE)
        make(*UP_TO_CANDIDATES, "teacher_labels")
        left, asked = labels_of().filter(pl.col("status") != "ok"), server.asked.total()
        assert left.height < 20 and left["grade"].null_count() == left.height
        server.choose = lambda body, key, nth: None
        outcome = make(*TABLES)
        assert outcome is not None and outcome.is_success, outcome.failures
        labels = labels_of()
        assert statuses() == {"ok": N_PAIRS} and server.asked.total() == asked + left.height
        assert_no_wrong_decision(labels, server)
        assert set(labels["teacher_model"]) == {"gpt-6-luna"}
        assert (
            labels["n_asked_together"].max() == 16 and labels["rationale"].null_count() == N_PAIRS
        )
        assert server.paths.keys() == {"/v1/decisions"} and not server.complaints
        _, warehouse = runner.from_environment()
        report = warehouse.read("benchmark_report", "tiny")
        measured = report.filter(pl.col("labeler") == "teacher", pl.col("metric") == "ndcg@10")
        assert measured["value"].is_not_null().all() and measured.height > 0
        lineage = warehouse.query(
            "select request_key, n_asked_together, prompt_hash from label_lineage "
            "where labeler = 'teacher'"
        )
        assert set(lineage["request_key"]) == set(answers_in(home / "home" / "ledger"))
        assert lineage.null_count().sum_horizontal().item() == 0

        n_requests = server.requests.total()
        assert make(*TABLES) is None  # unchanged: nothing is asked and nothing is computed
        ask_live(home, base_url=server.base_url, max_questions=3, **DECISIONS, **PRICE)
        make("teacher_labels")
        assert server.requests.total() == n_requests
        assert labels_of().equals(labels)


def test_a_changed_query_is_asked_about_alone(home: Path) -> None:
    with DecisionsServer().running() as server:
        ask_live(home, base_url=server.base_url, **DECISIONS)
        make(*UP_TO_CANDIDATES, "teacher_labels")
        assert server.requests.total() == 8 and server.asked.total() == N_PAIRS
        file = home / "data" / "tiny" / "queries.jsonl"
        file.write_text(file.read_text().replace("parental rules please", "parental rules, please"))
        make(*UP_TO_CANDIDATES, "teacher_labels")
        assert server.asked.total() == N_PAIRS + 8 and set(server.asked.values()) == {1}
        changed = labels_of().filter(pl.col("query_id") == "q01")
        assert changed["n_asked_together"].to_list() == [1] * 8


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_resumes_from_the_ledger(home: Path, stop: signal.Signals) -> None:
    ledger = home / "home" / "ledger"
    with DecisionsServer(latency_s=0.3).running() as server:
        ask_live(home, base_url=server.base_url, max_concurrency=1, max_questions=8, **DECISIONS)
        make(*UP_TO_CANDIDATES)
        child = subprocess.Popen(
            RUN, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ.copy()
        )
        while server.requests.total() < 4 and child.poll() is None:
            time.sleep(0.005)
        child.send_signal(stop)
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 130, output
        assert output.decode().splitlines()[-1] == STOPPED_LINE
        recorded, asked = answers_in(ledger), server.asked.copy()
        assert 0 < len(recorded) < N_PAIRS
        server.latency_s = 0.0
        make("teacher_labels")
        assert statuses() == {"ok": N_PAIRS}
        assert all(server.asked[key] == asked[key] for key in recorded)
        assert set(answers_in(ledger).values()) == {1}


def test_the_estimate_counts_requests_and_a_shared_document_once(home: Path) -> None:
    with DecisionsServer().running() as server:
        ask_live(home, base_url=server.base_url, **DECISIONS, **PRICE)
        before = relabel("estimate", "-c", "tiny").stdout
        assert "each pair asked alone" in before and "0 completion tokens" in before
        make(*UP_TO_CANDIDATES)
        estimate = relabel("estimate", "-c", "tiny").stdout
        assert f"{N_PAIRS} pairs, {N_PAIRS} questions to gpt-6-luna" in estimate
        assert f"{N_PAIRS} to ask in 8 requests" in estimate
        assert not server.requests
        make("teacher_labels")
        billed = labels_of()["prompt_tokens"].sum()
        assert f"{billed:,} prompt, 0 completion" in estimate
        assert f"{N_PAIRS} answered by the ledger" in relabel("estimate", "-c", "tiny").stdout
        ledger = relabel("ledger", "--verify")
        assert ledger.returncode == 0 and "16 lines" in ledger.stdout and "8 x 200" in ledger.stdout


def test_requests_of_decisions_cannot_be_exported(home: Path, tmp_path: Path) -> None:
    ask_live(home, base_url="http://127.0.0.1:9/v1", **DECISIONS)
    make(*UP_TO_CANDIDATES)
    done = relabel("requests", "export", "-c", "tiny", "--out", str(tmp_path / "requests.jsonl"))
    assert done.returncode != 0 and "has no Batch format" in done.stdout + done.stderr
    assert not (tmp_path / "requests.jsonl").exists()


def test_queries_are_written_by_a_chat_model_that_is_named(home: Path) -> None:
    write_documents(home)
    server = DecisionsServer()
    server.behave = writes_queries
    tables = [*UP_TO_CANDIDATES, "teacher_labels"]
    with server.running():
        configure(home, server, **DECISIONS)
        project, warehouse = runner.from_environment()
        outcome = runner.bring_up_to_date(project, warehouse, "bare", tables)
        assert outcome is not None and not outcome.is_success
        assert "queries: {model: gpt-4o-mini}" in str(outcome.failures)
        assert "queries: {model: gpt-4o-mini}" in relabel("corpora", "check").stderr
        assert not server.requests

        file = home / "data" / "bare" / "corpus.yaml"
        settings = json.loads(file.read_text()) | {"queries": {"model": "gpt-4o-mini"}}
        file.write_text(json.dumps(settings))
        outcome = runner.bring_up_to_date(project, warehouse, "bare", tables)
        assert outcome is not None and outcome.is_success, outcome.failures
        queries = warehouse.read("synthetic_queries", "bare")
        assert set(queries["teacher_model"]) == {"gpt-4o-mini"}
        labels = labels_of("bare")
        assert set(labels["status"]) == {"ok"} and set(labels["teacher_model"]) == {"gpt-6-luna"}
        assert server.paths.keys() == {"/v1/chat/completions", "/v1/decisions"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "batch"}, "no Batch API. Set mode to live"),
        ({"votes": 3}, "Leave votes out"),
        ({"is_logprobs": True}, "Leave is_logprobs out"),
        ({"model": None}, "no model is named. Set model, such as gpt-6-luna"),
        ({"max_questions": 401}, "less than or equal to 400"),
        ({"max_questions": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_decisions_cannot_have_say_the_way_out(
    home: Path, settings: dict[str, object], message: str
) -> None:
    ask_live(home, **{**DECISIONS, **settings})
    file = home / "data" / "tiny" / "corpus.yaml"
    teacher = json.loads(file.read_text())["teacher"]
    file.write_text(json.dumps({"teacher": {k: v for k, v in teacher.items() if v is not None}}))
    done = relabel("run", "-c", "tiny", "-s", "teacher_labels")
    assert done.returncode != 0 and message in " ".join((done.stdout + done.stderr).split())
