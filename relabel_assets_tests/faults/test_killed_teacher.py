"""Grading runs killed by SIGKILL at random moments: no recorded answer is requested again.

RELABEL_TEST_KILLS sets how often (4 if left out).
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from relabel_assets_tests.builders import answers_in, assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer, true_grade

N_KILLS = int(os.environ.get("RELABEL_TEST_KILLS", "4"))
N_PAIRS = 150 * N_KILLS
GRADING = """
import sys
from pathlib import Path
from relabel_assets_tests import builders
from relabel_assets_tests.faults.teacher_server import TeacherServer
server = TeacherServer()
server.port = int(sys.argv[1])
print("ready", flush=True)
builders.grade(Path(sys.argv[2]), server, builders.make_pairs(int(sys.argv[3])), max_concurrency=16)
"""


def test_recorded_answers_are_not_requested_again_after_kills(tmp_path: Path) -> None:
    chance = random.Random(3)
    environment = {**os.environ, "OPENAI_API_KEY": "none"}
    with TeacherServer(latency_s=0.02).running() as server:
        for _ in range(N_KILLS):
            answers_before, requests_before = answers_in(tmp_path), server.requests.copy()
            arguments = [
                sys.executable,
                "-c",
                GRADING,
                str(server.port),
                str(tmp_path),
                str(N_PAIRS),
            ]
            child = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE)
            assert child.stdout is not None and child.stdout.readline() == b"ready\n"
            # By requests, not by the clock: a busy machine may need a second to send the first.
            more = chance.randint(1, 2 * N_PAIRS // N_KILLS)
            while child.poll() is None and server.requests.total() < requests_before.total() + more:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.05))
            child.kill()
            child.wait()
            child.stdout.close()
            assert all(server.requests[key] == requests_before[key] for key in answers_before)
        answers_before, requests_before = answers_in(tmp_path), server.requests.copy()
        labels = grade(tmp_path, server, make_pairs(N_PAIRS))
        assert all(server.requests[key] == requests_before[key] for key in answers_before)
        assert len(answers_before) > 0
        print(
            f"{N_KILLS} kills; {len(answers_before)} of {N_PAIRS} answers were in the ledger "
            "before the last run"
        )
        assert labels["status"].to_list() == ["ok"] * N_PAIRS
        assert labels["request_key"].n_unique() == N_PAIRS
        assert_no_wrong_grade(labels, server)
        recorded = answers_in(tmp_path)
        assert set(recorded) == set(labels["request_key"]) and set(recorded.values()) == {1}
        assert true_grade(server.bodies[labels["request_key"][0]]) == labels["grade"][0]


def test_a_torn_last_line_costs_one_request(tmp_path: Path) -> None:
    with TeacherServer().running() as server:
        grade(tmp_path, server, make_pairs(20))
        (file,) = tmp_path.glob("**/*.jsonl")
        content = file.read_bytes()
        file.write_bytes(content[:-25])
        n_requests = sum(server.requests.values())
        labels = grade(tmp_path, server, make_pairs(20))
        assert labels["status"].to_list() == ["ok"] * 20
        assert sum(server.requests.values()) == n_requests + 1
        assert grade(tmp_path, server, make_pairs(20)).equals(labels)
        assert sum(server.requests.values()) == n_requests + 1
        torn = [raw for raw in file.read_bytes().splitlines() if not _is_json(raw)]
        assert len(torn) == 1


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True
