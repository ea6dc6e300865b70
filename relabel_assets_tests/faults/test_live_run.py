"""`relabel run` with a live teacher: stopped by a signal and resumed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from relabel_assets.cli.supervisor import STOPPED_LINE
from relabel_assets.running import runner
from relabel_assets.running.dagster_state import open_instance
from relabel_assets_tests.builders import (
    N_PAIRS,
    UP_TO_CANDIDATES,
    answers_in,
    ask_live,
    make,
    statuses,
)
from relabel_assets_tests.faults.teacher_server import TeacherServer

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
        assert output.decode().splitlines()[-1] == STOPPED_LINE
        project, _ = runner.from_environment()
        with open_instance(project.home) as instance:
            assert instance.get_runs(limit=1)[0].status == dg.DagsterRunStatus.CANCELED
        answers_before, requests_before = answers_in(ledger), server.requests.copy()
        assert 20 <= len(answers_before) < N_PAIRS
        server.latency_s = 0.0
        assert make("teacher_labels").is_success  # type: ignore[union-attr]
        assert statuses() == {"ok": N_PAIRS}
        assert all(server.requests[key] == requests_before[key] for key in answers_before)
        assert set(answers_in(ledger).values()) == {1}
