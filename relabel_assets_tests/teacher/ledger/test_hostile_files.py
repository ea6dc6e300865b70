"""Files of the ledger that cannot be read, and lines that no honest writer wrote."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.teacher.ledger import raw_lines
from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.report import observed_usage, spent_since
from relabel_assets.teacher.ledger.request_lines import recorded_keys
from relabel_assets.teacher.questions import GradingQuestions
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import exchange_lines, make_pairs

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
KINDS = ("folder", "pipe", "socket", "link to nothing", "link to itself", "link to a device")


def make_one(kind: str, path: Path) -> None:
    """Put something that is no file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listening:
                here = Path.cwd()
                os.chdir(path.parent)  # the path of a socket is short
                try:
                    listening.bind(path.name)
                finally:
                    os.chdir(here)
        case "link to nothing":
            path.symlink_to(path.parent / "missing" / "file.jsonl")
        case "link to itself":
            path.symlink_to(path)
        case "link to a device":
            path.symlink_to("/dev/zero")


PLACE = ("demo", "host")  # of exchange_lines


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_costs_itself_and_has_a_notice(kind: str, tmp_path: Path) -> None:
    key, raw = exchange_lines(1)
    Ledger(tmp_path).append("demo", [raw])
    make_one(kind, tmp_path / "a.jsonl")
    ledger = Ledger(tmp_path)
    ledger.refresh()
    ledger.refresh()
    (notice,) = ledger.notices
    assert "a.jsonl is not read: " in notice and notice.endswith(".")
    assert len(list(ledger.answers(key))) == 1
    assert recorded_keys(ledger, PLACE) == {bytes.fromhex(key)}
    assert observed_usage(ledger, "grading", ["m"])["m"].n_replies == 1
    assert spent_since(ledger, "demo", LONG_AGO) == 0.25
    for is_thorough in (False, True):
        counted = ledger_report.report(ledger, is_thorough=is_thorough)
        (problem,) = counted.problems
        assert (problem.file, problem.line) == ("a.jsonl", None) and problem.remedy
        assert counted.groups["demo", "grading", "m"].n_answers == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "link to nothing"])
def test_todays_file_that_is_no_file_is_an_error_that_says_what_to_do(
    kind: str, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path)
    ledger.append("demo", [exchange_lines(1)[1]])
    (today,) = ledger.files()
    today.unlink()
    make_one(kind, today)
    with pytest.raises(TeacherError, match="move the file away") as caught:
        ledger.append("demo", [exchange_lines(2)[1]])
    assert today.name in str(caught.value)
    if kind in ("pipe", "link to a device"):  # whose writes the system would take, and lose
        assert "cannot be written: it is no regular file" in str(caught.value)


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "socket"])
def test_a_lock_that_is_no_file_is_an_error_that_says_what_to_do(kind: str, tmp_path: Path) -> None:
    make_one(kind, tmp_path / "demo.lock")
    with (
        pytest.raises(TeacherError, match="cannot be locked"),
        Ledger(tmp_path).sending_for("demo"),
    ):
        pass


def test_a_ledger_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("")
    ledger = Ledger(tmp_path / "ledger")
    with pytest.raises(TeacherError, match="cannot be written"):
        ledger.append("demo", [exchange_lines(1)[1]])
    with pytest.raises(TeacherError, match="cannot be locked"), ledger.sending_for("demo"):
        pass


def test_a_line_above_the_limit_is_skipped_and_its_neighbours_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_lines, "MAX_LEDGER_LINE_BYTES", 100_000)
    ledger = Ledger(tmp_path)
    keys = [exchange_lines(number)[0] for number in (1, 2)]
    ledger.append("demo", [exchange_lines(1)[1]])
    (file,) = ledger.files()
    with file.open("ab") as opened:
        opened.write(b'{"custom_id":"' + b" " * 3_000_000 + b'"}\n')
    ledger = Ledger(tmp_path)
    ledger.append("demo", [exchange_lines(2)[1]])
    assert all(len(list(ledger.answers(key))) == 1 for key in keys)
    (notice,) = ledger.notices
    assert "was skipped: the line is longer than" in notice
    counted = ledger_report.report(ledger, is_thorough=True)
    assert [(problem.line, problem.file) for problem in counted.problems] == [
        (3, str(file.relative_to(tmp_path)))
    ]
    assert "longer than" in counted.problems[0].message
    assert counted.n_bytes == file.stat().st_size


@pytest.mark.parametrize("change", ["cut", "replaced by a folder", "other lines", "removed"])
def test_an_answer_that_has_gone_since_it_was_indexed_is_no_answer(
    change: str, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path)
    (key, raw), (_, other) = exchange_lines(1), exchange_lines(2)
    ledger.append("demo", [raw])
    (file,) = ledger.files()
    match change:
        case "cut":
            os.truncate(file, len(raw) // 2)
        case "other lines":
            file.write_bytes(other)
        case _:
            file.unlink()
            if change.startswith("replaced"):
                file.mkdir()
    assert list(ledger.answers(key)) == []


HOSTILE_LINES = (
    b"[" * 200_000,
    b'{"custom_id": "' + b"0f" * 32 + b'", "response": ' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"custom_id": "' + b"0f" * 32 + b'", "relabel": {"cost_usd": 1e400}, "response": null}',
    b'{"custom_id": "' + b"0f" * 32 + b'", "relabel": ' + b"9" * 5000 + b', "response": null}',
    b'{"custom_id": "' + b"0f" * 32 + b'", "method": "POST", "relabel": {"model": "m", "purpose": '
    b'"grading"}, "body": {"messages": [{"content": NaN}, 5]}}',
    b'{"custom_id": "' + b"0f" * 32 + b'", "relabel": {"at": "yesterday", "corpus": "demo", '
    b'"cost_usd": 5}, "response": {"status_code": 200}}',
    b"\x00" * 100,
    b'"\\ud800"',
)


def test_hostile_lines_make_nothing_raise(tmp_path: Path) -> None:
    (tmp_path / "brought.jsonl").write_bytes(b"\n".join((*HOSTILE_LINES, b"")))
    ledger = Ledger(tmp_path)
    ledger.refresh()
    recorded_keys(ledger, PLACE)
    observed_usage(ledger, "grading", ["m"])
    assert spent_since(ledger, "demo", LONG_AGO) == 0.0
    for is_thorough in (False, True):
        ledger_report.report(ledger, is_thorough=is_thorough)


def test_an_answer_with_a_lone_surrogate_from_an_earlier_version_is_graded(tmp_path: Path) -> None:
    pairs, config = make_pairs(1), TeacherConfig(kind="openai", model="m", mode="offline")
    teacher = Teacher(tmp_path)
    file = tmp_path / "requests.jsonl"
    questions = GradingQuestions(pairs, config, default_rubric(), grading_prompt())
    teacher.export(questions, corpus="demo", out=file)
    key = json.loads(file.read_text())["custom_id"]
    content = json.dumps({"rationale": "a\ud800b\x00c", "grade": 2})
    body = {"choices": [{"message": {"content": content}}]}
    line = {"custom_id": key, "error": None, "response": {"status_code": 200, "body": body}}
    (tmp_path / "demo" / "2026-01-01.jsonl").write_text(json.dumps(line) + "\n")
    labels = teacher.grade(pairs, corpus="demo", config=config, rubric=default_rubric())
    row = labels.row(0, named=True)
    assert (row["status"], row["grade"], row["rationale"]) == ("ok", 2, "a\ufffdb\ufffdc")


def test_answers_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    key, _ = exchange_lines(1)
    bodies: list[object] = [
        {"choices": [{"message": {"content": '{"grade": 2}'}}]},
        {"choices": [{"message": {"content": "I would say 2"}}]},
        {"choices": [{"message": {"content": None, "refusal": "no"}}]},
        {"error": "upstream failed"},
        "<html>",
    ]
    lines = [{"custom_id": key, "response": {"status_code": 200, "body": body}} for body in bodies]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    counted = ledger_report.report(Ledger(tmp_path), is_thorough=True)
    assert counted.problems == [] and [problem.line for problem in counted.unusable] == [2, 4, 5]
    assert "'I would say 2'" in counted.unusable[0].message
    assert ledger_report.report(Ledger(tmp_path)).unusable == []
