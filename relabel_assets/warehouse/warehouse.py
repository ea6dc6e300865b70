"""The warehouse: one DuckDB file, a table per asset, a partition per corpus. Only here and in
warehouse_schema.py duckdb is used.

What belongs here: reading tables, replacing a partition whole or not at all, and keeping the copies that readers open. What
does not: making tables and views (warehouse_schema.py), what the rows mean, and any computation while a connection is open.
"""

import errno
import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import polars as pl
import tenacity
from dagster_duckdb import DuckDBResource

from relabel_assets.errors import WarehouseError
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import MATERIALIZATIONS, TABLES
from relabel_assets.warehouse.schema import REMEDY, bring_forward

if TYPE_CHECKING:
    import duckdb

LOG = logging.getLogger("relabel_assets.warehouse")
LOCK_TIMEOUT_S = 120
REPLICA = "labels.duckdb"
PARQUET = "parquet"
_WRITTEN_AT = "relabel_assets.written_at"  # in a Parquet file's metadata: the write that it is a copy of
_GRADED_BY = {"teacher_labels": ("teacher", "teacher_model"), "student_labels": ("student", "model_id")}
_READ_ONLY = {"access_mode": "READ_ONLY", "enable_external_access": "false"}


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


class Warehouse(DuckDBResource):
    """The DuckDB file at `database`. Every access is short and under one file lock: DuckDB lets one process in at a time."""

    @classmethod
    def at(cls, path: Path) -> "Warehouse":
        return cls(database=str(path))

    @contextmanager
    def get_connection(self, *, is_read_only: bool = False) -> Iterator["duckdb.DuckDBPyConnection"]:
        """A connection under the file lock; keep it for the moment of one read or one write.

        Raises WarehouseError where the file cannot be opened, read or written: held by another program, damaged, of a later
        version, in a read-only folder, on a full disk.
        """
        import duckdb

        path = Path(self.database)
        if is_read_only and not path.exists():
            raise WarehouseError(f"there is no warehouse at {path} yet. Make one with `relabel run`.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_S):
                con = _connect(path, {**self.connection_config, **(_READ_ONLY if is_read_only else {})})
                try:
                    yield con
                finally:
                    con.close()
        except filelock.Timeout as error:
            raise WarehouseError(
                f"{path}.lock has been held by another process for {LOCK_TIMEOUT_S} s. Wait for that run, or end it."
            ) from error
        except OSError as error:
            remedy = "Make room" if error.errno == errno.ENOSPC else "Set RELABEL_HOME to a folder you may write to"
            raise WarehouseError(f"cannot write to {path.parent}: {error}. {remedy}.") from error
        except duckdb.Error as error:
            raise WarehouseError(f"{path}: {_first_line(error)}. {REMEDY}") from error

    def read(self, table: str, corpus: str, *, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of `corpus` in `table`, in key order, without the corpus column; empty where there are none."""
        with self._tables() as con:
            return _rows(con, table, corpus, columns)

    def read_batches(self, table: str, corpus: str, *, size: int = 20_000) -> Iterator[pl.DataFrame]:
        """The rows of `read`, `size` at a time in order of the table's one key column, holding no connection in between."""
        (key,) = (name for name in TABLES[table].key if name != "corpus")
        columns = [name for name in TABLES[table].schema.column_names() if name != "corpus"]
        query = (
            f"select {', '.join(columns)} from {table} "
            f"where corpus = $corpus and {key} > $after order by {key} limit {size}"
        )
        after = ""
        while True:
            with self._tables() as con:
                batch = con.sql(query, params={"corpus": corpus, "after": after}).pl()
            if batch.is_empty():
                return
            yield batch
            after = batch[key][-1]

    def texts(self, corpus: str, column: str, ids: pl.Series) -> pl.DataFrame:
        """The words behind ids: query_id and text, or doc_id and the document's columns; unknown ids have no row."""
        table, columns = {
            "query_id": ("synthetic_queries", "text"),
            "doc_id": ("seed_docs", ", ".join(DOCUMENT_COLUMNS)),
        }[column]
        query = f"select {column}, {columns} from {table} where corpus = $corpus and {column} in (select unnest($ids))"
        return self.query(query, {"corpus": corpus, "ids": ids.drop_nulls().unique().to_list()})

    def query(self, sql: str, params: dict[str, Any] | None = None) -> pl.DataFrame:
        """The result of `sql`, run read-only and without access to other files.

        Raises WarehouseError with DuckDB's own message for SQL that cannot be run.
        """
        with self.get_connection(is_read_only=True) as con:
            return _frame(con, sql, params)

    def receipt(self, table: str, corpus: str) -> Receipt | None:
        """What the partition was last made from; None where it has never been made."""
        return self.receipts().get((corpus, table))

    def receipts(self) -> dict[tuple[str, str], Receipt]:
        """Every partition's receipt, by corpus and table name."""
        if not Path(self.database).exists():
            return {}
        with self._tables() as con:
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
        """Put `frame` (the table's columns without corpus) in the place of the partition, in one transaction.

        Raises ContractError where the frame breaks the table's declaration; then, and at any other failure, the old
        rows stay.
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
        self._write(TABLES[table], rows, receipt)
        return receipt

    def _write(self, table: Table, rows: pl.DataFrame, receipt: Receipt) -> None:
        import duckdb

        note = MATERIALIZATIONS.validate(pl.DataFrame([vars(receipt)], schema_overrides={"files": pl.List(pl.String)}))
        with self._tables() as con:
            try:
                con.begin()
                if table.name in _GRADED_BY:
                    _note_changed_grades(con, table.name, rows, receipt)
                con.execute(f"delete from {table.name} where corpus = ?", [receipt.corpus])
                _insert(con, table.name, rows)
                con.execute(
                    "delete from materializations where corpus = ? and table_name = ?", [receipt.corpus, table.name]
                )
                _insert(con, "materializations", note)
                con.commit()
            except duckdb.Error as error:
                with suppress(duckdb.Error):  # a disk that is full, or a damaged file, ends the connection
                    con.rollback()
                raise WarehouseError(
                    f"table {table.name}, corpus {receipt.corpus}: {_first_line(error)}. The old rows were kept."
                ) from error
            self._publish(con, receipt, rows.drop("corpus"))

    @property
    def replica(self) -> Path:
        """The copy that readers open."""
        return Path(self.database).with_name(REPLICA)

    def copy_to(self, path: Path) -> None:
        """A consistent copy of the whole file, made between two writes."""
        with self._tables() as con:
            con.execute("checkpoint")
            shutil.copyfile(self.database, path)

    def publish_all(self) -> None:
        """Make the copies that readers open anew, from the warehouse as it is."""
        with self._tables() as con:
            for receipt in _receipts(con):
                self._publish(con, receipt, _rows(con, receipt.table_name, receipt.corpus))

    def catch_up(self, receipts: Iterable[Receipt]) -> None:
        """Copy what a process that was killed after its commit, and before its copies, left behind of these partitions."""
        behind = {(receipt.corpus, receipt.table_name) for receipt in receipts if not self.is_published(receipt)}
        if not behind:
            return
        with self._tables() as con:
            for receipt in _receipts(con):
                if (receipt.corpus, receipt.table_name) in behind:
                    self._publish(con, receipt, _rows(con, receipt.table_name, receipt.corpus))

    def is_published(self, receipt: Receipt) -> bool:
        """Whether the copies that readers open hold what the receipt says; the replica is copied before the Parquet file."""
        try:
            return pl.read_parquet_metadata(self._parquet(receipt)).get(_WRITTEN_AT) == _moment(receipt)
        except (OSError, pl.exceptions.PolarsError):
            return False

    def read_replica(self, sql: str) -> pl.DataFrame:
        """The result of `sql` on the read replica, which no run ever locks; on the warehouse where there is none yet.

        Raises WarehouseError with DuckDB's own message for SQL that cannot be run.
        """
        if not self.replica.exists():
            return self.query(sql)
        con = _connect(self.replica, _READ_ONLY, remedy="`relabel doctor --fix` copies it again.")
        try:
            return _frame(con, sql, None)
        finally:
            con.close()

    def _parquet(self, receipt: Receipt) -> Path:
        folder = Path(self.database).parent / PARQUET / receipt.table_name / f"corpus={receipt.corpus}"
        return folder / "rows.parquet"

    def _publish(self, con: "duckdb.DuckDBPyConnection", receipt: Receipt, rows: pl.DataFrame) -> None:
        """Copy what was committed to where readers look: each file whole or as it was. A reader keeps the file it opened.

        A copy that fails (a full disk) is said and costs no rows: the next materialization copies again.
        """
        import duckdb

        home = Path(self.database).parent
        part = self._parquet(receipt)
        try:
            con.execute("checkpoint")  # the file alone holds everything: nothing is left in the write-ahead log
            with _whole(self.replica) as half:
                shutil.copyfile(self.database, half)
                _keep_tail(self.replica, half)
            part.parent.mkdir(parents=True, exist_ok=True)
            with _whole(part) as half:
                rows.write_parquet(half, metadata={_WRITTEN_AT: _moment(receipt)})
        except (OSError, pl.exceptions.PolarsError, duckdb.Error) as error:
            LOG.warning("%s and %s are behind the warehouse: %s", home / REPLICA, home / PARQUET, error)

    @contextmanager
    def _tables(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        """A connection to a warehouse that has every table and view."""
        with self.get_connection() as con:
            bring_forward(con, self.database)
            yield con


def _receipts(con: "duckdb.DuckDBPyConnection") -> list[Receipt]:
    rows = con.sql("select * from materializations").pl().to_dicts()
    return [Receipt(**{**row, "files": tuple(row["files"])}) for row in rows]


def _rows(
    con: "duckdb.DuckDBPyConnection", table: str, corpus: str, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """The rows of a partition in key order, without the corpus column."""
    columns = columns or [name for name in TABLES[table].schema.column_names() if name != "corpus"]
    order = ", ".join(name for name in TABLES[table].key if name != "corpus")
    query = f"select {', '.join(columns)} from {table} where corpus = $corpus order by {order}"
    return con.sql(query, params={"corpus": corpus}).pl()


def _moment(receipt: Receipt) -> str:
    return receipt.written_at.astimezone(UTC).isoformat()


def _keep_tail(old: Path, new: Path) -> None:
    """Append to `new` what `old` has beyond its end.

    DuckDB opens a file by its name twice, for the header and for the rest, and may find `new` the second time. What the old
    header points to is still there, for a checkpoint writes beside what it replaces, unless the file got shorter.
    """
    if not old.exists():
        return
    with old.open("rb") as before, new.open("ab") as after:
        before.seek(after.tell())
        shutil.copyfileobj(before, after)


def content_hash(table: Table, rows: pl.DataFrame) -> str:
    """SHA-256 of the rows in key order, without the columns that say when or how fast they were made."""
    stable = rows.select(table.stable_columns).sort(table.key)
    return hashlib.sha256(stable.write_ndjson().encode()).hexdigest()


def _frame(con: "duckdb.DuckDBPyConnection", sql: str, params: dict[str, Any] | None) -> pl.DataFrame:
    import duckdb

    try:
        relation = con.sql(sql, params=params)
        frame = pl.DataFrame() if relation is None else relation.pl()
    except duckdb.Error as error:
        raise WarehouseError(f"{str(error).strip()}") from error
    except pl.exceptions.PolarsError as error:
        raise WarehouseError(
            "a column has a type that cannot be shown, such as INTERVAL: cast it to varchar."
        ) from error
    if binary := [name for name, dtype in frame.schema.items() if dtype == pl.Binary]:
        raise WarehouseError(f"column {binary[0]} is binary, which no format shows: cast it to varchar.")
    return frame


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which then takes its place."""
    half = path.with_name(f".{path.name}.half")
    try:
        yield half
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _connect(path: Path, config: dict[str, Any], *, remedy: str | None = None) -> "duckdb.DuckDBPyConnection":
    import duckdb

    # The file lock keeps our own processes apart; another program (a DuckDB shell, a BI tool) may hold the file for a moment.
    is_held = tenacity.retry_if_exception(lambda error: "lock on file" in str(error))
    retrying = tenacity.Retrying(
        retry=is_held, wait=tenacity.wait_random_exponential(0.1, 2), stop=tenacity.stop_after_delay(20), reraise=True
    )
    try:
        return retrying(duckdb.connect, str(path), config=config)
    except duckdb.Error as error:
        if "lock on file" in str(error):
            raise WarehouseError(
                f"{path} is open in another program. Close it there, then run this again. ({_first_line(error)})"
            ) from error
        if "version number" in str(error):
            raise WarehouseError(
                f"{path} was written by another version of DuckDB than {duckdb.__version__}: {_first_line(error)}. "
                "Install the version that wrote it. Nothing was changed."
            ) from error
        raise WarehouseError(f"{path} cannot be opened: {_first_line(error)}. {remedy or REMEDY}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")


def _insert(con: "duckdb.DuckDBPyConnection", table: str, rows: pl.DataFrame) -> None:
    con.register("incoming", rows.to_arrow())
    con.execute(f"insert into {table} by name select * from incoming")
    con.unregister("incoming")


def _note_changed_grades(con: "duckdb.DuckDBPyConnection", table: str, rows: pl.DataFrame, receipt: Receipt) -> None:
    """Add to grade_history every pair that is new or whose grade is not what it was."""
    labeler, model = _GRADED_BY[table]
    con.register("incoming", rows.select("corpus", "query_id", "doc_id", "grade", model=model).to_arrow())
    con.execute(
        f"""insert into grade_history by name
        select incoming.*, $labeler as labeler, $run_id as run_id, $at as noted_at
        from incoming left join {table} as old
            on (old.corpus, old.query_id, old.doc_id) = (incoming.corpus, incoming.query_id, incoming.doc_id)
        where old.query_id is null or old.grade is distinct from incoming.grade""",
        {"labeler": labeler, "run_id": receipt.run_id, "at": receipt.written_at},
    )
    con.unregister("incoming")
