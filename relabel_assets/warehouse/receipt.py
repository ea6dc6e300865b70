"""The receipt of a partition: hashes of its inputs and of its rows, and their counts.

What belongs here: the values. What does not: storing them (partition.py), and the rule of freshness
(graph/recipe.py).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from relabel_assets.tables.table import Table


@dataclass(frozen=True)
class Receipt:
    """The inputs and the content of a partition, by their hashes: a row of `materializations`."""

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
    """SHA-256 of the rows in key order, without columns of times and durations."""
    stable = rows.select(table.stable_columns).sort(table.key)
    return hashlib.sha256(stable.write_ndjson().encode()).hexdigest()
