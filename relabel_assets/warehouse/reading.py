"""Reading the labels: a query that somebody typed, on the replica, which no run locks.

What belongs here: which file is read. What does not: the query's process (query.py), and writing the
replica (replica.py). It imports neither Dagster nor Polars, so that `relabel sql` starts quickly.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from relabel_assets.errors import WarehouseError
from relabel_assets.warehouse.connection import REMEDY, locked
from relabel_assets.warehouse.query import read_only

if TYPE_CHECKING:
    import polars as pl

REPLICA = "labels.duckdb"  # in the folder of the warehouse


def read_labels(database: Path, sql: str) -> "pl.DataFrame":
    """The result of `sql` on the replica of the warehouse at `database`; without one, on the warehouse.

    Raises WarehouseError without a warehouse, and as query.read_only.
    """
    replica = database.with_name(REPLICA)
    if replica.exists():
        remedy = "If it is damaged, `relabel doctor --fix` copies it again."
        return read_only(replica, sql, remedy=remedy)
    if not database.exists():
        raise WarehouseError(f"there is no warehouse at {database} yet. `relabel run` creates it.")
    with locked(database):
        return read_only(database, sql, remedy=REMEDY)
