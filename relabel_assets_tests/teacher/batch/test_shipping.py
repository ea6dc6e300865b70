"""Sending batches: killed runs, lost replies, failed batches and damaged state, over real HTTP."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.errors import TeacherError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import KEY, answers_in, make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.teacher.batch.batch_grading import (
    IMPATIENT,
    grade,
    make_config,
)

pytestmark = pytest.mark.slow  # a server on the loopback


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


GRADING = """
import sys
from pathlib import Path
from relabel_assets_tests.builders import make_pairs
from relabel_assets_tests.teacher.batch import batch_grading
from relabel_assets_tests.faults.batch_server import BatchServer
server = BatchServer()
server.port = int(sys.argv[1])
batch_grading.grade(Path(sys.argv[2]), server, make_pairs(100))
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
    """Kill a run when the server has received `step`; reset the state to before that step."""
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
        pytest.raises(TeacherError, match="lists the batches that are out"),
    ):
        grade(tmp_path, server, make_pairs(1))
    assert (tmp_path / "demo.batches" / "state.json").read_text() == '[{"tag": "'
