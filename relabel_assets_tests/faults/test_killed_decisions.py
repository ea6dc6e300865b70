"""Bundles of Decisions killed by SIGKILL, and pairs changed between runs: only new pairs are asked."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from relabel_assets_tests.builders import (
    answers_in,
    assert_no_wrong_decision,
    crossed_pairs,
    grade,
)
from relabel_assets_tests.faults.decisions_server import DecisionsServer

pytestmark = pytest.mark.slow

N_KILLS = int(os.environ.get("RELABEL_TEST_KILLS", "4"))
GRADING = """
import sys
from pathlib import Path
from relabel_assets_tests import builders
from relabel_assets_tests.faults.teacher_server import TeacherServer
server = TeacherServer()
server.port = int(sys.argv[1])
pairs = builders.crossed_pairs(int(sys.argv[3]), int(sys.argv[4]))
print("ready", flush=True)
builders.grade(Path(sys.argv[2]), server, pairs, api="decisions", max_concurrency=4)
"""


def start_grading(
    folder: Path, server: DecisionsServer, n_documents: int, n_queries: int
) -> subprocess.Popen[bytes]:
    arguments = [str(server.port), str(folder), str(n_documents), str(n_queries)]
    child = subprocess.Popen(
        [sys.executable, "-c", GRADING, *arguments],
        env={**os.environ, "OPENAI_API_KEY": "none"},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    return child


def wait_for(server: DecisionsServer, n_requests: int, child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None and server.requests.total() < n_requests:
        time.sleep(0.005)


def kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_a_killed_bundle_of_400_is_asked_again_once_and_a_changed_query_alone(
    tmp_path: Path,
) -> None:
    pairs = crossed_pairs(1, 400)
    with DecisionsServer(latency_s=30.0).running() as server:
        child = start_grading(tmp_path, server, 1, 400)
        wait_for(server, 1, child)
        kill(child)  # the bundle is out, and its answer never comes
        assert answers_in(tmp_path) == {}
        server.latency_s = 0.0
        labels = grade(tmp_path, server, pairs, api="decisions")
        assert set(labels["status"]) == {"ok"} and set(labels["n_asked_together"]) == {400}
        assert set(server.asked.values()) <= {1, 2} and server.requests.total() == 2

        before = server.asked.copy()
        changed = pairs.with_columns(
            text=pl.when(pl.col("query_id") == "q123").then(pl.lit("another")).otherwise("text")
        )
        again = grade(tmp_path, server, changed, api="decisions")
        assert set(again["status"]) == {"ok"}
        assert server.asked.total() == before.total() + 1  # exactly one question
        new = again.filter(pl.col("query_id") == "q123").row(0, named=True)
        assert new["n_asked_together"] == 1 and server.asked[new["request_key"]] == 1
        others = pl.col("query_id") != "q123"
        assert again.filter(others).equals(labels.filter(others))
        assert_no_wrong_decision(again, server)


def test_recorded_answers_are_not_asked_again_after_kills(tmp_path: Path) -> None:
    chance = random.Random(3)
    n_documents, n_queries = 10 * N_KILLS, 20
    with DecisionsServer(latency_s=0.02).running() as server:
        for _ in range(N_KILLS):
            recorded, asked = answers_in(tmp_path), server.asked.copy()
            child = start_grading(tmp_path, server, n_documents, n_queries)
            wait_for(server, server.requests.total() + chance.randint(1, 15), child)
            time.sleep(chance.uniform(0, 0.05))
            kill(child)
            assert all(server.asked[key] == asked[key] for key in recorded)
        recorded, asked = answers_in(tmp_path), server.asked.copy()
        labels = grade(tmp_path, server, crossed_pairs(n_documents, n_queries), api="decisions")
        assert all(server.asked[key] == asked[key] for key in recorded)
        assert 0 < len(recorded) < labels.height
        assert set(labels["status"]) == {"ok"}
        assert_no_wrong_decision(labels, server)
        found = answers_in(tmp_path)
        assert set(found) == set(labels["request_key"]) and set(found.values()) == {1}


def test_a_torn_response_costs_its_bundle_and_no_other(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        grade(tmp_path, server, crossed_pairs(4, 5), api="decisions")
        (file,) = tmp_path.glob("**/*.jsonl")
        file.write_bytes(file.read_bytes()[:-25])
        labels = grade(tmp_path, server, crossed_pairs(4, 5), api="decisions")
        assert set(labels["status"]) == {"ok"}
        assert sorted(server.asked.values()) == [1] * 15 + [2] * 5
