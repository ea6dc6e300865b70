"""A Batch API that answers nonsense, results above the limits, and a damaged file of pending batches."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relabel_assets.errors import TeacherError
from relabel_assets.intake.input_limits import MAX_REPLY_BYTES
from relabel_assets.intake.text import printable
from relabel_assets.teacher.batch.pending import PendingBatches
from relabel_assets.teacher.batch.remote_batch import read_batch
from relabel_assets.teacher.batch.response_files import import_responses
from relabel_assets.teacher.batch.result_lines import limited_lines, read_result
from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets_tests.builders import make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import good_reply
from relabel_assets_tests.teacher.batch.batch_grading import grade

START = '{"id": "x", "custom_id": "' + "0f" * 32 + '", "response": '
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["data", "code", "message", "total", "completed"]), inner)
    ),
)
MEMBERS = (
    "id",
    "status",
    "request_counts",
    "errors",
    "output_file_id",
    "error_file_id",
    "metadata",
)


@settings(max_examples=200, deadline=None)
@given(value=JUNK | st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, JUNK)))
def test_any_json_is_a_batch_or_a_value_error(value: Any) -> None:
    try:
        batch = read_batch(value)
    except ValueError:
        return
    assert batch.id and batch.n_done >= 0 and batch.n_requests >= 0
    assert all(isinstance(text, str) for pair in batch.errors for text in pair)


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b"{}", b'{"id": 5}', b"[" * 200_000, b"\xff", b'{"data": 3}']
)
@pytest.mark.parametrize("call", ["POST files", "POST batches", "GET batches"])
def test_an_answer_that_is_no_batch_is_an_error(call: str, answer: bytes, tmp_path: Path) -> None:
    server = BatchServer()
    right = server.answer

    def wrong(method: str, path: str, headers: Any, raw: bytes) -> Any:
        is_it = f"{method} {path.split('/')[2].partition('?')[0]}" == call
        return (200, answer) if is_it else right(method, path, headers, raw)

    server.answer = wrong  # type: ignore[method-assign]
    with server.running(), pytest.raises(TeacherError) as caught:
        grade(tmp_path, server, make_pairs(1), max_retries=1)
    assert printable(str(caught.value)) == str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["too long", "nested"])
def test_a_result_above_a_limit_ends_its_request_alone(kind: str, tmp_path: Path) -> None:
    server = BatchServer(n_looks=1)
    right = server.answer

    def answer(method: str, path: str, headers: Any, raw: bytes) -> Any:
        status, body = right(method, path, headers, raw)  # type: ignore[misc]
        if isinstance(body, bytes) and path.endswith("/content"):
            first, _, rest = body.partition(b"\n")
            junk = b" " * MAX_REPLY_BYTES if kind == "too long" else b"[" * 90 + b"]" * 90
            body = first.replace(b'"body": {', b'"body": {"junk": ' + junk + b"1, ", 1)
            if kind == "nested":
                body = body.replace(junk + b"1", junk)
            body += b"\n" + rest
        return status, body

    server.answer = answer  # type: ignore[method-assign]
    with server.running():
        labels = grade(tmp_path, server, make_pairs(3), max_retries=3)
    assert sorted(labels["status"]) == ["ok", "ok", "unparseable"]
    assert sorted(server.requests.values()) == [1, 1, 1]
    (reason,) = labels["status_reason"].drop_nulls()
    assert ("8,388,608 bytes" if kind == "too long" else "64 deep") in reason
    counted = ledger_report.report(Ledger(tmp_path), is_thorough=True)
    assert counted.problems == [] and counted.n_bytes < 100_000


@pytest.mark.parametrize("size", [1, 3, 1000, 10**9])
def test_lines_are_limited_whatever_the_size_of_the_pieces(size: int) -> None:
    long_line = START.encode() + b" " * MAX_REPLY_BYTES + b"null}\n"
    whole = b'{"a": 1}\n' + (long_line if size >= 1000 else b"") + b"\n" + b'{"b": 2}'
    pieces = (whole[start : start + size] for start in range(0, len(whole), size))
    lines = list(limited_lines(pieces))
    assert [lines[0], *lines[-2:]] == [b'{"a": 1}\n', b"\n", b'{"b": 2}']
    if size >= 1000:
        line = read_result(lines[1])
        assert line is not None and line.response is not None and line.key == "0f" * 32
        assert line.response.outcome == "unusable_reply" and len(lines) == 4


def test_the_longest_result_is_a_setting(tmp_path: Path) -> None:
    with BatchServer(n_looks=1).running() as server:
        labels = grade(tmp_path / "low", server, make_pairs(2), max_reply_mib=0.01)
        assert labels["status"].to_list() == ["ok", "ok"]
        server.answers_with = lambda grade: good_reply(grade) | {"junk": " " * 20_000}
        labels = grade(tmp_path / "high", server, make_pairs(2), max_reply_mib=0.01)
        assert labels["status"].to_list() == ["unparseable"] * 2
        assert "longer than 10,485 bytes" in labels["status_reason"][0]


@pytest.mark.parametrize("kind", ["pipe", "folder", "missing"])
def test_a_file_to_import_that_is_no_file_is_an_error(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    if kind == "pipe":
        os.mkfifo(file)
    if kind == "folder":
        file.mkdir()
    with pytest.raises(TeacherError, match=r"results\.jsonl cannot be read: "):
        import_responses(Ledger(tmp_path / "ledger"), [file], lambda corpus, model: None)


BATCH = {"tag": "0f", "n_requests": 3, "endpoint": "host", "started_at": "2026"}


@pytest.mark.parametrize(
    "state",
    [
        "[" * 200_000, "{}", "3", "[3]", "[null]", '["tag"]', '[{"tag": "0f"}]', "\xff",
        json.dumps([BATCH | {"other": 1}]), json.dumps([BATCH | {"tag": "../../x"}]),
        json.dumps([BATCH | {"tag": 5}]), json.dumps([BATCH | {"n_requests": "3"}]),
        json.dumps([BATCH | {"n_requests": 10**400}]), json.dumps([BATCH | {"batch_id": ["b"]}]),
    ],
)  # fmt: skip
def test_a_damaged_file_of_pending_batches_is_an_error_with_a_remedy(
    state: str, tmp_path: Path
) -> None:
    (tmp_path / "demo.batches").mkdir()
    (tmp_path / "demo.batches" / "state.json").write_text(state, encoding="latin-1")
    with pytest.raises(TeacherError, match=r"lists the batches that are out\. Repair it"):
        PendingBatches(tmp_path, "demo").all()


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing"])
def test_a_state_that_is_no_file_is_an_error(kind: str, tmp_path: Path) -> None:
    (tmp_path / "demo.batches").mkdir()
    state = tmp_path / "demo.batches" / "state.json"
    match kind:
        case "pipe":
            os.mkfifo(state)
        case "folder":
            state.mkdir()
        case _:
            state.symlink_to(tmp_path / "missing")
    with pytest.raises(TeacherError, match="lists the batches that are out"):
        PendingBatches(tmp_path, "demo").all()


def test_a_damaged_file_of_requests_has_fewer_keys(tmp_path: Path) -> None:
    pending = PendingBatches(tmp_path, "demo")
    pending.folder.mkdir()
    (pending.folder / "state.json").write_text(json.dumps([BATCH]))
    pending.path_of("0f").write_bytes(b'{"custom_id": "a"}\n\xff\n[]\n{}\n5\n' + b"[" * 90_000)
    assert pending.keys() == {"a"}
