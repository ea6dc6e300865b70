"""The ledger's files: concurrent writers, foreign lines, torn lines, a full disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets_tests.builders import answers_in, exchange_lines, grade, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer, good_reply

WRITER = """
import sys
from pathlib import Path
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets_tests.builders import exchange_lines
ledger = Ledger(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    ledger.append("demo", [exchange_lines(number)[1]])
"""


@pytest.mark.slow
def test_concurrent_appends_leave_every_line_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    children = [subprocess.Popen([*command, str(n * 60), str((n + 1) * 60)]) for n in range(4)]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    ledger = Ledger(tmp_path)
    ledger.refresh()
    for number in range(240):
        key, _ = exchange_lines(number)
        assert [answer.response.body for answer in ledger.answers(key)] == [good_reply(2)]
    assert ledger.spend("demo").usd == 240 * 0.25 and ledger.notices == []
    report = ledger_report.report(ledger, is_thorough=True)
    assert (report.n_lines, report.n_keys, report.problems) == (480, 240, [])


def test_foreign_lines_are_reported_and_skipped(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    key, raw = exchange_lines(1)
    ledger.append("demo", [raw])
    foreign = [
        b"hello\n",
        b'{"custom_id": 5}\n',
        b'{"custom_id": "short", "response": {}}\n',
        b"[]\n",
        b"null\n",
        b"\xff\xfe\n",
    ]
    (tmp_path / "brought.jsonl").write_bytes(b"".join(foreign))
    ledger = Ledger(tmp_path)
    ledger.refresh()
    assert len(ledger.notices) == len(foreign) and all(
        "brought.jsonl" in notice for notice in ledger.notices
    )
    assert len(list(ledger.answers(key))) == 1
    assert [problem.line for problem in ledger_report.report(ledger).problems] == [1, 2, 3, 4, 5, 6]


def test_response_files_of_other_tools_are_read_in_place(tmp_path: Path) -> None:
    key, _ = exchange_lines(1)
    result = {
        "id": "batch_req_1",
        "custom_id": key,
        "error": None,
        "response": {"status_code": 200, "body": good_reply(1)},
    }
    (tmp_path / "elsewhere.jsonl").write_text(json.dumps(result) + "\n")
    ledger = Ledger(tmp_path)
    ledger.refresh()
    assert [answer.response.body for answer in ledger.answers(key)] == [good_reply(1)]
    assert ledger_report.report(ledger).n_unasked == 1


@pytest.mark.parametrize("n_kept", [1, 20, -25])
def test_a_torn_last_line_is_skipped_and_not_joined_to_the_next(
    tmp_path: Path, n_kept: int
) -> None:
    ledger = Ledger(tmp_path)
    (torn_key, raw), (key, next_raw) = exchange_lines(1), exchange_lines(2)
    ledger.append("demo", [raw])
    (file,) = ledger.files()
    start = raw.index(b"\n") + 1
    file.write_bytes(raw[:start] + raw[start:][:n_kept])
    ledger = Ledger(tmp_path)
    ledger.refresh()
    # No notice yet: another process may still be writing the line.
    assert ledger.notices == [] and not list(ledger.answers(torn_key))
    ledger.append("demo", [next_raw])
    assert len(ledger.notices) == 1 and len(list(ledger.answers(key))) == 1
    (problem,) = ledger_report.report(ledger).problems
    assert problem.line == 2


def test_a_last_line_that_lacks_only_its_newline_is_completed_by_the_next_append(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path)
    (key, raw), (_, next_raw) = exchange_lines(1), exchange_lines(2)
    ledger.append("demo", [raw])
    (file,) = ledger.files()
    file.write_bytes(raw[:-1])
    ledger = Ledger(tmp_path)
    ledger.append("demo", [next_raw])
    assert (
        len(list(ledger.answers(key))) == 1
        and ledger_report.report(ledger, is_thorough=True).problems == []
    )


def test_a_torn_line_in_the_middle_hides_no_other_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    keys = []
    for number in range(3):
        key, raw = exchange_lines(number)
        keys.append(key)
        ledger.append("demo", [raw])
        (file,) = ledger.files()
        with file.open("ab") as torn:
            torn.write(raw[: 10 * (number + 1)])
    ledger = Ledger(tmp_path)
    ledger.refresh()
    assert all(len(list(ledger.answers(key))) == 1 for key in keys)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from relabel_assets.errors import TeacherError
from relabel_assets_tests.faults.teacher_server import TeacherServer
from relabel_assets_tests.builders import grade, make_pairs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
server = TeacherServer()
server.port = int(sys.argv[1])
try:
    grade(Path(sys.argv[2]), server, make_pairs(200), max_concurrency=4)
except TeacherError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_full_disk_stops_sending_and_keeps_recorded_answers(tmp_path: Path) -> None:
    with TeacherServer(latency_s=0.001).running() as server:
        command = [sys.executable, "-c", FULL_DISK, str(server.port), str(tmp_path)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OPENAI_API_KEY": "none"},
        )
        assert "the ledger cannot be written" in done.stdout and "Free the disk" in done.stdout, (
            done.stderr
        )
        recorded, requests_before = answers_in(tmp_path), server.requests.copy()
        assert 5 < len(recorded) < 100
        # Lost are only the requests in flight when the disk was full.
        assert sum(requests_before.values()) - len(recorded) <= 2 * 4
        labels = grade(tmp_path, server, make_pairs(200))
        assert labels["status"].to_list() == ["ok"] * 200
        assert all(server.requests[key] == requests_before[key] for key in recorded)
        assert set(answers_in(tmp_path).values()) == {1}


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
