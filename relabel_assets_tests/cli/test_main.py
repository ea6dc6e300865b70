"""How the command ends: one line for each error, its exit code, and streams that nobody reads."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from relabel_assets.cli import app as app_module
from relabel_assets.errors import TeacherError
from relabel_assets_tests.builders import relabel

MAIN = "from relabel_assets.cli.main import main; main()"


def ends_with(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command `fail` that raises the given error."""
    monkeypatch.setenv("RELABEL_DEBUG", "")  # and what --debug sets is undone

    def run(error: BaseException, *options: str) -> subprocess.CompletedProcess[str]:
        commands = list(app_module.app.registered_commands)
        app_module.app.command("fail")(ends_with(error))
        try:
            return relabel(*options, "fail")
        finally:
            app_module.app.registered_commands[:] = commands

    return run


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (TeacherError("no \x1b[31mkey[/]"), 7, r"error: no \x1b[31mkey[/]"),
        (KeyError("grade"), 70, "an unexpected error: KeyError: 'grade'"),
        (MemoryError(), 70, "the memory of this machine is full"),
        (RecursionError("too deep"), 70, "RecursionError: too deep"),
        (PermissionError(13, "Permission denied", "/x"), 70, "Permission denied: '/x'"),
        (UnicodeEncodeError("ascii", "\ud800", 0, 1, "no"), 70, "UnicodeEncodeError"),
        (ValueError("a\nTraceback (most recent call last)"), 70, "ValueError: a Traceback"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_any_error_ends_in_one_line_and_its_code(
    failing: Callable[..., subprocess.CompletedProcess[str]],
    error: BaseException,
    code: int,
    words: str,
) -> None:
    done = failing(error)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_an_unexpected_error_names_the_way_to_its_traceback(
    failing: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    assert "Run again with relabel --debug" in failing(KeyError("grade")).stderr
    with pytest.raises(KeyError):
        failing(KeyError("grade"), "--debug")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense\x1b[31m",),
        ("run", "--\udcff[bold]"),
        ("run", "--log-format", ":smile:"),
        ("sql", "a", "b"),
    ],
)
def test_wrong_arguments_are_shown_and_do_nothing(arguments: tuple[str, ...]) -> None:
    done = relabel(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: relabel") and "error: " in done.stderr
    assert "Try: relabel" in done.stderr and "--help" in done.stderr
    assert "\x1b" not in done.stderr and "\udcff" not in done.stderr
    assert "\N{SMILING FACE WITH OPEN MOUTH}" not in done.stderr


def test_a_group_without_a_command_prints_its_help_alone() -> None:
    done = relabel("corpora")
    assert (done.returncode, done.stderr) == (2, "")
    assert "check" in done.stdout


def run_shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RELABEL_DATA": str(folder / "none"), **variables}
    environment.pop("PYTHONUNBUFFERED", None)  # the end of a buffered stdout is what is tested
    return subprocess.run(
        ["bash", "-c", line.replace("relabel", f'{sys.executable} -c "{MAIN}"')],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("relabel --help >&-", 0),
        ("relabel --help <&- >&- 2>&-", 0),
        ("relabel sql - <&-", 4),
        ("relabel corpora list 2>&-", 3),
        ("relabel corpora list 2>/dev/full", 3),
        ("relabel nonsense 2>/dev/full", 2),
        ("relabel --help >/dev/full", 70),
        ("set -o pipefail; relabel ledger | true", 1),
    ],
)
def test_streams_that_cannot_be_written_cause_no_traceback(
    tmp_path: Path, line: str, code: int
) -> None:
    done = run_shell(line, tmp_path, RELABEL_HOME=str(tmp_path / "home"))
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) <= 2, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("relabel sql 'select 1 as n' -f csv >/dev/full", 70),
        ("set -o pipefail; relabel sql 'select 1 as n' -f csv | true", 1),
        ("relabel sql 'select 1 as n' -f csv >&-", 0),
        ("echo 'select 1 as n' | relabel sql - -f csv 2>&- >&-", 0),
    ],
)
def test_a_result_that_cannot_be_written_is_one_line(
    finished_home: Path, tmp_path: Path, line: str, code: int
) -> None:
    done = run_shell(line, tmp_path, RELABEL_HOME=str(finished_home))
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == (code == 70), done.stderr


@pytest.mark.slow
def test_a_file_never_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    # The first file that a command opens would be number 1, and get what is printed.
    code = "from relabel_assets.cli.standard_streams import open_streams; open_streams(); "
    code += "file = open('first', 'w'); import os; os.write(1, b'printed'); file.close()"
    subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" >&-'], cwd=tmp_path, timeout=60, check=True
    )
    assert (tmp_path / "first").read_bytes() == b""


@pytest.mark.slow
def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    home = str(tmp_path / "Größe")
    done = run_shell(
        "relabel ledger", tmp_path, RELABEL_HOME=home, PYTHONIOENCODING="ascii", LC_ALL="C"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Gr\\xf6\\xdfe" in done.stdout
