"""Designs of the readers' copies: the cost per partition, and the readers that each design breaks.

    python -m relabel_assets_tests.benchmarks.readers_copies --megabytes 10 100 500 [--folder /mnt/xfs]

A warehouse of each size, of which a run replaces eight partitions of some 4 MB. `--folder` chooses
the file system. The rival is a whole copy of the file for each partition (`shutil.copyfile`).
Beside it:

- shared blocks: the copy as it is made now, `replica.copy_file`. XFS and Btrfs share the blocks:
  the bytes are then those of the file, not of the disk.
- one a run: the rival's copy after the last partition alone.
- views over Parquet: `labels.duckdb` holds views, and only the partition's Parquet file is written.

The designs take turns on the same partitions. `broken` counts, of 23 readers that open the copy
while it is replaced, those that then get an error or wrong rows. `moved`: whether a reader still
gets rows after the home was renamed. `writes`: whether a read-only connection, limited to the home,
can write a file there.
"""

import argparse
import functools
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.replica import copy_file
from relabel_assets.warehouse.warehouse import Warehouse

N_PARTITIONS = 8  # the tables of a corpus
# DuckDB reads the three header blocks of a file, opens it again by its name, and reads the rest.
HEADER = 3 * 4096
SUMMARY = "select count(distinct body), sum(length(body)) from seed_docs"
N_READERS = 23


def time_s(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def random_documents(n: int, n_characters: int, rng: np.random.Generator) -> pl.DataFrame:
    """Documents of random hexadecimal digits, which compress little."""
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
    n_left = 1000 * megabytes // 20  # of documents of 20 kB
    while n_left > 0:
        write(warehouse, f"filler_{n_left}", random_documents(min(n_left, 1000), 20_000, rng))
        n_left -= 1000
    copy, parquet = folder / "copy.duckdb", folder / "rows.parquet"
    whole_s, shared_s, parquet_s = [], [], []
    for _ in range(N_PARTITIONS):
        rows = random_documents(200, 20_000, rng)
        write(warehouse, "demo", rows)
        whole_s.append(time_s(lambda: shutil.copyfile(database, copy)))
        copy.unlink()
        shared_s.append(time_s(lambda: copy_file(database, copy)))
        copy.unlink()
        parquet_s.append(time_s(functools.partial(rows.write_parquet, parquet)))
    size = database.stat().st_size
    rival_s = statistics.median(whole_s)
    print(f"warehouse of {size / 1e6:.0f} MB, a partition (medians of {N_PARTITIONS}):")
    for name, seconds, n_bytes in (
        ("whole copy", rival_s, size),
        ("shared blocks", statistics.median(shared_s), size),
        ("one a run", rival_s / N_PARTITIONS, size / N_PARTITIONS),
        ("views", statistics.median(parquet_s), parquet.stat().st_size),
    ):
        cost = f"{1000 * seconds:8.2f} ms {n_bytes / 1e6:7.1f} MB"
        print(f"  {name:14}{cost}  {seconds / rival_s:6.3f} of the rival's time")


def count_broken_readers(folder: Path, writes_between_copies: int) -> int:
    """The number of readers that break while the copy is replaced between headers and blocks."""
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
        complete = folder / "whole.duckdb"
        complete.write_bytes(after)
        expected = summary(complete)
        before = after
    return n_broken


def summary(file: Path) -> list[tuple[object, ...]] | None:
    try:
        with duckdb.connect(str(file), read_only=True) as con:
            return con.execute(SUMMARY).fetchall()
    except duckdb.Error:
        return None


def show_views(folder: Path) -> tuple[bool, bool]:
    """Whether views over Parquet survive a move of the home, and can write files."""
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
        f"views over Parquet: readable after the home moved: {moved}; SQL can write "
        f"files: {can_write}"
    )


if __name__ == "__main__":
    main()
