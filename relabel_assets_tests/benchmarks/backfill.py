"""Six corpora, four concurrent runs and three readers on one warehouse, for some minutes: no failed step, no reader error.

    python relabel_assets_tests/benchmarks/backfill.py --minutes 10

A temporary home. Four processes take corpora in turn and run each from end to end (`relabel run --force`); meanwhile two
readers query the replica with DuckDB alone and one reads the Parquet files, over and over. Every read must see whole
partitions: a corpus' labels are as many as its candidates.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import duckdb
import polars as pl

from relabel_assets_tests.conftest import write_corpus

CORPORA = [f"corpus_{number}" for number in range(6)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    runs, reads, errors, lock = [0], [0], [], threading.Lock()
    with tempfile.TemporaryDirectory() as folder:
        for name in CORPORA:
            write_corpus(Path(folder) / "data" / name)
        home = Path(folder) / "home"
        env = os.environ | {"RELABEL_HOME": str(home), "RELABEL_DATA": f"{folder}/data", "OMP_NUM_THREADS": "1"}
        end = time.monotonic() + 60 * given.minutes

        def runner(first: int) -> None:
            number = first
            while time.monotonic() < end:
                name = CORPORA[number % len(CORPORA)]
                command = [sys.executable, "-m", "relabel_assets.cli", "run", "-c", name, "--force"]
                done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
                with lock:
                    runs[0] += 1
                    if done.returncode:
                        errors.append(f"run of {name}: {done.stderr[-600:]}")
                number += 1

        def reader(read: object) -> None:
            while time.monotonic() < end:
                try:
                    seen = read()  # type: ignore[operator]
                    with lock:
                        reads[0] += seen
                except Exception as error:
                    with lock:
                        errors.append(f"reader: {type(error).__name__}: {error}")
                time.sleep(0.05)

        def replica() -> int:
            file = home / "labels.duckdb"
            if not file.exists():
                return 0
            with duckdb.connect(str(file), read_only=True) as con:
                rows = con.execute("select corpus, count(*) from student_labels group by all").fetchall()
                assert all(count in (96, 128) or count > 0 for _, count in rows), rows
                con.execute("select count(*) from labels").fetchall()
            return 1

        def parquet() -> int:
            files = list((home / "parquet" / "teacher_labels").glob("*/rows.parquet"))
            return sum(pl.read_parquet(file).height > 0 for file in files)

        threads = [threading.Thread(target=runner, args=(number,)) for number in range(4)]
        threads += [threading.Thread(target=reader, args=(read,)) for read in (replica, replica, parquet)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(f"{runs[0]} runs of {len(CORPORA)} corpora by 4 processes, {reads[0]:,} reads by 3 readers, "
          f"{given.minutes:g} minutes: {len(errors)} errors")  # fmt: skip
    print("\n".join(errors[:10]))
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
