"""The table reader: seconds for 100,000 rows of CSV, beside Python's csv module and Polars.

    python -m relabel_assets_tests.benchmarks.table_reader [--rows 100000] [--repeat 3]

All three read the same file of documents (id, title, body of 60 words, author; a third of the bodies is
quoted). The csv module splits it, strictly, and does nothing else. Polars reads it into a frame, on one
thread. The reader finds out encoding, delimiter and columns, checks each row, and makes ids; the second
line has its cost where \\" in cells makes it read the file in two ways first. CPU seconds, the best of
`--repeat`.
"""

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from relabel_assets.intake.tables.kinds import DOCUMENTS
from relabel_assets.intake.tables.reader import read_table

_POLARS = """
import sys, time
import polars as pl
pl.read_csv(sys.argv[1], n_rows=10)
began = time.process_time()
n = pl.read_csv(sys.argv[1], infer_schema=False).height
print(n, time.process_time() - began)
"""


def write(path: Path, n_rows: int, *, is_escaped: bool) -> None:
    rng = random.Random(13)
    words = [f"word{number}" for number in range(5_000)]
    quoted = {"doublequote": False, "escapechar": "\\"} if is_escaped else {}
    with path.open("w", newline="") as file:
        writer = csv.writer(file, **quoted)
        writer.writerow(["doc_id", "title", "body", "author"])
        for number in range(n_rows):
            body = " ".join(rng.choices(words, k=60))
            body += ', "quoted", and a comma' if number % 3 == 0 else ""
            writer.writerow([f"d{number}", f"Title {number}", body, "Ana"])


def by_reader(path: Path) -> int:
    with path.open("rb") as file:
        return sum(isinstance(row, dict) for _, row in read_table(file, ".csv", DOCUMENTS).rows)


def by_csv(path: Path) -> int:
    with path.open(newline="") as file:
        return sum(1 for _ in csv.reader(file, strict=True)) - 1


def best_s(read: Callable[[Path], int], path: Path, n_rows: int, repeat: int) -> float:
    """CPU seconds of the fastest of `repeat` readings."""
    seconds = []
    for _ in range(repeat):
        began = time.process_time()
        assert read(path) == n_rows
        seconds.append(time.process_time() - began)
    return min(seconds)


def polars_s(path: Path, n_rows: int, repeat: int, threads: int) -> float:
    """The same of Polars, in a process with so many threads."""
    environment = os.environ | {"POLARS_MAX_THREADS": str(threads)}
    seconds = []
    for _ in range(repeat):
        command = [sys.executable, "-c", _POLARS, str(path)]
        n, cpu_s = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        assert int(n) == n_rows
        seconds.append(float(cpu_s))
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain, escaped = Path(folder) / "plain.csv", Path(folder) / "escaped.csv"
        write(plain, asked.rows, is_escaped=False)
        write(escaped, asked.rows, is_escaped=True)
        ours = best_s(by_reader, plain, asked.rows, asked.repeat)
        twice = best_s(by_reader, escaped, asked.rows, asked.repeat)
        module = best_s(by_csv, plain, asked.rows, asked.repeat)
        frames = polars_s(plain, asked.rows, asked.repeat, 1)
        size = plain.stat().st_size / 1e6
    print(f"{asked.rows:,} rows, {size:.0f} MB: CPU seconds")
    for name, seconds in (("this reader", ours), ("the same, with escapes", twice)):
        print(
            f"  {name}: {seconds:.2f} s; csv module {module:.2f} s (ratio {seconds / module:.2f}); "
            f"polars.read_csv, 1 thread {frames:.2f} s (ratio {seconds / frames:.2f})"
        )


if __name__ == "__main__":
    main()
