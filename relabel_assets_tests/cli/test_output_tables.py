"""Tables fit the terminal without cutting a name; a pipe gets a line a row."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relabel_assets.cli.console import Console
from relabel_assets.cli.printing import output_tables
from relabel_assets.cli.printing.output_tables import Wide, fitting, print_table

METRICS = ["labeler", "ndcg@10", "pairwise_strict", "pairwise_half", "kappa_quadratic"]
SCORES = [
    ["teacher", "0.995 [0.99, 1.00]", "0.932 [0.90, 0.97]", "0.966 [0.95, 0.98]", "0.9 [0.8, 1.0]"],
    ["student-teacher", "-0.052 [-0.07, -0.03]", "-0.021 [-0.06, +0.02]", "-0.1 [-0.2, -0.0]", "-"],
]
CELLS = {cell for row in SCORES for cell in row}
MODEL = "sentence-transformers/all-MiniLM-L6-v2-with-a-name-that-goes-on"
PROSE = "Hand in receipts within 30 days of the trip, and not later than the end of the year."


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Shown":
    return Shown(monkeypatch, capsys)


class Shown:
    """What print_table prints at a width, on a terminal or in a pipe."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys = patch, capsys

    def at(
        self,
        width: int,
        columns: list[str],
        rows: list[list[str]],
        *,
        is_plain: bool = False,
        wide: Wide = Wide.BLOCKS,
        are_named: bool = False,
    ) -> str:
        self._patch.setattr(output_tables, "OUT", Console(width=width))
        self._patch.setattr(output_tables, "is_plain", lambda: is_plain)
        print_table(columns, rows, wide=wide, are_named=are_named)
        output = self._capsys.readouterr().out
        assert max(map(len, output.splitlines())) <= width
        return output


def test_what_fits_is_a_box(shown: Shown) -> None:
    lines = shown.at(120, METRICS, SCORES).splitlines()
    assert lines[0].startswith("┏") and len(lines) == 6
    assert all(name in lines[1] for name in METRICS)


def test_a_box_gives_way_to_a_lighter_look_that_fits(shown: Shown) -> None:
    columns, rows = ["corpus", "model_id"], [["people_handbook", MODEL]]
    exact = len("people_handbook") + 2 + len(MODEL)
    assert shown.at(exact, columns, rows).splitlines()[2].split() == rows[0]
    assert "row 1" in shown.at(exact - 1, columns, rows)


@pytest.mark.parametrize("width", [60, 80])
def test_a_benchmark_goes_on_below_beside_its_labelers(shown: Shown, width: int) -> None:
    output = shown.at(width, METRICS, SCORES, wide=Wide.CONTINUED)
    for text in {*METRICS, *CELLS}:
        assert text in output, "a name or a number was cut or folded"
    heads = [line for line in output.splitlines() if line.startswith("labeler")]
    assert len(heads) > 1 and output.count("student-teacher") == len(heads)


def test_a_long_text_is_folded_between_words_and_a_name_is_not(shown: Shown) -> None:
    output = shown.at(80, ["doc_id", "title"], [["policies/travel-expenses-2026.md", PROSE]])
    assert "policies/travel-expenses-2026.md" in output
    words = re.sub(r"[┃│┏┓┡┩└┘━─┳╇┴]", " ", output).split()
    assert [word for word in PROSE.split() if word not in words] == []


def test_what_does_not_fit_is_a_block_a_row(shown: Shown) -> None:
    columns = [f"column_{n}" for n in range(9)]
    output = shown.at(60, columns, [[str(n) for n in range(9)]])
    assert output.startswith("row 1 ─")
    assert [line.split() for line in output.splitlines()[1:]] == [
        [name, str(n)] for n, name in enumerate(columns)
    ]


def test_a_word_that_does_not_fit_beside_its_name_stands_below_it(shown: Shown) -> None:
    columns, rows = ["document_hash", "a", "b"], [["0" * 64, PROSE, "x" * 40]]
    exact = len("document_hash") + 2 + 64
    beside = shown.at(exact, columns, rows).splitlines()
    below = shown.at(exact - 1, columns, rows).splitlines()
    assert beside[1].split() == ["document_hash", "0" * 64]
    assert below[1:3] == ["document_hash", "  " + "0" * 64]


def test_a_column_too_wide_for_the_terminal_is_a_block_of_its_own(shown: Shown) -> None:
    columns, rows = ["labeler", "reason", "kappa"], [["teacher", "z" * 20, "0.1"]]
    lines = shown.at(22, columns, rows, wide=Wide.CONTINUED).splitlines()
    assert lines[:3] == ["teacher ──────────────", "reason", "  " + "z" * 20]
    assert lines[4].split() == ["labeler", "kappa"]


def test_a_block_of_a_named_row_has_its_name(shown: Shown) -> None:
    output = shown.at(30, ["corpus", "description"], [["people_handbook", PROSE]], are_named=True)
    assert output.startswith("people_handbook ─") and "corpus" not in output


def test_a_pipe_gets_a_line_a_row_as_long_as_it_is(shown: Shown) -> None:
    rows = [["a\nb", PROSE, ""], ["c", MODEL, "3"]]
    assert shown.at(100_000, ["name", "text", "n"], rows, is_plain=True).splitlines() == [
        f"name  {'text':<{len(PROSE)}}  n",
        f"a b   {PROSE}  -",
        f"c     {MODEL:<{len(PROSE)}}  3",
    ]


def test_a_pipe_with_columns_has_lines_that_short(shown: Shown) -> None:
    columns = ["doc_id", "title", "grade"]
    rows = [["policies/travel.md", PROSE, "3"], ["b", "Leave", "0"]]
    lines = shown.at(60, columns, rows, is_plain=True).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("policies/travel.md  Hand in") and "…" in lines[1]
    assert lines[1].endswith("3") and lines[2].endswith("0")


def test_a_pipe_too_narrow_for_the_names_gets_blocks(shown: Shown) -> None:
    columns = ["model_id", "doc_id", "n"]
    output = shown.at(12 + len(MODEL), columns, [[MODEL, "leave.md", ""]], is_plain=True)
    assert output == f"row 1\n  model_id  {MODEL}\n  doc_id    leave.md\n  n         -\n"


def test_wide_characters_count_as_two(shown: Shown) -> None:
    lines = shown.at(100_000, ["a", "b"], [["寸法", "x"], ["y", "z"]], is_plain=True).splitlines()
    assert lines == ["a     b", "寸法  x", "y     z"]


def test_control_characters_are_shown_and_do_nothing(shown: Shown) -> None:
    for is_plain in (False, True):
        output = shown.at(80, ["a"], [["\x1b[31mred [bold]"]], is_plain=is_plain)
        assert r"\x1b[31mred [bold]" in output and "\x1b" not in output


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=6),
    st.integers(0, 150),
)
def test_widths_are_within_their_bounds_and_use_what_is_there(
    bounds: list[tuple[int, int]], available: int
) -> None:
    least, most = [min(pair) for pair in bounds], [max(pair) for pair in bounds]
    widths = fitting(least, most, available)
    assert all(low <= width <= high for low, width, high in zip(least, widths, most, strict=True))
    assert sum(widths) == max(sum(least), min(sum(most), available))


# The commands, in a terminal and in a pipe


def in_terminal(columns: int, *arguments: str, **variables: str) -> str:
    """The output of a command in a terminal of `columns`, without colours."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", **variables}
    environment = {name: value for name, value in environment.items() if value}
    command = [sys.executable, "-m", "relabel_assets.cli.main", *arguments]
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    ) as process:
        os.close(terminal)
        output = b""
        try:
            while read := os.read(main, 65_536):
                output += read
        except OSError:  # Linux' end of a terminal
            pass
        assert process.wait(60) == 0, output.decode()
    os.close(main)
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", output.decode()).replace("\r\n", "\n")


def in_pipe(*arguments: str, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return subprocess.run(
        [sys.executable, "-m", "relabel_assets.cli.main", *arguments],
        env={**environment, **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    ).stdout


QUERY = (
    "select query, title, teacher_grade, student_grade, teacher_rationale from label_disagreements"
)


@pytest.fixture
def at_finished_home(finished_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(finished_home))
    monkeypatch.setenv("RELABEL_DATA", str(finished_home.parent / "data"))
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.mark.usefixtures("at_finished_home")
@pytest.mark.parametrize("columns", [60, 80])
def test_every_table_fits_the_terminal_and_keeps_its_names(columns: int) -> None:
    benchmark = in_terminal(columns, "report")
    for name in ("ndcg@10", "pairwise_strict", "kappa_quadratic", "student-teacher", "bm25"):
        assert name in benchmark
    rows = in_terminal(columns, "sql", QUERY)
    assert "teacher_rationale" in rows
    tables = in_terminal(columns, "sql")
    assert "label_disagreements" in tables
    for output in (rows, tables, in_terminal(columns, "corpora", "list")):
        assert max(map(len, output.splitlines())) <= columns


@pytest.mark.usefixtures("at_finished_home")
def test_a_dumb_terminal_and_a_pipe_get_no_drawing() -> None:
    drawing = re.compile("[┃│┏━─]|\x1b")
    assert drawing.search(in_terminal(100, "sql"))
    dumb = in_terminal(100, "sql", TERM="dumb")
    assert not drawing.search(dumb) and max(map(len, dumb.splitlines())) <= 100
    assert not drawing.search(in_pipe("sql", FORCE_COLOR=""))
    assert max(map(len, in_pipe("sql", COLUMNS="80").splitlines())) <= 80


@pytest.mark.usefixtures("at_finished_home")
def test_a_pipe_gets_all_rows_of_a_table_and_a_terminal_a_hundred() -> None:
    query = "select range as n from range(250)"
    assert in_pipe("sql", query).split() == ["n", *map(str, range(250))]
    assert "250 rows, the first 100 shown" in in_terminal(80, "sql", query)
