"""Ctrl-C and SIGTERM at random moments of the commands, in a terminal.

    python -m relabel_assets_tests.benchmarks.interruptions 40 [--seed 1] [--commands run sql]

Each command runs in a pseudo-terminal, which sends SIGINT for Ctrl-C as a real one does; every second
stop is a SIGTERM to the command's process. For each it prints the command, the moment, the seconds to
the exit, the exit code and what the terminal got after the stop. Right is: within 5 seconds, 130, and the
one line. `run` goes on in the same home until it has finished, so that each run begins where an
interrupted one ended; then nothing may be left to do, and Dagster holds no run for running or failed.
"""

import argparse
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

import dagster as dg
import polars as pl
import psutil

from relabel_assets.cli.supervisor import STOPPED_LINE
from relabel_assets.running import runner
from relabel_assets.running.dagster_state import unrecorded_tables
from relabel_assets.running.plan import stale_tables
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import ask_live, write_corpus

RELABEL = [sys.executable, "-W", "ignore", "-m", "relabel_assets.cli.main"]
ENDLESS = "select sum(hash(a.range, b.range)) from range(1000000000) a, range(1000000000) b"
COMMANDS = ["run", "label", "run", "sql", "ui", "run", "estimate"]
LONGEST_S = 60.0  # a command that has not ended by then never ends
_PIECES = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


@dataclass(frozen=True)
class Stop:
    """One interruption, and what came of it. `exit_s` is None where the command ended before it."""

    command: str
    signal: str
    moment_s: float
    exit_s: float | None
    code: int
    printed: str
    n_left: int = 0

    def is_right(self) -> bool:
        return self.exit_s is None or (
            self.exit_s < 5
            and self.code == 130
            and self.printed.strip() == STOPPED_LINE
            and not self.n_left
        )

    def line(self) -> str:
        if self.exit_s is None:
            return f"{self.command:9} ended before {self.moment_s:5.1f} s, code {self.code}"
        verdict = (
            "" if self.is_right() else f"  WRONG: {self.printed[-1500:]!r}, {self.n_left} left"
        )
        return (
            f"{self.command:9} {self.signal:7} at {self.moment_s:5.1f} s: "
            f"{self.exit_s:4.1f} s, code {self.code}{verdict}"
        )


def interrupted(name: str, command: list[str], how: str, moment_s: float) -> Stop:
    """Run `command` in a terminal of its own, and stop it after `moment_s`."""
    master, slave = os.openpty()

    def take_terminal() -> None:
        ioctl(slave, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509 (this process has one thread)
    )
    os.close(slave)
    began, output, stopped_at, n_before = time.monotonic(), b"", None, 0
    family: list[psutil.Process] = []
    while process.poll() is None and time.monotonic() - began < moment_s + LONGEST_S:
        output += _read(master)
        if stopped_at is None and time.monotonic() - began >= moment_s:
            family = psutil.Process(process.pid).children(recursive=True)
            n_before, stopped_at = len(output), time.monotonic()
            if how == "Ctrl-C":
                os.write(master, b"\x03")
            else:
                process.send_signal(signal.SIGTERM)
    ended = time.monotonic()
    if process.poll() is None:
        process.kill()
    while more := _read(master):
        output += more
    os.close(master)
    exit_s = ended - stopped_at if stopped_at is not None else None
    psutil.wait_procs(family, 0.5)
    before = screen(output[:n_before].decode(errors="replace"))
    after = screen(output.decode(errors="replace").replace("^C", ""))
    printed = "\n".join(line for line in after if line not in before)
    return Stop(name, how, moment_s, exit_s, process.wait(), printed, sum(map(_is_alive, family)))


def screen(output: str) -> list[str]:
    """The lines that a terminal shows after `output`: a bar is drawn over the one before.

    >>> screen("bar 1\\r\\x1b[2Kbar 2\\r\\x1b[2Kdone\\n")
    ['done', '']
    """
    lines, row = [""], 0
    is_at_start = False
    for code, kind, control, text in _PIECES.findall(output):
        if control == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif kind == "A":
            row = max(0, row - int(code or 1))
        elif kind == "K":
            lines[row] = ""
        elif text:
            lines[row] = text if is_at_start else lines[row] + text
        if control or text:
            is_at_start = control == "\r"
    return lines


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _read(master: int) -> bytes:
    """What the terminal has now; nothing once the last process has closed it."""
    try:
        return os.read(master, 65536) if select.select([master], [], [], 0.02)[0] else b""
    except OSError:
        return b""


class Workspace:
    """A corpus and two homes: `new` is made by interrupted runs, `finished` is only read."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.new, self.finished = folder, folder / "new", folder / "finished"
        os.environ.update(RELABEL_DATA=str(folder / "data"), OPENAI_API_KEY="none")
        os.environ["HF_HUB_OFFLINE"] = "1"
        write_corpus(folder / "data" / "tiny")
        write_corpus(folder / "asked" / "data" / "tiny")
        ask_live(folder / "asked")
        self.enter(self.finished)
        subprocess.run([*RELABEL, "run", "-c", "tiny"], check=True, capture_output=True)
        candidates = pl.read_parquet(self.finished / "parquet" / "bm25_candidates" / "*" / "*")
        pairs = candidates.select("query_id", "doc_id")
        pl.concat([pairs] * 200).with_row_index("row").write_parquet(folder / "pairs.parquet")

    def enter(self, home: Path) -> None:
        os.environ.update(RELABEL_HOME=str(home), DAGSTER_HOME=str(home / "dagster"))

    def commands(self) -> dict[str, tuple[list[str], float]]:
        """The commands to stop, each with the latest moment: about its duration."""
        pairs, out = self.folder / "pairs.parquet", self.folder / "labels.parquet"
        return {
            "run": ([*RELABEL, "run", "-c", "tiny"], 25.0),
            "label": ([*RELABEL, "label", str(pairs), "-c", "tiny", "-o", str(out)], 20.0),
            "sql": ([*RELABEL, "sql", ENDLESS], 5.0),
            "estimate": ([*RELABEL, "estimate", "-c", "tiny"], 6.0),
            "ui": ([*RELABEL, "ui", "--port", str(_free_port())], 30.0),
        }

    def reset(self, name: str) -> None:
        self.enter(self.new if name == "run" else self.finished)
        # Estimates are of a live teacher, and the runs' is recorded.
        asked = self.folder / "asked"
        os.environ["RELABEL_DATA"] = str((asked if name == "estimate" else self.folder) / "data")
        for path in self.folder.glob("labels*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def faults_of_a_finished_home(self) -> list[str]:
        """What a run that ended well must not leave behind."""
        project, warehouse = runner.from_environment()
        tables = list(TABLES)
        faults = [f"stale: {name}" for name in stale_tables(project, warehouse, "tiny", tables)]
        with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
            faults += [f"red: {name}" for name in unrecorded_tables(instance, "tiny", tables)]
            allowed = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED}
            faults += [
                f"run {run.status}" for run in instance.get_runs() if run.status not in allowed
            ]
        return faults


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stops", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", nargs="+", default=COMMANDS)
    arguments = parser.parse_args()
    draw, stops, faults = random.Random(arguments.seed), list[Stop](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        while len(stops) < arguments.stops:
            name = arguments.commands[len(stops) % len(arguments.commands)]
            command, latest_s = workspace.commands()[name]
            workspace.reset(name)
            how = ("Ctrl-C", "SIGTERM")[len(stops) // len(arguments.commands) % 2]
            stop = interrupted(name, command, how, draw.uniform(0.1, latest_s))
            print(stop.line(), flush=True)
            if name == "run" and stop.exit_s is None:
                faults += workspace.faults_of_a_finished_home()
                shutil.rmtree(workspace.new)
            if stop.exit_s is None and stop.code:
                faults.append(f"{name} ended with {stop.code}: {stop.printed[-1000:]}")
            if stop.exit_s is not None:
                stops.append(stop)
        if workspace.new.exists():
            workspace.reset("run")
            subprocess.run(workspace.commands()["run"][0], check=True, capture_output=True)
            faults += workspace.faults_of_a_finished_home()
    wrong = [stop for stop in stops if not stop.is_right()]
    longest = max(stop.exit_s or 0 for stop in stops)
    print(
        f"{len(stops)} stops, {len(wrong)} wrong, the longest took {longest:.1f} s. Then: {faults}"
    )
    sys.exit(bool(wrong or faults))


if __name__ == "__main__":
    main()
