"""Milliseconds per read of the warehouse, beside a DuckDB that is started for each, and the schema upgraded.

    python -m relabel_assets_tests.benchmarks.warehouse_reads --reads 50

A warehouse with one row, in a temporary folder, so that the time is that of opening it. The ways take
turns, so that all see the same load of the machine. The rivals: `duckdb.connect` for each read, as a
reader of DuckDB's documentation would do, and a look through the whole catalog at each read.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl

from relabel_assets.warehouse.schema import upgrade_schema
from relabel_assets.warehouse.warehouse import Warehouse

PAIR = {"query_id": "q1", "doc_id": "d1", "assessor": "ana", "grade": 2, "kind": "human"}
ROW = pl.DataFrame([PAIR | {"reviewed_at": None, "inclusion_prob": None}])
QUERY = "select * from reference_labels where corpus = 'demo'"


def time_ms(read: Callable[[], object]) -> float:
    started = time.perf_counter()
    read()
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reads", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse.at(Path(folder) / "warehouse.duckdb")
        warehouse.replace("reference_labels", "demo", ROW, input_hash="0" * 64)

        def read_with_upgrade() -> pl.DataFrame:
            with warehouse.get_connection() as con:
                upgrade_schema(con, warehouse.database)
                return con.sql(QUERY).pl()

        def read() -> pl.DataFrame:
            return warehouse.read("reference_labels", "demo")

        def read_with_start() -> pl.DataFrame:
            with duckdb.connect(warehouse.database) as con:
                return con.sql(QUERY).pl()

        ways = {
            "the warehouse": read,
            "duckdb.connect": read_with_start,
            "upgraded at each read": read_with_upgrade,
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.reads):
            for name, way in ways.items():
                times[name].append(time_ms(way))
    ours = statistics.median(times["the warehouse"])
    print(f"the warehouse {ours:.1f} ms (medians of {arguments.reads} reads)")
    for name in list(ways)[1:]:
        theirs = statistics.median(times[name])
        print(f"{name} {theirs:.1f} ms, {theirs / ours:.1f} times as long")


if __name__ == "__main__":
    main()
