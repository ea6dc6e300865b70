"""`relabel run` with a live teacher: stopped by a signal and resumed; no API key in any output."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relabel_assets.running import runner
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import (
    N_PAIRS,
    UP_TO_CANDIDATES,
    answers_in,
    ask_live,
    make,
    statuses,
)
from relabel_assets_tests.faults.teacher_server import TeacherServer, choose_at_random, error_body

KEY = "sk-live-5f0c2b7e9a1d4836"
RUN = [
    sys.executable,
    "-c",
    "from relabel_assets.cli.main import main; main()",
    "run",
    "-c",
    "tiny",
    "-s",
    "teacher_labels",
]


@pytest.fixture(autouse=True)
def key_in_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_resumes_from_the_ledger(home: Path, stop: signal.Signals) -> None:
    ledger = home / "home" / "ledger"
    with TeacherServer(latency_s=0.05).running() as server:
        ask_live(home, base_url=server.base_url, max_concurrency=4)
        assert make(*UP_TO_CANDIDATES).is_success  # type: ignore[union-attr]
        child = subprocess.Popen(
            RUN, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ.copy()
        )
        while sum(server.answered.values()) < 30 and child.poll() is None:
            time.sleep(0.005)
        child.send_signal(stop)
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 130, output
        assert b"Traceback" not in output, output.decode()
        answers_before, requests_before = answers_in(ledger), server.requests.copy()
        assert 20 <= len(answers_before) < N_PAIRS
        server.latency_s = 0.0
        assert make("teacher_labels").is_success  # type: ignore[union-attr]
        assert statuses() == {"ok": N_PAIRS}
        assert all(server.requests[key] == requests_before[key] for key in answers_before)
        assert set(answers_in(ledger).values()) == {1}


def test_the_api_key_is_in_no_file_and_no_output(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server = TeacherServer(choose_at_random(0.3, ("500", "word", "401"), seed=5))
    server.answers["500"] = lambda grade: (500, {}, error_body(f"upstream refused Bearer {KEY}"))
    server.answers["word"] = lambda grade: (
        200,
        {},
        {"choices": [{"message": {"content": f"your key is {KEY}"}}]},
    )
    server.answers["401"] = lambda grade: (400, {}, error_body(f"bad request with {KEY}"))
    with server.running():
        ask_live(home, base_url=server.base_url, max_retries=1)
        assert make(*UP_TO_CANDIDATES, "teacher_labels").is_success  # type: ignore[union-attr]
        assert statuses()["ok"] < N_PAIRS
        server.choose = lambda body, key, nth: "denied"
        server.answers["denied"] = lambda grade: (
            401,
            {},
            error_body(f"Incorrect API key provided: {KEY}"),
        )
        failed = make("teacher_labels")
        assert failed is not None and "denies access" in " ".join(failed.failures.values())
        assert server.authorizations.keys() == {f"Bearer {KEY}"}
        done = subprocess.run(RUN, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "denies access" in done.stderr
    files = [file for file in home.rglob("*") if file.is_file()]
    assert {"warehouse.duckdb", "dagster.yaml"} <= {file.name for file in files}
    assert any(file.suffix == ".db" for file in files)  # Dagster's storage
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    _, warehouse = runner.from_environment()
    for table in TABLES:
        assert KEY not in str(warehouse.read(table, "tiny").rows())
    shown = capfd.readouterr()
    assert KEY not in shown.out + shown.err + done.stdout + done.stderr
