"""The warehouse: one DuckDB file, a table per asset, a partition per corpus.

What belongs here: reading tables, and replacing a partition whole or not at all. What does not:
opening files (connection.py), making tables and views (schema.py), the copies that readers open
(replica.py), what the rows mean, and any computation while a connection is open.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from dagster_duckdb import DuckDBResource

from relabel_assets.errors import WarehouseError
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import MATERIALIZATIONS, TABLES
from relabel_assets.warehouse.connection import READ_ONLY, first_line, locked, open_file, run_query
from relabel_assets.warehouse.receipt import Receipt, content_hash
from relabel_assets.warehouse.replica import ReaderCopies, copy_file
from relabel_assets.warehouse.schema import FileVersion, upgrade_schema

if TYPE_CHECKING:
    import duckdb

__all__ = ["Receipt", "Warehouse", "content_hash"]

# The labeler of a table of grades, and the column that names its model.
_LABELERS = {
    "teacher_labels": ("teacher", "teacher_model"),
    "student_labels": ("student", "model_id"),
}
# Files whose tables and views this process found current, as they were when it closed them.
_CURRENT_SCHEMAS: dict[Path, FileVersion] = {}


class Warehouse(DuckDBResource):
    """The DuckDB file at `database`. Every access is short and under one file lock.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> warehouse = Warehouse.at(Path(folder.name) / "warehouse.duckdb")
    >>> pair = {"query_id": "q1", "doc_id": "d1", "assessor": "ana", "grade": 2, "kind": "human"}
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
        """A connection under the file lock, to the file as it is. Keep it for one read or one
        write.

        Raises WarehouseError where the file cannot be opened, read or written: held by another
        program, damaged, of a later version, in a read-only folder, on a full disk.
        """
        path = Path(self.database)
        if is_read_only and not path.exists():
            raise WarehouseError(
                f"there is no warehouse at {path} yet. Make one with `relabel run`."
            )
        with locked(path):
            config = {**self.connection_config, **(READ_ONLY if is_read_only else {})}
            con = open_file(path, config)
            try:
                yield con
            finally:
                con.close()

    def read(
        self, table: str, corpus: str, *, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """The rows of `corpus` in `table`, in key order, without the corpus column; empty where
        there are none.
        """
        with self._upgraded() as con:
            return _partition_rows(con, table, corpus, columns)

    def read_batches(
        self, table: str, corpus: str, *, size: int = 20_000
    ) -> Iterator[pl.DataFrame]:
        """The rows of `read`, `size` at a time, in order of the table's one key column. No
        connection is held in between.
        """
        (key,) = (name for name in TABLES[table].key if name != "corpus")
        columns = [name for name in TABLES[table].schema.column_names() if name != "corpus"]
        query = (
            f"select {', '.join(columns)} from {table} "
            f"where corpus = $corpus and {key} > $after order by {key} limit {size}"
        )
        after = ""
        while True:
            with self._upgraded() as con:
                batch = con.sql(query, params={"corpus": corpus, "after": after}).pl()
            if batch.is_empty():
                return
            yield batch
            after = batch[key][-1]

    def texts(self, corpus: str, column: str, ids: pl.Series) -> pl.DataFrame:
        """The texts of ids, with their id column: no row for an unknown id."""
        table, columns = {
            "query_id": ("synthetic_queries", "text"),
            "doc_id": ("seed_docs", ", ".join(DOCUMENT_COLUMNS)),
        }[column]
        query = (
            f"select {column}, {columns} from {table} "
            f"where corpus = $corpus and {column} in (select unnest($ids))"
        )
        return self.query(query, {"corpus": corpus, "ids": ids.drop_nulls().unique().to_list()})

    def query(self, sql: str, params: dict[str, Any] | None = None) -> pl.DataFrame:
        """The result of `sql`, run read-only and without access to other files.

        Raises WarehouseError with DuckDB's own message for SQL that cannot be run.
        """
        with self.get_connection(is_read_only=True) as con:
            return run_query(con, sql, params)

    def receipt(self, table: str, corpus: str) -> Receipt | None:
        """What the partition was last made from; None where it has never been made."""
        return self.receipts().get((corpus, table))

    def receipts(self) -> dict[tuple[str, str], Receipt]:
        """Every partition's receipt, by corpus and table name."""
        if not Path(self.database).exists():
            return {}
        with self._upgraded() as con:
            return {(receipt.corpus, receipt.table_name): receipt for receipt in _receipts(con)}

    def replace(
        self,
        table: str,
        corpus: str,
        frame: pl.DataFrame,
        *,
        input_hash: str,
        inputs: str | None = None,
        n_unfinished: int = 0,
        n_set_aside: int = 0,
        files: tuple[str, ...] = (),
        run_id: str | None = None,
    ) -> Receipt:
        """Replace the partition by `frame` (the table's columns without corpus) in one transaction.

        Raises ContractError where the frame breaks the table's declaration. After that, and after
        any other failure, the old rows stay.
        """
        rows = TABLES[table].validate(frame.select(pl.lit(corpus).alias("corpus"), pl.all()))
        receipt = Receipt(
            corpus=corpus,
            table_name=table,
            input_hash=input_hash,
            content_hash=content_hash(TABLES[table], rows),
            n_rows=rows.height,
            n_unfinished=n_unfinished,
            n_set_aside=n_set_aside,
            files=files,
            run_id=run_id,
            written_at=datetime.now(UTC),
            inputs=inputs,
        )
        with self._upgraded() as con:
            _replace_partition(con, TABLES[table], rows, receipt)
            self._copies.publish(con, [(receipt, rows.drop("corpus"))])
        return receipt

    def copy_to(self, path: Path) -> None:
        """Make a consistent copy of the whole file, between two writes."""
        with self._upgraded() as con:
            con.execute("checkpoint")
            copy_file(Path(self.database), path)

    def read_replica(self, sql: str) -> pl.DataFrame:
        """The result of `sql` on the read replica, which no run ever locks; on the warehouse where
        there is none yet.

        Raises WarehouseError with DuckDB's own message for SQL that cannot be run.
        """
        return self._copies.read(sql) if self.replica.exists() else self.query(sql)

    def is_published(self, receipt: Receipt) -> bool:
        """Whether the copies that readers open hold the partition as the receipt says."""
        return self._copies.is_current(receipt)

    def publish_all(self) -> None:
        """Copy every partition for readers again."""
        self._publish(None)

    def republish_stale(self, receipts: Iterable[Receipt]) -> None:
        """Copy those of these partitions that are not published: a process was killed after its
        commit."""
        stale = {
            (receipt.corpus, receipt.table_name)
            for receipt in receipts
            if not self.is_published(receipt)
        }
        if stale:
            self._publish(stale)

    def _publish(self, keys: set[tuple[str, str]] | None) -> None:
        """Copy the partitions `keys`, (corpus, table) each, for readers; None is all of them."""
        with self._upgraded() as con:
            self._copies.publish(
                con,
                (
                    (receipt, _partition_rows(con, receipt.table_name, receipt.corpus))
                    for receipt in _receipts(con)
                    if keys is None or (receipt.corpus, receipt.table_name) in keys
                ),
            )

    @property
    def _copies(self) -> ReaderCopies:
        return ReaderCopies(Path(self.database))

    @contextmanager
    def _upgraded(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        """A connection to a file that has every table and view of this version.

        Looking through the catalog takes longer than a small read, so a file is upgraded once a
        process. It is looked through again where something else wrote it meanwhile: another
        process, a restore.
        """
        path = Path(self.database)
        with locked(path):
            version = FileVersion.of(path)
            is_current = version is not None and _CURRENT_SCHEMAS.pop(path, None) == version
            con = open_file(path, self.connection_config)
            try:
                is_upgraded = not is_current and upgrade_schema(con, self.database)
                if is_upgraded and self.replica.is_file():
                    # Readers get the new views, and every checkpoint a copy: rule 2 of replica.py.
                    self._copies.publish(con)
                yield con
            finally:
                con.close()
            # Only now: closing may write. After an error the next access looks again.
            closed = FileVersion.of(path)
            if closed is not None:
                _CURRENT_SCHEMAS[path] = closed


def _replace_partition(
    con: "duckdb.DuckDBPyConnection", table: Table, rows: pl.DataFrame, receipt: Receipt
) -> None:
    """Write rows, receipt and changed grades in one transaction."""
    import duckdb

    columns = {"files": pl.List(pl.String)}
    written = MATERIALIZATIONS.validate(pl.DataFrame([vars(receipt)], schema_overrides=columns))
    try:
        con.begin()
        if table.name in _LABELERS:
            _record_changed_grades(con, table.name, rows, receipt)
        con.execute(f"delete from {table.name} where corpus = ?", [receipt.corpus])
        _insert(con, table.name, rows)
        con.execute(
            "delete from materializations where corpus = ? and table_name = ?",
            [receipt.corpus, table.name],
        )
        _insert(con, "materializations", written)
        con.commit()
    except duckdb.Error as error:
        with suppress(duckdb.Error):  # a full disk or a damaged file ends the connection
            con.rollback()
        raise WarehouseError(
            f"table {table.name}, corpus {receipt.corpus}: {first_line(error)}. "
            "The old rows were kept."
        ) from error


def _record_changed_grades(
    con: "duckdb.DuckDBPyConnection", table: str, rows: pl.DataFrame, receipt: Receipt
) -> None:
    """Add to grade_history every pair that is new or has another grade. Run it before the old rows
    are deleted.
    """
    labeler, model = _LABELERS[table]
    graded = rows.select("corpus", "query_id", "doc_id", "grade", model=model)
    con.register("incoming", graded.to_arrow())
    con.execute(
        f"""insert into grade_history by name
        select incoming.*, $labeler as labeler, $run_id as run_id, $at as noted_at
        from incoming left join {table} as old
            on (old.corpus, old.query_id, old.doc_id)
                = (incoming.corpus, incoming.query_id, incoming.doc_id)
        where old.query_id is null or old.grade is distinct from incoming.grade""",
        {"labeler": labeler, "run_id": receipt.run_id, "at": receipt.written_at},
    )
    con.unregister("incoming")


def _insert(con: "duckdb.DuckDBPyConnection", table: str, rows: pl.DataFrame) -> None:
    con.register("incoming", rows.to_arrow())
    con.execute(f"insert into {table} by name select * from incoming")
    con.unregister("incoming")


def _receipts(con: "duckdb.DuckDBPyConnection") -> list[Receipt]:
    rows = con.sql("select * from materializations").pl().to_dicts()
    return [Receipt(**{**row, "files": tuple(row["files"])}) for row in rows]


def _partition_rows(
    con: "duckdb.DuckDBPyConnection", table: str, corpus: str, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """The rows of a partition in key order, without the corpus column."""
    columns = columns or [name for name in TABLES[table].schema.column_names() if name != "corpus"]
    order = ", ".join(name for name in TABLES[table].key if name != "corpus")
    query = f"select {', '.join(columns)} from {table} where corpus = $corpus order by {order}"
    return con.sql(query, params={"corpus": corpus}).pl()
