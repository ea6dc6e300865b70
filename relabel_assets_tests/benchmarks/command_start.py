"""Seconds from calling a command to its end, beside the start of a Python with DuckDB and Polars.

    python -m relabel_assets_tests.benchmarks.command_start --times 10

Needs a finished RELABEL_HOME (`make demo`). The rival is `python -c "import duckdb, polars"`: a script that
somebody would write to read the labels. The commands take turns, so that all see the same load of the
machine. Wall is what a person waits for. CPU is of both processes of a command and of its query; it depends
less on what else runs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

RELABEL = str(Path(sys.executable).with_name("relabel"))
RIVAL = [sys.executable, "-c", "import duckdb, polars"]
COMMANDS = {
    'python -c "import duckdb, polars"': RIVAL,
    "relabel --version": [RELABEL, "--version"],
    "relabel --help": [RELABEL, "--help"],
    'relabel sql "select 1"': [RELABEL, "sql", "select 1"],
    "relabel sql": [RELABEL, "sql"],
    "relabel corpora list": [RELABEL, "corpora", "list"],
    "relabel ledger": [RELABEL, "ledger"],
    "relabel report": [RELABEL, "report"],
}


def seconds(command: list[str]) -> tuple[float, float]:
    """Seconds of wall and CPU until `command` ends."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - started, os.times()
    cpu = (
        after.children_user - before.children_user + after.children_system - before.children_system
    )
    return wall, cpu


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=10)
    arguments = parser.parse_args()
    walls, cpus = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for command in COMMANDS.values():
        seconds(command)  # the first reads its files from the disk
    for _ in range(arguments.times):
        for name, command in COMMANDS.items():
            wall, cpu = seconds(command)
            walls[name].append(wall)
            cpus[name].append(cpu)
    rival = statistics.median(walls[next(iter(COMMANDS))])
    print(f"{'command':<36}{'wall s':>8}{'min':>7}{'cpu s':>8}{'ratio':>8}")
    for name in COMMANDS:
        wall, cpu = statistics.median(walls[name]), statistics.median(cpus[name])
        print(f"{name:<36}{wall:>8.2f}{min(walls[name]):>7.2f}{cpu:>8.2f}{wall / rival:>8.1f}")


if __name__ == "__main__":
    main()
