"""SIGKILL at random moments across the graph; each rerun must end as an undisturbed run does.

    python -m relabel_assets_tests.benchmarks.kills 100 [--seed 1]

A small corpus in a temporary home, begun anew for each kill. What is killed takes turns:

- run: `relabel run` from documents to benchmark, with a recorded teacher;
- live: `relabel run` up to the labels of a live teacher, a server on the loopback with a log;
- step: the process of one step of `dagster asset materialize` with the multiprocess executor;
- worker: all processes of such a run, as when the machine or the daemon goes down;
- label: `relabel label` over a file of pairs.

After each, the command is run once more: it must succeed, leave the same content in every table, no
half-written file, no run that Dagster holds for running, a current student that loads, and nothing
that `relabel doctor` finds wrong. No request that the ledger has an answer for is sent again; what
was in flight at the kill may be.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import psutil

from relabel_assets.graph.partitions import add_partitions
from relabel_assets.running import runner
from relabel_assets.tables.tables import TABLES
from relabel_assets.upkeep.doctor import examine
from relabel_assets_tests.builders import answers_in, ask_live, write_corpus
from relabel_assets_tests.faults.teacher_server import TeacherServer

LABELS = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels"]
RELABEL = [sys.executable, "-W", "ignore", "-m", "relabel_assets.cli.main"]
DAGSTER = [
    sys.executable,
    "-W",
    "ignore",
    "-m",
    "dagster",
    "asset",
    "materialize",
    "-m",
    "relabel_assets.definitions",
    "--select",
    ",".join(LABELS),
    "--partition",
    "tiny",
    "--config-json",
    '{"execution": {"config": {"multiprocess": {"max_concurrent": 2}}}}',
]
CONCURRENCY = 4
TURNS = ("run", "live", "run", "live", "run", "live", "label", "live", "step", "worker")


@dataclass
class KillTarget:
    """A command to kill, its tables, its undisturbed duration and its undisturbed result."""

    command: list[str]
    tables: list[str]
    undisturbed_s: float = 0.0
    expected: Any = None

    def is_same(self, result: Any) -> bool:
        return (
            result.equals(self.expected)
            if isinstance(result, pl.DataFrame)
            else result == self.expected
        )


class Workspace:
    """A folder with the corpus and a home, which is reset before each kill."""

    def __init__(self, folder: Path, server: TeacherServer) -> None:
        self.folder, self.home, self.server = folder, folder / "home", server
        self.pairs, self.out = folder / "pairs.parquet", folder / "labels.parquet"
        os.environ.update(
            RELABEL_HOME=str(self.home),
            RELABEL_DATA=str(folder / "data"),
            DAGSTER_HOME=str(self.home / "dagster"),
            OPENAI_API_KEY="none",
            HF_HUB_OFFLINE="1",
        )

    def begin(self, target: str) -> None:
        """Reset corpus and home: an empty home, or for `label` one with its student."""
        for path in (
            self.home,
            self.folder / "data",
            self.out,
            *self.folder.glob(".labels*"),
            *self.folder.glob("labels*"),
        ):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(
                missing_ok=True
            )
        write_corpus(self.folder / "data" / "tiny")
        if target == "live":
            ask_live(self.folder, base_url=self.server.base_url, max_concurrency=CONCURRENCY)
            self.server.requests.clear()
        if target == "label":
            shutil.copytree(self.folder / "labelled", self.home)
        project, _ = runner.from_environment()
        with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
            add_partitions(instance, ["tiny"])

    def bring_up_to_date(self, tables: list[str]) -> str:
        """Bring the home up to date in this process; return the failures as text."""
        project, warehouse = runner.from_environment()
        outcome = runner.bring_up_to_date(project, warehouse, "tiny", tables)
        return "" if outcome is None or outcome.is_success else str(outcome.failures)

    def result(self, turn: str) -> pl.DataFrame | dict[str, str]:
        """The result of a finished command: the labels file, or the content hash of each table."""
        if turn == "label":
            return pl.read_parquet(self.out)
        _, warehouse = runner.from_environment()
        return {table: receipt.content_hash for (_, table), receipt in warehouse.receipts().items()}

    def faults(self) -> list[str]:
        """Problems that the doctor reports, and leftovers of the killed process."""
        project, warehouse = runner.from_environment()
        faults = [
            f"{finding.subject}: {finding.problem}"
            for finding in examine(project, warehouse)
            if finding.problem
        ]
        faults += [f"half-written: {path}" for path in self.home.rglob("*.half")]
        with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
            begun = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
            faults += [
                f"held for running: {run.run_id}"
                for run in instance.get_runs(dg.RunsFilter(statuses=begun))
            ]
        for path in warehouse.read("student_model", "tiny").filter("is_current")["path"]:
            from relabel_assets.student import Labeler

            Labeler.load(project.home.path / path)
        return faults


def kill_family(process: subprocess.Popen[bytes]) -> None:
    for member in (*psutil.Process(process.pid).children(recursive=True), process):
        with suppress(psutil.Error):
            member.kill()


def kill_a_step(process: subprocess.Popen[bytes]) -> None:
    """Kill the newest child process, which runs the current step, or the run if it has none."""
    children = psutil.Process(process.pid).children(recursive=True)
    steps = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    (max(steps, key=lambda child: child.create_time()) if steps else process).kill()
    process.wait()


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--turns",
        nargs="+",
        default=TURNS,
        choices=sorted(set(TURNS)),
        help="what is killed, in turn",
    )
    arguments = parser.parse_args()
    draw, wrong, done, n_again = random.Random(arguments.seed), 0, Counter[str](), 0
    server = TeacherServer(latency_s=0.05)
    with tempfile.TemporaryDirectory() as folder, server.running():
        workspace = Workspace(Path(folder), server)
        targets = {
            "run": KillTarget([*RELABEL, "run", "-c", "tiny"], list(TABLES)),
            "live": KillTarget([*RELABEL, "run", "-c", "tiny", "-s", "*teacher_labels"], LABELS),
            "step": KillTarget(DAGSTER, LABELS),
            "label": KillTarget(
                [*RELABEL, "label", str(workspace.pairs), "-c", "tiny", "-o", str(workspace.out)],
                list(TABLES),
            ),
        }
        targets["worker"] = targets["step"]
        undisturbed(
            workspace, targets, {"step" if turn == "worker" else turn for turn in arguments.turns}
        )
        for number in range(1, arguments.kills + 1):
            turn = arguments.turns[number % len(arguments.turns)]
            target, killer = targets[turn], kill_a_step if turn == "step" else kill_family
            workspace.begin(turn)
            killed_after = _kill(target, killer, draw.uniform(0.25, 1.0) * target.undisturbed_s)
            answers_before, requests_before = (
                answers_in(workspace.home / "ledger"),
                server.requests.copy(),
            )
            failed = workspace.bring_up_to_date(target.tables)
            if turn == "label" and not workspace.out.exists():  # else it ended before the kill
                rerun = subprocess.run(target.command, check=False, capture_output=True, text=True)
                failed += rerun.stderr[-600:] if rerun.returncode else ""
            is_same = not failed and target.is_same(workspace.result(turn))
            problems = workspace.faults()
            problems += [
                f"asked again: {key}"
                for key in answers_before
                if server.requests[key] > requests_before[key]
            ]
            repeated = server.requests.total() - len(server.requests) if turn == "live" else 0
            n_again += repeated
            if repeated > CONCURRENCY:
                problems.append(
                    f"{repeated} requests were sent twice, and {CONCURRENCY} at most were in flight"
                )
            done[turn] += 1
            if failed or problems or not is_same:
                wrong += 1
                print(
                    f"kill {number} ({turn}, after {killed_after:.1f} s): {failed} "
                    f"{problems} same: {is_same}",
                    flush=True,
                )
            if number % 10 == 0:
                print(f"{number} kills, {wrong} wrong", flush=True)
    print(
        f"{arguments.kills} SIGKILLs ({', '.join(f'{count} {turn}' for turn, count in done.items())}): "
        f"{arguments.kills - wrong} reruns ended as undisturbed runs do; {n_again} requests "
        "that were in flight were sent again, "
        "none that was answered"
    )
    sys.exit(bool(wrong))


def undisturbed(workspace: Workspace, targets: dict[str, KillTarget], turns: set[str]) -> None:
    """Run each target once without a kill; record its duration and its result."""
    for turn in [
        turn
        for turn in ("run", "live", "step", "label")
        if turn in turns or (turn == "run" and "label" in turns)
    ]:
        target = targets[turn]
        if turn == "label":
            candidates = pl.read_parquet(
                workspace.folder / "labelled" / "parquet" / "bm25_candidates" / "*" / "*.parquet"
            )
            pairs = candidates.select("query_id", "doc_id")
            pl.concat([pairs] * 20).with_row_index("row").write_parquet(workspace.pairs)
        workspace.begin(turn)
        started = time.monotonic()
        subprocess.run(target.command, check=True, capture_output=True)
        target.undisturbed_s = time.monotonic() - started
        target.expected = workspace.result(turn)
        print(f"{turn}: {target.undisturbed_s:.1f} s undisturbed", flush=True)
        if turn == "run":
            shutil.copytree(workspace.home, workspace.folder / "labelled")


def _kill(
    target: KillTarget, killer: Callable[[subprocess.Popen[bytes]], None], after_s: float
) -> float:
    process = start(target.command)
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        killer(process)
    process.wait()
    return after_s


if __name__ == "__main__":
    main()
