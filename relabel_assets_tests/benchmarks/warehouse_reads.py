"""Milliseconds per read of the warehouse, with the schema upgraded at each read or once a process.

    python -m relabel_assets_tests.benchmarks.warehouse_reads --reads 50

A warehouse with one row, in a temporary folder, so that the time is that of opening it. The two
ways take turns, so that both see the same load of the machine. The rival is the way of before: look
through the whole catalog at each read.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from relabel_assets.warehouse.schema import upgrade_schema
from relabel_assets.warehouse.warehouse import Warehouse

ROW = pl.DataFrame(
    {"query_id": ["q1"], "doc_id": ["d1"], "assessor": ["ana"], "grade": [2], "kind": ["human"]}
)
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

        upgraded_each_time: list[float] = []
        upgraded_once: list[float] = []
        for _ in range(arguments.reads):
            upgraded_each_time.append(time_ms(read_with_upgrade))
            upgraded_once.append(time_ms(read))
    before = statistics.median(upgraded_each_time)
    now = statistics.median(upgraded_once)
    print(
        f"upgraded at each read {before:.0f} ms, once a process {now:.0f} ms, "
        f"ratio {before / now:.1f} (medians of {arguments.reads} reads)"
    )


if __name__ == "__main__":
    main()
