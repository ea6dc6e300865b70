"""The chain of a ledger file: changed and removed lines are named, and older lines stay valid."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from relabel_assets.errors import Problem
from relabel_assets.teacher.ledger import chain
from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.teacher.ledger.chain import chained, last_chain
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import read_line, read_start
from relabel_assets_tests.builders import exchange_lines

N_LINES = 6


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of three exchanges, appended one by one."""
    for number in range(N_LINES // 2):
        Ledger(tmp_path).append("demo", [exchange_lines(number)[1]])
    (file,) = Ledger(tmp_path).files()
    return file


def problems(file: Path) -> list[Problem]:
    return report(file).problems


def report(file: Path) -> ledger_report.LedgerReport:
    return ledger_report.report(Ledger(file.parent.parent), is_thorough=True)


def edit(file: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    file.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))


def test_every_line_ends_in_its_chain_and_reads_as_before(file: Path) -> None:
    for number, raw in enumerate(file.read_bytes().splitlines(keepends=True)):
        assert list(json.loads(raw))[-1] == "chain" and len(json.loads(raw)["chain"]) == 64
        whole = exchange_lines(number // 2)[1].splitlines(keepends=True)[number % 2]
        line, start = read_line(raw), read_start(raw)
        assert line is not None and start is not None
        assert repr(line) == repr(read_line(whole)) and repr(start) == repr(read_start(whole))
    counted = report(file)
    assert (counted.problems, counted.n_unchained, counted.n_lines) == ([], 0, N_LINES)


@pytest.mark.parametrize("number", range(1, N_LINES + 1))
def test_a_changed_line_is_named(file: Path, number: int) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        raw = lines[number - 1]
        lines[number - 1] = raw.replace(b'"relabel":{', b'"relabel":{"purpose":"x",', 1)
        return lines

    edit(file, change)
    (problem,) = problems(file)
    assert (problem.file, problem.line) == (f"demo/{file.name}", number)
    assert "changed after it was written" in problem.message and "backup" in problem.remedy


def test_a_changed_answer_is_named(file: Path) -> None:
    edit(
        file,
        lambda lines: [
            *lines[:3],
            lines[3].replace(b'\\"grade\\": 2', b'\\"grade\\": 3'),
            *lines[4:],
        ],
    )
    assert [problem.line for problem in problems(file)] == [4]


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (lambda lines: lines[1:], [1]),  # the first line removed
        (lambda lines: [*lines[:2], *lines[3:]], [3]),  # a line removed
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], [3, 4, 5]),  # swapped
        (lambda lines: [*lines, lines[-1]], [7]),  # repeated
        (lambda lines: lines[:-1], []),  # the end cut off: the chain does not show it
    ],
)
def test_removed_and_moved_lines_are_named_where_the_chain_breaks(
    file: Path, change: Callable[[list[bytes]], list[bytes]], at: list[int]
) -> None:
    edit(file, change)
    assert [problem.line for problem in problems(file)] == at


def test_torn_foreign_and_older_lines_do_not_break_the_chain(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    ledger = Ledger(tmp_path)
    older = exchange_lines(9)[1]
    ledger.append("demo", [exchange_lines(0)[1]])
    (file,) = ledger.files()
    for between in (older, b"hello\n", b"\n", exchange_lines(8)[1][:100]):
        with file.open("ab") as opened:
            opened.write(between)
        ledger.append("demo", [exchange_lines(1)[1]])
    counted = report(file)
    assert all("torn or foreign" in problem.message for problem in counted.problems)
    assert len(counted.problems) == 2 and counted.n_unchained == 4


def test_a_chained_line_that_lacks_only_its_newline_stays_in_the_chain(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)
    Ledger(file.parent.parent).append("demo", [exchange_lines(7)[1]])
    assert problems(file) == [] and report(file).n_unchained == 0


@pytest.mark.parametrize("block", [1, 50, 77, 1000])
def test_the_last_chain_is_found_in_blocks_of_any_size(
    file: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "_BLOCK_BYTES", block)
    expected = json.loads(file.read_bytes().splitlines()[-1])["chain"].encode()
    with file.open("r+b") as opened:
        opened.seek(0, os.SEEK_END)
        opened.write(b"x" * 3000 + b"\n" + b"y" * 500)
        opened.flush()
        assert last_chain(opened.fileno(), opened.tell()) == expected


def test_text_of_a_reply_that_looks_like_a_chain_is_none() -> None:
    inner = ',"chain":"' + "0" * 64 + '"}\n'
    raw = chained(json.dumps({"body": inner}).encode() + b"\n", b"")
    assert chain.ChainCheck().fault(raw) is None and raw.count(b"\n") == 1
