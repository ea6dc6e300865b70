"""Grading through a Batch API, over real HTTP: nothing lost, nothing paid twice, whatever dies in
between."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.corpus.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.teacher.sending.retry_settings import FileLimits, RetrySettings
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import KEY, answers_in, make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import ANSWERS, error_body, true_grade

pytestmark = pytest.mark.slow  # a server on the loopback

IMPATIENT = RetrySettings(
    first_backoff_s=0.002,
    longest_backoff_s=0.01,
    first_poll_s=0.01,
    longest_poll_s=0.05,
    batch_limits=FileLimits(40),
)
PRICE = {
    "price_usd_per_million_tokens": {"input": 10.0, "output": 10.0}
}  # 720 tokens a reply: 0.0072 USD


def make_config(base_url: str, **settings: object) -> TeacherConfig:
    return TeacherConfig.model_validate(
        {
            "kind": "openai",
            "model": "fake",
            "base_url": base_url,
            "mode": "batch",
            "max_retries": 2,
            **settings,
        }
    )


def grade(
    folder: Path,
    server: BatchServer,
    pairs: pl.DataFrame,
    retry_settings: RetrySettings = IMPATIENT,
    **settings: object,
) -> pl.DataFrame:
    teacher = Teacher(folder, retry_settings=retry_settings)
    config = make_config(server.base_url, **settings)
    labels = teacher.grade(pairs, corpus="demo", config=config, rubric=default_rubric())
    TABLES["teacher_labels"].validate(labels.with_columns(corpus=pl.lit("demo")))
    return labels


def assert_no_wrong_grade(labels: pl.DataFrame, server: BatchServer) -> None:
    for row in labels.filter(pl.col("status") == "ok").iter_rows(named=True):
        assert row["grade"] == true_grade(server.bodies[row["request_key"]])


@pytest.fixture(autouse=True)
def key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_results_in_any_order_become_grades(tmp_path: Path) -> None:
    with BatchServer().running() as server:
        labels = grade(tmp_path, server, make_pairs(100), **PRICE)
        assert labels["status"].to_list() == ["ok"] * 100
        assert_no_wrong_grade(labels, server)
        assert server.uploads == [40, 40, 20] and set(server.requests.values()) == {1}
        assert labels["cost_usd"].sum() == pytest.approx(100 * 0.0072)
        assert server.authorizations == {f"Bearer {KEY}"}
        second_labels = grade(tmp_path, server, make_pairs(100), **PRICE)
        assert second_labels.equals(labels) and len(server.uploads) == 3
    assert ledger_report.report(Teacher(tmp_path).ledger, is_thorough=True).problems == []
    assert json.loads((tmp_path / "demo.batches" / "state.json").read_text()) == []
    assert [path.name for path in (tmp_path / "demo.batches").iterdir()] == ["state.json"]
    assert all(
        KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )


def test_only_expired_failed_and_missing_lines_are_requested_again(tmp_path: Path) -> None:
    fates = {0: "expired", 1: "500", 2: "429", 3: "missing", 4: "word", 5: None}
    with BatchServer(
        lambda body, key, nth: fates[int(key, 16) % 6] if nth == 1 else None
    ).running() as server:
        labels = grade(tmp_path, server, make_pairs(120))
        assert labels["status"].to_list() == ["ok"] * 120
        assert_no_wrong_grade(labels, server)
        for key, n_asked in server.requests.items():
            assert n_asked == (1 if fates[int(key, 16) % 6] is None else 2)


@pytest.mark.parametrize(
    ("fate", "status", "n_asked"),
    [
        ("expired", "failed", 3),
        ("500", "failed", 3),
        ("word", "unparseable", 3),
        ("refusal", "refused", 1),
    ],
)
def test_a_permanent_fault_becomes_a_reason_and_no_grade(
    fate: str, status: str, n_asked: int, tmp_path: Path
) -> None:
    with BatchServer(lambda body, key, nth: fate).running() as server:
        row = grade(tmp_path, server, make_pairs(1)).row(0, named=True)
        assert (row["grade"], row["status"]) == (None, status) and row["status_reason"]
        assert list(server.requests.values()) == [n_asked] and row["attempts"] == n_asked


@pytest.mark.parametrize(("fate", "n_asked"), [("word", 3), ("expired", 6), ("500", 6)])
def test_unreadable_replies_are_requested_again_at_most_twice(
    fate: str, n_asked: int, tmp_path: Path
) -> None:
    with BatchServer(lambda body, key, nth: fate).running() as server:
        grade(tmp_path, server, make_pairs(1), max_retries=5)
        assert list(server.requests.values()) == [n_asked]


def copies_of_one_pair(n: int) -> pl.DataFrame:
    return pl.concat([make_pairs(1).with_columns(doc_id=pl.lit(f"copy {i}")) for i in range(n)])


def test_duplicates_in_a_round_do_not_use_up_its_tries(tmp_path: Path) -> None:
    with BatchServer(lambda body, key, nth: "word").running() as server:
        labels = grade(tmp_path, server, copies_of_one_pair(4), max_retries=5)
        assert labels["status"].to_list() == ["unparseable"] * 4
        assert list(server.requests.values()) == [3]


def test_a_result_counts_once_while_the_budget_holds_its_request_back(tmp_path: Path) -> None:
    with BatchServer(lambda body, key, nth: "word").running() as server:
        budget = {"run_budget_usd": 0.02, "max_completion_tokens": 500, **PRICE}
        labels = grade(tmp_path, server, copies_of_one_pair(4), max_retries=5, **budget)
        assert list(server.requests.values()) == [1]  # a second could overshoot
        assert labels["status"].to_list() == ["over_budget"] * 4


def test_a_spent_quota_stops_after_the_round_and_the_next_run_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = error_body("check your plan", "insufficient_quota")
    monkeypatch.setitem(ANSWERS, "spent", lambda grade: (429, {}, spent))
    fates = {0: "spent", 1: "429", 2: None}
    with BatchServer(
        lambda body, key, nth: fates[int(key, 16) % 3] if nth == 1 else None
    ).running() as server:
        labels = grade(tmp_path, server, make_pairs(30))
        assert len(server.batches) == 1 and set(server.requests.values()) == {1}
        assert set(labels["status"]) == {"ok", "failed"}
        reasons = labels.filter(labels["status"] == "failed")["status_reason"]
        assert reasons.str.contains(
            "insufficient_quota|quota or money is spent|check your plan"
        ).all()
        assert set(grade(tmp_path, server, make_pairs(30))["status"]) == {"ok"}


def test_a_failed_batch_has_a_reason_and_one_above_the_limit_is_sent_later(tmp_path: Path) -> None:
    server = BatchServer()
    server.whole_batch_fails = lambda nth: (
        {"code": "token_limit_exceeded", "message": "busy"} if nth == 2 else None
    )
    with server.running():
        assert set(grade(tmp_path / "a", server, make_pairs(60))["status"]) == {"ok"}
        assert server.uploads == [40, 20, 20]
        server.whole_batch_fails = lambda nth: {
            "code": "invalid",
            "message": f"no such model, {KEY}",
        }
        labels = grade(tmp_path / "b", server, make_pairs(3))
        assert set(labels["status"]) == {"failed"}
        assert labels["status_reason"][0].startswith("the batch failed: no such model, [key]")


def test_switching_to_a_weaker_dialect_costs_one_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint = error_body("response_format json_schema is not supported")
    monkeypatch.setitem(ANSWERS, "no schema", lambda grade: (400, {}, complaint))

    def fate(body: dict[str, Any], key: str, nth: int) -> str | None:
        return "no schema" if body["response_format"]["type"] == "json_schema" else None

    with BatchServer(fate).running() as server:
        assert set(grade(tmp_path, server, make_pairs(30))["status"]) == {"ok"}
        assert server.uploads == [30, 30]
        grade(tmp_path, server, make_pairs(35))
        assert server.uploads == [30, 30, 5]


def test_a_budget_is_never_exceeded_and_released_reservations_are_used(tmp_path: Path) -> None:
    with BatchServer().running() as server:
        labels = grade(tmp_path, server, make_pairs(200), budget_usd=0.5, **PRICE)
        spent = labels["cost_usd"].sum()
        assert set(labels["status"]) == {"ok", "over_budget"} and 0.35 < spent <= 0.5
        n_asked = sum(server.requests.values())
        assert (
            grade(tmp_path, server, make_pairs(200), budget_usd=5.0, **PRICE)["status"].to_list()
            == ["ok"] * 200
        )
        assert sum(server.requests.values()) == 200 > n_asked


GRADING = """
import sys
from pathlib import Path
from relabel_assets_tests.teacher.batch import test_rounds as batch
from relabel_assets_tests.faults.batch_server import BatchServer
server = BatchServer()
server.port = int(sys.argv[1])
batch.grade(Path(sys.argv[2]), server, batch.make_pairs(100))
"""


def start(folder: Path, server: BatchServer) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", GRADING, str(server.port), str(folder)], env=os.environ.copy()
    )


def test_a_killed_run_resumes_its_pending_batches(tmp_path: Path) -> None:
    with BatchServer(n_looks=1_000_000).running() as server:
        child = start(tmp_path, server)
        while len(server.batches) < 3 and child.poll() is None:
            time.sleep(0.005)
        child.kill()
        child.wait()
        assert server.uploads == [40, 40, 20]
        with pytest.raises(TeacherError, match="is out, and asking live would pay"):
            grade(tmp_path, server, make_pairs(100), mode="live")
        questions_out = grade(tmp_path, server, make_pairs(100), mode="offline")
        assert set(questions_out["status"]) == {"failed"}
        server.n_looks = 1
        labels = grade(tmp_path, server, make_pairs(110))
        assert labels["status"].to_list() == ["ok"] * 110
        assert server.uploads == [40, 40, 20, 10] and set(server.requests.values()) == {1}
        assert set(answers_in(tmp_path).values()) == {1}


@pytest.mark.parametrize(
    "lost", ["the batch's id", "the answer to create", "results half read", "before the upload"]
)
def test_a_crash_at_any_step_loses_and_repeats_no_request(lost: str, tmp_path: Path) -> None:
    state = tmp_path / "demo.batches" / "state.json"
    with BatchServer(n_looks=3).running() as server:
        if lost == "the answer to create":
            server.lose_answer_to_create = True
        if lost in ("the batch's id", "before the upload"):
            shipped = crash_after(
                tmp_path, server, "batches" if lost == "the batch's id" else "files"
            )
            assert shipped and shipped[0]["batch_id"] is None
            if lost == "before the upload":
                server.uploads.clear()
        if lost == "results half read":
            grade(tmp_path, server, make_pairs(30))
            (file,) = tmp_path.glob("demo/*.jsonl")
            lines = file.read_bytes().splitlines(keepends=True)
            file.write_bytes(b"".join(lines[:-10]))  # what had not reached the disk
            batch_id, tag = "batch_1", server.batches["batch_1"]["metadata"]["relabel_tag"]
            shipment = {
                "tag": tag,
                "n_requests": 30,
                "endpoint": f"127.0.0.1:{server.port}",
                "started_at": "2026",
            }
            state.write_text(json.dumps([shipment | {"file_id": "file-0", "batch_id": batch_id}]))
        labels = grade(tmp_path, server, make_pairs(30))
        assert labels["status"].to_list() == ["ok"] * 30
        assert server.uploads == [30] and set(server.requests.values()) == {1}
        assert set(answers_in(tmp_path).values()) == {1}
        assert labels["attempts"].to_list() == [1] * 30
        assert json.loads(state.read_text()) == []


def crash_after(folder: Path, server: BatchServer, step: str) -> list[dict[str, Any]]:
    """Kill a run as soon as the server has seen `step`, and put the state back to before it was
    written down."""
    state = folder / "demo.batches" / "state.json"
    child = subprocess.Popen(
        [sys.executable, "-c", GRADING.replace("(100)", "(30)"), str(server.port), str(folder)],
        env=os.environ.copy(),
    )
    while f"POST {step}" not in server.paths and child.poll() is None:
        time.sleep(0.001)
    child.kill()
    child.wait()
    shipments = [shipment | {"batch_id": None} for shipment in json.loads(state.read_text())]
    if step == "files":
        shipments = [shipment | {"file_id": None} for shipment in shipments]
        server.batches.clear()
        server.requests.clear()
    state.write_text(json.dumps(shipments))
    return shipments


def test_an_endpoint_without_a_batch_api_is_an_error(tmp_path: Path) -> None:
    with BatchServer().running() as server:
        config = make_config(server.base_url.replace("/v1", "/elsewhere"))
        with pytest.raises(TeacherError, match="has no Batch API"):
            Teacher(tmp_path, retry_settings=IMPATIENT).grade(
                make_pairs(1), corpus="demo", config=config, rubric=default_rubric()
            )


def test_a_damaged_state_file_is_an_error_and_stays_unchanged(tmp_path: Path) -> None:
    (tmp_path / "demo.batches").mkdir()
    (tmp_path / "demo.batches" / "state.json").write_text('[{"tag": "')
    with (
        BatchServer().running() as server,
        pytest.raises(TeacherError, match="says which batches are out"),
    ):
        grade(tmp_path, server, make_pairs(1))
    assert (tmp_path / "demo.batches" / "state.json").read_text() == '[{"tag": "'
