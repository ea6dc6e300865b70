"""A partition in frames: more rows than fit in memory, validated before a write, and read in key order.

What belongs here: cutting a partition into frames. What does not: keeping frames on the disk (spool.py),
and writing them (partition.py).
"""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import polars as pl

from relabel_assets.progress import Progress, silent
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.partition import all_receipts, partition_rows
from relabel_assets.warehouse.receipt import Receipt, RowsDigest, content_hash
from relabel_assets.warehouse.spool import Spool

if TYPE_CHECKING:
    import duckdb

# Of one batch of rows: 20,000 documents of a page are some 50 MB, and so are 10 of a thousand pages.
# Not measured.
BATCH_ROWS, _BATCH_CHARACTERS = 20_000, 32_000_000


def validated(
    table: Table, corpus: str, rows: pl.DataFrame | Spool, progress: Progress = silent
) -> tuple[Iterable[pl.DataFrame], str, int]:
    """`rows` with the column corpus, validated, in frames in key order; their hash and their number.

    The frames can be gone through more than once. A DataFrame is one frame, in its own order. Raises
    ContractError where the rows break the table's declaration.
    """
    with_corpus = (pl.lit(corpus).alias("corpus"), pl.all())
    if isinstance(rows, Spool) and rows.is_empty():
        rows = pl.DataFrame(table.schema.create_empty()).drop("corpus")
    if isinstance(rows, pl.DataFrame):
        frame = table.validate(rows.select(*with_corpus))
        return [frame], content_hash(table, frame), frame.height
    digest, checked = RowsDigest(table), rows.empty()
    for part in rows.sorted():
        frame = table.validate(part.select(*with_corpus))
        digest.add(frame)
        checked.add(frame)
        progress("checking, rows", checked.height, rows.height)
    return checked, digest.hexdigest(), checked.height


def key_of(table: str) -> str | None:
    """The key column of `table` beside corpus; None where it has several."""
    keys = [name for name in TABLES[table].key if name != "corpus"]
    return keys[0] if len(keys) == 1 else None


def key_ranges(
    con: "duckdb.DuckDBPyConnection", table: str, corpus: str, size: int = BATCH_ROWS
) -> list[tuple[str, str]]:
    """The first and last key of each batch of a partition: at most `size` rows, or so much text."""
    key = key_of(table)
    assert key is not None
    texts = [
        name for name, kind in TABLES[table].schema.columns().items() if kind.dtype == pl.String
    ]
    length = " + ".join(f"coalesce(length({name}), 0)" for name in texts)
    query = f"""
        with sized as (select {key} as key, {length} as size from {table} where corpus = $corpus),
        placed as (
            select key, row_number() over in_order as number, sum(size) over in_order as place
            from sized window in_order as (order by key)
        )
        select min(key), max(key) from placed
        group by (number - 1) // $rows, place // $characters order by all"""
    values = {"corpus": corpus, "rows": size, "characters": _BATCH_CHARACTERS}
    return con.execute(query, values).fetchall()


def range_rows(
    con: "duckdb.DuckDBPyConnection", table: str, corpus: str, first: str, last: str
) -> pl.DataFrame:
    """The rows of a partition with keys from `first` to `last`, in key order, without corpus."""
    columns = [name for name in TABLES[table].schema.column_names() if name != "corpus"]
    query = f"""select {", ".join(columns)} from {table}
        where corpus = $corpus and {key_of(table)} between $first and $last order by {key_of(table)}"""
    return con.sql(query, params={"corpus": corpus, "first": first, "last": last}).pl()


def partition_frames(
    con: "duckdb.DuckDBPyConnection", table: str, corpus: str
) -> Iterator[pl.DataFrame]:
    """The rows of a partition in key order, without corpus, in at least one frame."""
    ranges = key_ranges(con, table, corpus) if key_of(table) else []
    if len(ranges) < 2:
        yield partition_rows(con, table, corpus)
        return
    for first, last in ranges:
        yield range_rows(con, table, corpus, first, last)


def stored_partitions(
    con: "duckdb.DuckDBPyConnection", keys: Collection[tuple[str, str]] | None
) -> Iterator[tuple[Receipt, Iterator[pl.DataFrame]]]:
    """The receipt and the frames of each partition in `keys`, (corpus, table) each; None means all."""
    for receipt in all_receipts(con):
        if keys is None or (receipt.corpus, receipt.table_name) in keys:
            yield receipt, partition_frames(con, receipt.table_name, receipt.corpus)
