"""What the commands have in common: corpora to work on, files that are not replaced, a quick start."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from relabel_assets.cli import output
from relabel_assets.errors import ConfigError
from relabel_assets.out_file import require_free
from relabel_assets_tests.builders import relabel, write_corpus


@pytest.fixture
def at_finished_home(finished_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RELABEL_HOME", str(finished_home))
    monkeypatch.setenv("RELABEL_DATA", str(finished_home.parent / "data"))
    return finished_home


def test_the_version_is_one_line() -> None:
    done = relabel("--version")
    assert done.returncode == 0
    versions = r"relabel-assets \S+ \(Python 3\.\S+, torch \S+, dagster \S+, duckdb \S+\)\n"
    assert re.fullmatch(versions, done.stdout)


def test_help_in_a_pipe_has_no_boxes_and_cuts_the_line_of_no_command() -> None:
    stdout = relabel("--help").stdout
    assert "corpora   List the corpora, check their folders, and remove one that is gone." in stdout
    assert not re.search(r"[╭│]|\w\.\.\.$", stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "run -s seed_docs",
        "plan",
        "report",
        "corpora list",
        "corpora check",
        "estimate",
        "ledger",
        "metrics",
    ],
)
def test_a_command_can_be_limited_to_corpora(home: Path, command: str) -> None:
    for name in ("other", "third"):
        write_corpus(home / "data" / name)
    if command in ("metrics", "ledger"):
        assert relabel("run", "-s", "seed_docs").returncode == 0
        for name in ("tiny", "other", "third"):
            file = home / "home" / "ledger" / name / "2026-01-01.jsonl"
            file.parent.mkdir(parents=True)
            file.write_text("torn")
    done = relabel(*command.split(), "-c", "tiny", "--corpus", "third")
    assert done.returncode == 0, done.stderr
    assert "other" not in done.stdout + done.stderr
    assert "tiny" in done.stdout + done.stderr and "third" in done.stdout + done.stderr
    refused = relabel(*command.split(), "-c", "tyny")
    assert (refused.returncode, "Available: other, third, tiny" in refused.stderr) == (3, True)


def test_corpora_to_check_may_still_be_named_without_an_option(home: Path) -> None:
    for name in ("other", "third"):
        write_corpus(home / "data" / name)
    stdout = relabel("corpora", "check", "tiny", "-c", "third").stdout
    assert "tiny" in stdout and "third" in stdout and "other" not in stdout


@pytest.mark.parametrize("others", [[], ["other", "third"]])
def test_a_run_with_nothing_to_do_is_one_line(home: Path, others: list[str]) -> None:
    for name in others:
        write_corpus(home / "data" / name)
    assert relabel("run", "-s", "seed_docs").returncode == 0
    done = relabel("run", "-s", "seed_docs")
    what = "tiny is" if not others else "3 corpora are"
    assert done.stdout == f"Nothing to do: {what} up to date. Benchmark: relabel report\n"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("at_finished_home")
def test_a_result_replaces_a_file_only_by_force(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    query = ("sql", "select 1 as n", "--out", str(out))
    assert relabel(*query).returncode == 0
    out.write_text("mine")
    refused = relabel(*query)
    assert refused.returncode == 4
    assert f"{out} already exists" in refused.stderr and "--force" in refused.stderr
    assert out.read_text() == "mine"
    assert relabel(*query, "--force").returncode == 0
    assert out.read_text() == "n\n1\n"


@pytest.mark.parametrize("is_forced", [False, True])
def test_a_link_and_a_folder_are_never_replaced(tmp_path: Path, is_forced: bool) -> None:
    link = tmp_path / "labels.csv"
    link.symlink_to(tmp_path / "nothing")
    for out in (link, tmp_path):
        with pytest.raises(ConfigError, match=r"already exists\. Choose another --out\.$"):
            require_free(out, is_forced=is_forced)


def test_a_query_starts_before_large_libraries_are_loaded() -> None:
    modules = "relabel_assets.cli.app, relabel_assets.cli.printing.output_frames"
    modules += ", relabel_assets.warehouse.reading"
    large = "{'dagster', 'polars', 'pyarrow', 'duckdb', 'numpy', 'pydantic', 'torch'}"
    code = f"import sys, {modules}; print({large} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.usefixtures("at_finished_home")
def test_a_check_that_did_not_pass_says_what_it_checks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from relabel_assets.running.runner import Outcome

    check = "teacher_labels: every_pair_is_graded"
    output.print_outcome(Outcome("tiny", True, findings={check: "- 2 pairs failed: HTTP 500"}))
    first, meaning, finding = capsys.readouterr().err.splitlines()
    assert first == f"tiny / check {check} did not pass"
    assert re.fullmatch(r"  What it checks: \w.{20,}", meaning)
    assert finding == "  - 2 pairs failed: HTTP 500"
    # Of every part of the graph: this one is beside the checks of rows.
    assert "bm25_candidates: queries_find_documents" in output.check_meanings()


@pytest.mark.usefixtures("at_finished_home")
def test_pairs_without_a_recorded_grade_are_said_to_be_no_fault() -> None:
    stdout = relabel("report").stdout
    n = r"[\d,]+"
    assert re.search(rf"tiny: nothing paid: {n} of {n} pairs have a recorded grade", stdout)


def test_the_report_opens_in_the_browser(at_finished_home: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    code = "import sys; from relabel_assets.cli.app import run_command; sys.exit(run_command())"
    subprocess.run(
        [sys.executable, "-c", code, "report", "--open"],
        env={**os.environ, "BROWSER": f"{browser} %s"},
        timeout=120,
        check=True,
        capture_output=True,
    )
    (page,) = (at_finished_home / "reports").glob("*.html")
    assert opened.read_text().strip() == page.resolve().as_uri()


# The last lines of `make demo`


def test_the_command_is_named_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("RELABEL_HOME", "RELABEL_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "argv", [".venv/bin/relabel", "run"])
    assert output.this_command() == ".venv/bin/relabel"
    monkeypatch.setattr(sys, "argv", ["relabel", "run"])
    monkeypatch.setenv("RELABEL_HOME", "/tmp/my home")
    assert output.this_command() == "RELABEL_HOME='/tmp/my home' relabel"


def test_the_last_lines_of_the_demo_run_in_a_new_shell(at_finished_home: Path) -> None:
    command = str(Path(sys.executable).with_name("relabel"))
    done = subprocess.run(
        [command, "run", "--next-steps"], capture_output=True, text=True, timeout=120, check=True
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("    ")]
    new_shell = {"PATH": os.defpath, "HOME": os.environ.get("HOME", "/")}
    (query,) = (line for line in lines if " sql " in line)
    shown = subprocess.run(
        ["bash", "-c", query], env=new_shell, capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.split()[:4] == ["query", "title", "teacher_grade", "student_grade"]
    (ui,) = (line for line in lines if shlex.split(line)[-1] == "ui")
    opens_the_ui(f"exec env {ui}", new_shell)
    assert len(lines) == 2


def opens_the_ui(line: str, environment: dict[str, str]) -> None:
    """Run the line with a free port, until the UI answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(["bash", "-c", f"{line} --port {port}"], env=environment)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and server.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info") as answer:
                    assert answer.status == 200
                    return
            except OSError:
                time.sleep(0.5)
        pytest.fail(f"no UI, exit code {server.poll()}")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
