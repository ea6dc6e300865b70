"""The receipt of a partition: hashes of its inputs and of its rows, and their counts.

What belongs here: the values. What does not: storing them (partition.py), and the rule of freshness
(graph/recipe.py).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from relabel_assets.errors import ContractError
from relabel_assets.intake.text import shown
from relabel_assets.tables.table import Table

_ROWS_AT_ONCE = 2_000


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


def content_hash(table: Table, *frames: pl.DataFrame) -> str:
    """SHA-256 of the rows in key order, without columns of times and durations.

    One frame may be in any order. Several, of rows that do not fit in memory, are in key order.
    """
    digest = RowsDigest(table)
    for frame in frames:
        digest.add(frame.sort(table.key))
    return digest.hexdigest()


class RowsDigest:
    """The content hash of rows that come in frames, in key order.

    Raises ContractError for a key that comes twice, or out of order: Table.validate sees one frame alone.
    """

    def __init__(self, table: Table) -> None:
        self._table, self._digest = table, hashlib.sha256()
        self._last: tuple[Any, ...] | None = None

    def add(self, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        first = frame.select(self._table.key).row(0)
        if self._last is not None and first <= self._last:
            raise ContractError(
                f"table {self._table.name}: the key {shown(first)} comes twice, or out of order. Nothing "
                "was written."
            )
        self._last = frame.select(self._table.key).row(-1)
        stable = frame.select(self._table.stable_columns)
        for part in stable.iter_slices(_ROWS_AT_ONCE):  # the text of a row is longer than the row
            self._digest.update(part.write_ndjson().encode())

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
