"""The copies that readers open: what each design costs a partition, and which readers it breaks.

    python -m relabel_assets_tests.benchmarks.readers_copies --megabytes 10 100 500 [--folder /mnt/xfs]

A warehouse of each size, of which a run replaces eight partitions of some 2 MB. `--folder` chooses the file system. The rival is
a whole copy of the file for each partition (`shutil.copyfile`). Beside it:

- shared blocks: the copy as it is made now, `replica.copy_file`. XFS and Btrfs share the blocks.
- one a run: the rival's copy after the last partition alone.
- views over Parquet: `labels.duckdb` holds views, and only the partition's Parquet file is written.

Each design replaces the same partitions in the same run, in turns. `broken` counts, of 23 readers that open the copy while it
is replaced, those that then get an error or wrong rows. `moved`: whether a reader still gets rows after the home was
renamed. `writes`: whether a read-only connection, limited to the home, can write a file there.
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.replica import copy_file
from relabel_assets.warehouse.warehouse import Warehouse

N_PARTITIONS = 8  # the tables of a corpus
HEADER = (
    3 * 4096
)  # DuckDB reads the headers of a file, opens it again by its name, and reads the rest
SUMMARY = "select count(distinct body), sum(length(body)) from seed_docs"
N_READERS = 23


@dataclass
class Cost:
    """Seconds and bytes of each partition."""

    seconds: list[float] = field(default_factory=list)
    n_bytes: list[int] = field(default_factory=list)

    def add(self, work: Callable[[], object], n_bytes: int) -> None:
        started = time.perf_counter()
        work()
        self.seconds.append(time.perf_counter() - started)
        self.n_bytes.append(n_bytes)

    def __str__(self) -> str:
        # The mean: one copy a run is spread over the run's partitions.
        return f"{1000 * statistics.mean(self.seconds):7.1f} ms {statistics.mean(self.n_bytes) / 1e6:7.1f} MB"


def random_documents(n: int, n_characters: int, rng: np.random.Generator) -> pl.DataFrame:
    """Documents that do not compress below half: random hexadecimal digits."""
    rows = pl.DataFrame(
        {
            "doc_id": [f"d{number:06}" for number in range(n)],
            "body": [rng.bytes(n_characters // 2).hex() for _ in range(n)],
            "content_hash": ["0" * 64] * n,
        }
    )
    names = [name for name in TABLES["seed_docs"].schema.column_names() if name != "corpus"]
    absent = [pl.lit(None, pl.String).alias(name) for name in names if name not in rows.columns]
    return rows.with_columns(absent)


def write(warehouse: Warehouse, corpus: str, rows: pl.DataFrame) -> None:
    """Commit a partition and checkpoint, without copies for readers."""
    with warehouse.get_connection() as con:
        con.register("incoming", rows.to_arrow())
        con.begin()
        con.execute("delete from seed_docs where corpus = ?", [corpus])
        con.execute(f"insert into seed_docs by name select '{corpus}' as corpus, * from incoming")
        con.commit()
        con.unregister("incoming")
        con.execute("checkpoint")


def measure_costs(folder: Path, megabytes: int) -> None:
    rng = np.random.default_rng(13)
    warehouse = Warehouse.at(folder / "warehouse.duckdb")
    database = Path(warehouse.database)
    warehouse.replace("seed_docs", "demo", random_documents(1, 10, rng), input_hash="0" * 64)
    for number in range(max(1, megabytes // 10)):  # hexadecimal digits take half their length
        write(warehouse, f"filler_{number}", random_documents(1000, 20_000, rng))
    costs = {"whole copy": Cost(), "shared blocks": Cost(), "one a run": Cost(), "views": Cost()}
    copy, parquet = folder / "copy.duckdb", folder / "rows.parquet"
    for number in range(N_PARTITIONS):
        rows = random_documents(200, 20_000, rng)
        write(warehouse, "demo", rows)
        size = database.stat().st_size
        costs["whole copy"].add(lambda: shutil.copyfile(database, copy), size)
        copy.unlink()
        costs["shared blocks"].add(lambda: copy_file(database, copy), size)
        copy.unlink()
        if number == N_PARTITIONS - 1:
            costs["one a run"].add(lambda: shutil.copyfile(database, copy), size)
            copy.unlink()
        else:
            costs["one a run"].add(lambda: None, 0)
        costs["views"].add(lambda rows=rows: rows.write_parquet(parquet), 0)  # type: ignore[misc]
        costs["views"].n_bytes[-1] = parquet.stat().st_size
    print(f"warehouse of {database.stat().st_size / 1e6:.0f} MB, a partition:")
    for name, cost in costs.items():
        rival = statistics.mean(costs["whole copy"].seconds)
        print(
            f"  {name:14}{cost}   {rival / statistics.mean(cost.seconds):6.1f} times the rival's speed"
        )


def count_broken_readers(folder: Path, writes_between_copies: int) -> int:
    """Readers that open the copy for its headers before it is replaced, and for the rest after."""
    draw = random.Random(1)
    rng = np.random.default_rng(13)
    warehouse = Warehouse.at(folder / f"every_{writes_between_copies}" / "warehouse.duckdb")
    warehouse.replace("seed_docs", "a", random_documents(5, 400, rng), input_hash="0" * 64)
    before, expected = b"", None
    n_broken = 0
    for _ in range(N_READERS + 1):
        for _ in range(writes_between_copies):
            rows = random_documents(draw.choice((5, 60, 300, 900, 2000)), 400, rng)
            write(warehouse, draw.choice("abcd"), rows)
        # The new copy keeps the length of the old one, as replica.py does.
        after = Path(warehouse.database).read_bytes()
        after += before[len(after) :]
        if before:
            file = folder / "read.duckdb"
            file.write_bytes(before[:HEADER] + after[HEADER:])
            n_broken += summary(file) != expected
        whole = folder / "whole.duckdb"
        whole.write_bytes(after)
        expected = summary(whole)
        before = after
    return n_broken


def summary(file: Path) -> list[tuple[object, ...]] | None:
    try:
        with duckdb.connect(str(file), read_only=True) as con:
            return con.execute(SUMMARY).fetchall()
    except duckdb.Error:
        return None


def show_views(folder: Path) -> tuple[bool, bool]:
    """Whether views over Parquet survive a move of the home, and whether SQL on them can write a file."""
    home = folder / "home"
    parquet = home / "parquet"
    parquet.mkdir(parents=True)
    pl.DataFrame({"grade": [2]}).write_parquet(parquet / "rows.parquet")
    with duckdb.connect(str(home / "labels.duckdb")) as con:
        con.execute(f"create view labels as select * from read_parquet('{parquet}/*.parquet')")
    with duckdb.connect(str(home / "labels.duckdb"), read_only=True) as con:
        con.execute(f"set allowed_directories = ['{parquet}']")
        con.execute("set enable_external_access = false")
        con.execute("select * from labels").fetchall()
        con.execute(f"copy (select 3 as grade) to '{parquet}/rows.parquet'")
        can_write = con.execute("select grade from labels").fetchall() == [(3,)]
    home.rename(folder / "moved")
    try:
        with duckdb.connect(str(folder / "moved" / "labels.duckdb"), read_only=True) as con:
            con.execute("select * from labels").fetchall()
    except duckdb.Error:
        return False, can_write
    return True, can_write


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 100, 500])
    parser.add_argument("--folder", type=Path, help="a folder on the file system to measure")
    arguments = parser.parse_args()
    for megabytes in arguments.megabytes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            measure_costs(Path(folder), megabytes)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        each = count_broken_readers(Path(folder), 1)
        seldom = count_broken_readers(Path(folder), N_PARTITIONS)
        moved, can_write = show_views(Path(folder))
    print(f"broken readers of {N_READERS}: a copy for each partition {each}, one a run {seldom}")
    print(
        f"views over Parquet: readable after the home moved: {moved}; SQL can write files: {can_write}"
    )


if __name__ == "__main__":
    main()
