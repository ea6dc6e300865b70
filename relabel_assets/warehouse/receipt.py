"""What a partition was made from and what it holds: a row of `materializations`, and the hash of a
partition's rows.

What belongs here: values. What does not: storing them (warehouse.py), and deciding what is stale
(graph/).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from relabel_assets.tables.table import Table


@dataclass(frozen=True)
class Receipt:
    """What a partition was made from, and what it holds now: a row of `materializations`."""

    corpus: str
    table_name: str
    input_hash: str
    content_hash: str
    n_rows: int
    n_unfinished: int
    n_set_aside: int
    files: tuple[str, ...]
    run_id: str | None
    written_at: datetime
    inputs: str | None = None


def content_hash(table: Table, rows: pl.DataFrame) -> str:
    """SHA-256 of the rows in key order, without the columns that record when or how fast they were
    made."""
    stable = rows.select(table.stable_columns).sort(table.key)
    return hashlib.sha256(stable.write_ndjson().encode()).hexdigest()
