"""Durability of the ledger: flushed before it is visible, and one sending process per corpus."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import filelock
import pytest

from relabel_assets.errors import TeacherError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.ledger.chain import chained
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.writer import LedgerWriter
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import KEY, exchange_lines, make_config, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer, good_reply, true_grade


def test_a_response_is_flushed_before_it_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, flushed = Ledger(tmp_path), []
    key, raw = exchange_lines(1)
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        written = b"".join(file.read_bytes() for file in ledger.files())
        flushed.append((written == chained(raw, b""), len(list(ledger.answers(key)))))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    ledger.append("demo", [raw])
    # The new file, then the folder that names it: both with the whole line written, and no answer
    # to be seen.
    assert flushed == [(True, 0), (True, 0)]
    assert len(list(ledger.answers(key))) == 1
    ledger.append("demo", [exchange_lines(2)[1]])
    assert len(flushed) == 3  # the folder only once


def test_a_response_that_cannot_be_flushed_is_not_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    key, raw = exchange_lines(1)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(TeacherError, match="No space left on device"):
        ledger.append("demo", [raw])
    assert not list(ledger.answers(key))


@pytest.mark.slow
def test_no_reply_is_parsed_before_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    durable, fsync, n_read = b"", os.fsync, 0

    def spy(descriptor: int) -> None:
        nonlocal durable
        fsync(descriptor)
        durable = b"".join(file.read_bytes() for file in tmp_path.glob("demo/*.jsonl"))

    def behave(body: dict[str, Any]) -> dict[str, Any]:
        grade = true_grade(body)
        return good_reply(grade) | {"id": f"chatcmpl-{hash(str(body))}"}

    from relabel_assets.teacher import questions as module

    read_grade = module.read_grade

    def read(body: dict[str, Any], n_grades: int) -> ParsedReply:
        nonlocal n_read
        n_read += 1
        assert body["id"].encode() in durable
        return read_grade(body, n_grades)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(module, "read_grade", read)
    server = TeacherServer()
    server.behave = behave
    with server.running():
        config = make_config(server, max_concurrency=8)
        labels = Teacher(tmp_path).grade(
            make_pairs(40), corpus="demo", config=config, rubric=default_rubric()
        )
    assert set(labels["status"]) == {"ok"} and n_read == 40


def test_commit_returns_after_its_append_and_waiting_lines_share_one_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, appended, release = Ledger(tmp_path), [], threading.Event()
    append = ledger.append

    def slow_append(corpus: str, lines: list[bytes]) -> None:
        assert release.wait(10)
        append(corpus, lines)
        appended.append(len(lines))

    monkeypatch.setattr(ledger, "append", slow_append)

    async def main() -> None:
        async with LedgerWriter(ledger, "demo") as writer:
            writer.put(exchange_lines(0)[1])
            commits = [asyncio.create_task(writer.commit(exchange_lines(1)[1]))]
            await asyncio.sleep(0.05)
            commits += [asyncio.create_task(writer.commit(exchange_lines(n)[1])) for n in (2, 3, 4)]
            await asyncio.sleep(0.05)
            assert not any(commit.done() for commit in commits)
            release.set()
            await asyncio.gather(*commits)
            assert all(list(ledger.answers(exchange_lines(n)[0])) for n in range(5))
            writer.put(exchange_lines(5)[1])

    asyncio.run(main())
    assert appended == [2, 3, 1]  # the last on the way out
    assert list(ledger.answers(exchange_lines(5)[0]))


def test_a_failed_append_is_raised_by_every_commit_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)

    def fail(corpus: str, lines: list[bytes]) -> None:
        if lines:
            raise TeacherError("the ledger cannot be written")

    monkeypatch.setattr(ledger, "append", fail)

    async def main() -> list[object]:
        async with LedgerWriter(ledger, "demo") as writer:
            commits = (writer.commit(exchange_lines(n)[1]) for n in range(3))
            return list(await asyncio.gather(*commits, return_exceptions=True))

    results = asyncio.run(main())
    assert [type(result) for result in results] == [TeacherError] * 3


HOLD = """
import sys, time
from pathlib import Path
from relabel_assets.teacher.ledger.chain import chained
from relabel_assets.teacher.ledger.ledger import Ledger
with Ledger(Path(sys.argv[1])).sending_for("demo"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_lock_covers_one_corpus_and_ends_with_its_killed_process(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"held\n"
    entered = threading.Event()

    def send() -> None:
        with Ledger(tmp_path).sending_for("demo"):
            entered.set()

    with Ledger(tmp_path).sending_for("other"):
        pass
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    assert not entered.wait(0.5)
    child.kill()
    child.wait()
    assert entered.wait(10)
    thread.join(10)
    assert (tmp_path / "demo.lock").read_bytes() == b""


def test_an_append_waits_for_another_process_that_is_appending(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append("demo", [exchange_lines(1)[1]])
    (file,) = ledger.files()
    thread = threading.Thread(
        target=ledger.append, args=("demo", [exchange_lines(2)[1]]), daemon=True
    )
    with file.open("r+b") as locked:
        filelock.lock_descriptor(locked.fileno())
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() and not list(ledger.answers(exchange_lines(2)[0]))
    thread.join(10)
    assert list(ledger.answers(exchange_lines(2)[0]))


def test_a_sender_that_waited_for_the_lock_sees_new_answers(tmp_path: Path) -> None:
    writer, reader = Ledger(tmp_path), Ledger(tmp_path)
    reader.refresh()
    key, raw = exchange_lines(1)
    with writer.sending_for("demo"):
        writer.append("demo", [raw])
    assert not list(reader.answers(key))
    with reader.sending_for("demo"):
        assert len(list(reader.answers(key))) == 1
