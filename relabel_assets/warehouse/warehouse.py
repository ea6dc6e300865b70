"""The warehouse: one DuckDB file, a table per asset, a partition per corpus.

What belongs here: every access to the warehouse, short and under its lock. What does not: opening
files (connection.py, upgraded.py), SQL (partition.py, lookups.py), tables and views (schema.py), copies
for readers (replica.py), and the meaning of rows (tables/).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from dagster_duckdb import DuckDBResource

from relabel_assets.errors import Problem, WarehouseError
from relabel_assets.progress import Progress, silent
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.connection import WRITING, locked, opened, run_query
from relabel_assets.warehouse.frames import (
    BATCH_ROWS,
    key_of,
    key_ranges,
    range_rows,
    stored_partitions,
    validated,
)
from relabel_assets.warehouse.lookups import past_benchmarks, read_every_row, texts_query
from relabel_assets.warehouse.partition import all_receipts, partition_rows, replace_partition
from relabel_assets.warehouse.reading import read_labels
from relabel_assets.warehouse.receipt import Receipt
from relabel_assets.warehouse.removal import corpus_rows, remove_corpus_rows
from relabel_assets.warehouse.replica import ReaderCopies, copy_file
from relabel_assets.warehouse.spool import Spool
from relabel_assets.warehouse.upgraded import upgraded

if TYPE_CHECKING:
    import duckdb


class Warehouse(DuckDBResource):
    """The DuckDB file at `database`. Every access is short and under one file lock.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> warehouse = Warehouse.at(Path(folder.name) / "warehouse.duckdb")
    >>> pair = {"query_id": "q1", "doc_id": "d1", "assessor": "ana", "grade": 2, "kind": "human"}
    >>> pair |= {"reviewed_at": None, "inclusion_prob": None}
    >>> grades = pl.DataFrame([pair])
    >>> warehouse.replace("reference_labels", "demo", grades, input_hash="0" * 64).n_rows
    1
    >>> warehouse.read_replica("select labeler, grade from labels").rows()
    [('reference', 2)]
    """

    @classmethod
    def at(cls, path: Path) -> "Warehouse":
        return cls(database=str(path))

    @property
    def replica(self) -> Path:
        """The copy that readers open."""
        return self._copies.replica

    @contextmanager
    def get_connection(
        self, *, is_read_only: bool = False
    ) -> Iterator["duckdb.DuckDBPyConnection"]:
        """A connection under the file lock, without an upgrade. Keep it for one read or one write.

        Raises WarehouseError where the file cannot be opened, read or written: held by another
        program, damaged, of a later version, in a read-only folder, on a full disk.
        """
        path = Path(self.database)
        if is_read_only and not path.exists():
            raise WarehouseError(f"there is no warehouse at {path} yet. `relabel run` creates it.")
        with locked(path), opened(path, self.connection_config, read_only=is_read_only) as con:
            yield con

    def read(
        self, table: str, corpus: str, *, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """The rows of `corpus` in `table`, in key order, without the corpus column."""
        with self._upgraded() as con:
            return partition_rows(con, table, corpus, columns)

    def read_batches(
        self, table: str, corpus: str, *, size: int = BATCH_ROWS
    ) -> Iterator[pl.DataFrame]:
        """The rows of `read`, at most `size` at a time. No connection is held between two batches.

        The table has one key column beside corpus.
        """
        with self._upgraded() as con:
            ranges = key_ranges(con, table, corpus, size)
        for first, last in ranges:
            with self._upgraded() as con:
                batch = range_rows(con, table, corpus, first, last)
            if not batch.is_empty():  # another run may have replaced the partition meanwhile
                yield batch

    def frames(self, table: str, corpus: str) -> Iterator[pl.DataFrame]:
        """The rows of `read` in at least one frame; a table with one key column comes in batches."""
        batches = self.read_batches(table, corpus) if key_of(table) else iter(())
        first = next(batches, None)
        yield self.read(table, corpus) if first is None else first
        yield from batches

    def past_benchmarks(self, corpus: str) -> pl.DataFrame:
        """The rows of benchmark_history of `corpus`, without the corpus column, the oldest first."""
        with self._upgraded() as con:
            return past_benchmarks(con, corpus)

    def texts(self, corpus: str, column: str, ids: pl.Series) -> pl.DataFrame:
        """The texts of queries or documents with these ids; `column` is query_id or doc_id.

        An unknown id has no row.
        """
        return self.query(*texts_query(corpus, column, ids))

    def query(self, sql: str, params: dict[str, Any] | None = None) -> pl.DataFrame:
        """The result of `sql`, a query of this project, run read-only.

        Raises WarehouseError with DuckDB's own message for SQL that cannot be run.
        """
        with self.get_connection(is_read_only=True) as con:
            return run_query(con, sql, params)

    def read_all(self) -> None:
        """Read every row of every table, in a process of its own: a damaged file may crash DuckDB.

        Raises WarehouseError where a row cannot be read.
        """
        read_every_row(Path(self.database))

    def receipt(self, table: str, corpus: str) -> Receipt | None:
        """The receipt of a partition; None before its first materialization."""
        return self.receipts().get((corpus, table))

    def receipts(self) -> dict[tuple[str, str], Receipt]:
        """Every partition's receipt, by corpus and table name."""
        path = Path(self.database)
        if not path.exists() and not path.is_symlink():  # a link to nothing is refused
            return {}
        with self._upgraded() as con:
            return {(receipt.corpus, receipt.table_name): receipt for receipt in all_receipts(con)}

    def replace(
        self,
        table: str,
        corpus: str,
        frame: pl.DataFrame | Spool,
        *,
        input_hash: str,
        inputs: str | None = None,
        n_unfinished: int = 0,
        problems: Sequence[Problem] = (),
        files: tuple[str, ...] = (),
        run_id: str | None = None,
        progress: Progress = silent,
    ) -> Receipt:
        """Replace the partition by `frame` (the table's columns without corpus) in one transaction.

        A Spool holds rows that do not fit in memory. The partition's rows of set_aside become `problems`,
        the inputs that could not be used. Raises ContractError where the frame breaks the table's
        declaration. After that, and after any other failure, the old rows stay.
        """
        frames, digest, n_rows = validated(TABLES[table], corpus, frame, progress)
        receipt = Receipt(
            corpus=corpus,
            table_name=table,
            input_hash=input_hash,
            content_hash=digest,
            n_rows=n_rows,
            n_unfinished=n_unfinished,
            n_set_aside=len(problems),
            files=files,
            run_id=run_id,
            written_at=datetime.now(UTC),
            inputs=inputs,
        )
        with upgraded(Path(self.database), {**self.connection_config, **WRITING}) as con:
            replace_partition(con, TABLES[table], frames, receipt, problems, progress)
            without_corpus = (rows.drop("corpus") for rows in frames)
            self._copies.publish(con, [(receipt, without_corpus)])
        return receipt

    def rows_of(self, corpus: str) -> dict[str, int]:
        """The number of rows of `corpus` in each table that has any, of the warehouse's own too."""
        if not Path(self.database).exists():
            return {}
        with self._upgraded() as con:
            return corpus_rows(con, corpus)

    def remove(self, corpus: str) -> None:
        """Remove every row of `corpus`, in one transaction, and its copies for readers.

        Raises WarehouseError after a failed write; then every row is kept.
        """
        with self._upgraded() as con:
            remove_corpus_rows(con, corpus)
            self._copies.publish(con)
            self._copies.remove(corpus)

    def copy_to(self, path: Path) -> None:
        """Make a consistent copy of the whole file, between two writes."""
        with self._upgraded() as con:
            con.execute("checkpoint")
            copy_file(Path(self.database), path)

    def read_replica(self, sql: str) -> pl.DataFrame:
        """The result of `sql`, which somebody typed, on the read replica, which no run locks.

        Without a replica, on the warehouse. Raises WarehouseError as query.read_only.
        """
        return read_labels(Path(self.database), sql)

    def is_published(self, receipt: Receipt) -> bool:
        """Whether the copies for readers hold the partition of this receipt."""
        return self._copies.is_current(receipt)

    def publish_all(self) -> None:
        """Write the copies for readers again, of every partition."""
        self._publish(None)

    def republish_stale(self, receipts: Iterable[Receipt]) -> None:
        """Write the copies of these partitions that are missing: a process was killed after its commit."""
        stale = {
            (receipt.corpus, receipt.table_name)
            for receipt in receipts
            if not self.is_published(receipt)
        }
        if stale:
            self._publish(stale)

    def _publish(self, keys: set[tuple[str, str]] | None) -> None:
        """Write the copies of the partitions `keys`, (corpus, table) each; None means all."""
        with self._upgraded() as con:
            self._copies.publish(con, stored_partitions(con, keys))

    @property
    def _copies(self) -> ReaderCopies:
        return ReaderCopies(Path(self.database))

    def _upgraded(self) -> AbstractContextManager["duckdb.DuckDBPyConnection"]:
        """A connection to a file that has every table and view of this version."""
        return upgraded(Path(self.database), self.connection_config)
