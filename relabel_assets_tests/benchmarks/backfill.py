"""Load test of one warehouse: six corpora, four concurrent runs, three readers, for some minutes.

    python -m relabel_assets_tests.benchmarks.backfill --minutes 10

A temporary home. Four processes take corpora in turn, change one document of each and run it from
end to end (`relabel run`): every table is made again. Meanwhile two readers query the replica with
DuckDB alone and one reads the Parquet files, over and over. Every read must see whole partitions,
each table as its receipt in `materializations` says. At the end the replica must hold what the
warehouse holds, and what a plan says is left must be nothing.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl

from relabel_assets.graph.project import Project
from relabel_assets.running import plan
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import write_corpus

CORPORA = [f"corpus_{number}" for number in range(6)]
N_PAIRS = 128  # of each corpus: 16 queries with 8 documents
ROW_COUNTS = " union all ".join(
    f"select corpus, '{name}' as table_name, count(*) as n from {name} group by corpus"
    for name in TABLES
)
BROKEN = f"""
    select made.corpus, table_name, made.n_rows, coalesce(n, 0) as n
    from materializations as made left join ({ROW_COUNTS}) using (corpus, table_name)
    where made.n_rows <> coalesce(n, 0)
"""


def change_a_document(folder: Path, number: int) -> None:
    """Change a document outside the benchmark: its pairs are graded again, a student is trained."""
    file = folder / "documents.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[0]["body"] = f"All that there is to know about parental leave, version {number}."
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_replica(home: Path) -> int:
    """Check that the replica has whole partitions; return 1, or 0 if it does not exist yet."""
    file = home / "labels.duckdb"
    if not file.exists():
        return 0
    with duckdb.connect(str(file), read_only=True) as con:
        broken = con.execute(BROKEN).fetchall()
        assert not broken, broken
        counts = con.execute("select corpus, count(*) from student_labels group by all").fetchall()
        assert all(count == N_PAIRS for _, count in counts), counts
        versions = con.execute(
            "select count(distinct model_id) from student_labels group by corpus"
        ).fetchall()
        assert all(count == 1 for (count,) in versions), versions
        con.execute("select count(*) from labels").fetchall()
    return 1


def read_parquet(home: Path) -> int:
    """Read the teacher labels of all corpora as Parquet; return the number of files."""
    heights = [
        pl.read_parquet(file).height
        for file in (home / "parquet" / "teacher_labels").glob("*/rows.parquet")
    ]
    assert all(height == N_PAIRS for height in heights), heights
    return len(heights)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    errors: list[str] = []
    runs, reads, lock = [0], [0], threading.Lock()
    with tempfile.TemporaryDirectory() as folder:
        for name in CORPORA:
            write_corpus(Path(folder) / "data" / name)
        home = Path(folder) / "home"
        os.environ |= {
            "RELABEL_HOME": str(home),
            "RELABEL_DATA": f"{folder}/data",
            "OMP_NUM_THREADS": "1",
        }
        end = time.monotonic() + 60 * arguments.minutes
        numbers = itertools.count()

        def run() -> None:
            while time.monotonic() < end:
                with lock:
                    number = next(numbers)
                name = CORPORA[number % len(CORPORA)]
                change_a_document(Path(folder) / "data" / name, number)
                command = [
                    sys.executable,
                    "-W",
                    "ignore",
                    "-m",
                    "relabel_assets.cli.main",
                    "run",
                    "-c",
                    name,
                ]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                with lock:
                    runs[0] += 1
                    if done.returncode:
                        errors.append(f"run of {name}: {done.stderr[-600:]}")

        def keep_reading(read: Callable[[Path], int]) -> None:
            while time.monotonic() < end:
                try:
                    n_reads = read(home)
                    with lock:
                        reads[0] += n_reads
                except Exception as error:
                    with lock:
                        errors.append(f"reader: {type(error).__name__}: {error}")
                time.sleep(0.05)

        threads = [threading.Thread(target=run) for _ in range(4)]
        readers = (read_replica, read_replica, read_parquet)
        threads += [threading.Thread(target=keep_reading, args=(read,)) for read in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        errors += remaining_faults(home)
    print(
        f"{runs[0]} runs of {len(CORPORA)} corpora by 4 processes, {reads[0]:,} reads "
        "by 3 readers, "
        f"{arguments.minutes:g} minutes: {len(errors)} errors"
    )
    print("\n".join(errors[:10]))
    sys.exit(bool(errors) or not runs[0] or not reads[0])


def remaining_faults(home: Path) -> list[str]:
    """Faults after all runs: mismatched receipts, stale copies, tables that a plan would write."""
    project, warehouse = Project.from_environment(), Warehouse.at(home / "warehouse.duckdb")
    faults = [f"not whole: {row}" for row in warehouse.query(BROKEN).rows()]
    for table in (*TABLES, "materializations", "grade_history"):
        query = f"select * from {table} order by all"
        if not warehouse.read_replica(query).equals(warehouse.query(query)):
            faults.append(f"the replica's {table} is not the warehouse's")
    for name in sorted({corpus for corpus, _ in warehouse.receipts()}):
        faults += [
            f"{name}: {change}" for change in plan.plan(project, warehouse, name, list(TABLES))
        ]
    return faults


if __name__ == "__main__":
    main()
