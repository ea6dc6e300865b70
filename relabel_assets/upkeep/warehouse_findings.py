"""What `relabel doctor` finds in the warehouse: changed rows, missing files, old copies for readers.

What belongs here: checking stored partitions. What does not: the other checks of a home (doctor.py).
"""

from collections.abc import Iterator, Mapping
from functools import partial

import polars as pl

from relabel_assets.home import Home
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.tables.tables import TABLES
from relabel_assets.upkeep.findings import Finding, guarded
from relabel_assets.warehouse.receipt import Receipt, RowsDigest
from relabel_assets.warehouse.warehouse import Warehouse


def warehouse_findings(home: Home, warehouse: Warehouse, is_fixing: bool) -> Iterator[Finding]:
    """The findings on the warehouse, on each partition, and on the copies for readers."""
    receipts = warehouse.receipts()
    yield Finding("warehouse")
    for (corpus, table), receipt in receipts.items():
        subject = f"{corpus} / {table}"
        check = partial(_partition, home, warehouse, subject, receipt)
        yield from guarded(subject, check)
    if receipts:
        yield _copies(warehouse, receipts, is_fixing)


def _partition(
    home: Home, warehouse: Warehouse, subject: str, receipt: Receipt
) -> Iterator[Finding]:
    """A finding for a partition with changed rows or missing files."""
    corpus, table = receipt.corpus, receipt.table_name
    command = f"Compute it again: relabel run -c {corpus} -s {table}"
    if _content(warehouse, receipt) != receipt.content_hash:
        yield Finding(subject, f"its rows were changed after a run wrote them. {command} --force")
    missing = [file for file in receipt.files if not (home.path / file).exists()]
    if table == "student_model" and not missing:
        current = warehouse.read(table, corpus).filter("is_current")
        students = [f"{path}/student.json" for path in current["path"]]
        missing = [file for file in students if not (home.path / file).is_file()]
    if missing:
        # Without --force a run would keep a student whose folder exists.
        has_folder = table == "student_model" and (home.path / receipt.files[0]).exists()
        force = " --force" if has_folder else ""
        yield Finding(subject, f"missing: {', '.join(missing)}. {command}+{force}")


def _content(warehouse: Warehouse, receipt: Receipt) -> str | None:
    """The content hash of stored rows; None where they break their table's declaration."""
    table = TABLES[receipt.table_name]
    digest, corpus = RowsDigest(table), pl.lit(receipt.corpus).alias("corpus")
    for rows in warehouse.frames(table.name, receipt.corpus):
        try:
            digest.add(table.validate(rows.select(corpus, pl.all())).sort(table.key))
        except INPUT_ERRORS:  # Polars panics at dates that Python lacks
            return None
    return digest.hexdigest()


def _copies(
    warehouse: Warehouse, receipts: Mapping[tuple[str, str], Receipt], is_fixing: bool
) -> Finding:
    """The finding on the copies for readers: the replica and the Parquet files."""
    if _are_copies_current(warehouse, receipts):
        return Finding("copies for readers")
    problem = "labels.duckdb or parquet/ is out of date. `relabel doctor --fix` copies them again."
    if not is_fixing:
        return Finding("copies for readers", problem)
    warehouse.publish_all()
    if _are_copies_current(warehouse, receipts):
        return Finding("copies for readers", problem, is_fixed=True)
    return Finding(
        "copies for readers",
        "labels.duckdb or parquet/ cannot be written. Move both away, and run `relabel doctor --fix`.",
    )


def _are_copies_current(warehouse: Warehouse, receipts: Mapping[tuple[str, str], Receipt]) -> bool:
    """Whether the replica has the warehouse's partitions and views, and each partition its Parquet file."""
    partitions = "select corpus, table_name, content_hash from materializations order by all"
    views = "select view_name, comment from duckdb_views() where not internal order by all"
    try:
        return (
            warehouse.replica.exists()
            and all(
                warehouse.read_replica(query).equals(warehouse.query(query))
                for query in (partitions, views)
            )
            and all(warehouse.is_published(receipt) for receipt in receipts.values())
        )
    except INPUT_ERRORS:
        return False
