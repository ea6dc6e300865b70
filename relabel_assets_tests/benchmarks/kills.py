"""SIGKILL at random moments of `relabel run`: after each, a rerun ends in the tables of an undisturbed run.

    python relabel_assets_tests/benchmarks/kills.py 100 [--seed 1]

A small corpus in a temporary home. Each time the home is begun anew, a run is killed at a drawn moment between its start
and its end, and `relabel run` is called once more: it must succeed, leave the same content in every table and no
half-written file, and `relabel doctor` must find nothing wrong.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from relabel_assets.resources.warehouse import Warehouse
from relabel_assets_tests.conftest import write_corpus


def relabel(home: Path, *words: str) -> list[str]:
    os.environ.update(RELABEL_HOME=str(home), RELABEL_DATA=str(home.parent / "data"), HF_HUB_OFFLINE="1")
    return [sys.executable, "-m", "relabel_assets.cli", *words]


def content(home: Path) -> dict[tuple[str, str], str]:
    return {key: receipt.content_hash for key, receipt in Warehouse.at(home / "warehouse.duckdb").receipts().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draw, wrong, killed_in = random.Random(given.seed), [], Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder) / "data" / "tiny")
        home = Path(folder) / "home"
        started = time.monotonic()
        subprocess.run(relabel(home, "run"), check=True, capture_output=True)
        whole_s, expected = time.monotonic() - started, content(home)
        for number in range(1, given.kills + 1):
            shutil.rmtree(home, ignore_errors=True)
            process = subprocess.Popen(relabel(home, "run"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
            try:
                said, _ = process.communicate(timeout=draw.uniform(0.3, 1.0) * whole_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                said, _ = process.communicate()
            killed_in[said.decode().strip().split("\n")[-1][10:50] or "before the first line"] += 1
            again = subprocess.run(relabel(home, "run"), check=False, capture_output=True, text=True)
            doctor = subprocess.run(relabel(home, "doctor"), check=False, capture_output=True, text=True)
            halves = [str(file) for file in home.rglob("*.half")]
            found = content(home)
            if again.returncode or doctor.returncode or halves or found != expected:
                wrong.append(
                    (
                        number,
                        again.returncode,
                        doctor.stdout,
                        halves,
                        [k for k in expected if found.get(k) != expected[k]],
                    )
                )
                print(f"kill {number}: {wrong[-1]} {again.stderr[-800:]}", flush=True)
            if number % 10 == 0:
                print(f"{number} kills, {len(wrong)} wrong", flush=True)
    print(
        f"{given.kills} SIGKILLs, {given.kills - len(wrong)} reruns ended in the same tables; last words before the kill:"
    )
    for words, count in killed_in.most_common():
        print(f"  {count:4}  {words}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
