"""Opening a DuckDB file: its lock, its first bytes, retries, and DuckDB's errors as WarehouseErrors.

What belongs here: everything between a path and an open connection, and running one query on it.
What does not: the file's tables (schema.py), reading and writing rows (warehouse.py, partition.py),
and the copies for readers (replica.py).
"""

import atexit
import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from relabel_assets.errors import WarehouseError
from relabel_assets.files import make_private
from relabel_assets.intake.text import printable

if TYPE_CHECKING:
    import duckdb
    import polars as pl

# A write takes seconds even on a large warehouse, so several runs can queue for two minutes.
LOCK_TIMEOUT_S = 120
# Another program (a DuckDB shell, a BI tool) usually holds the file for one query only.
OTHER_PROGRAM_TIMEOUT_S = 20
# Of every connection: SQL, a view in the file included, reaches no other file and no network, loads
# no extension, and changes none of these settings.
CLOSED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # else a table's name may be a variable of this program
    "lock_configuration": "true",
}
READ_ONLY = {"access_mode": "READ_ONLY"}
_NAME = "warehouse"  # of the open file in SQL
_ENDINGS = ("", ".wal", ".wal.checkpoint", ".wal.recovery")
# DuckDBs that are started and have no file open. A warehouse has two: for reading, and for writing.
_Key = tuple[Path, tuple[tuple[str, Any], ...]]  # the file that it can open, and its settings
_IDLE: dict[_Key, "duckdb.DuckDBPyConnection"] = {}
_MOST_IDLE = 4
_OF_PARENT: list["duckdb.DuckDBPyConnection"] = []
# Of a write. Else DuckDB keeps all rows of a transaction in memory, up to 80 % of the machine's. More than
# this go to a scratch folder beside the file. Its manual asks for 125 MB a thread.
WRITING = {"memory_limit": "256MB", "threads": "2"}
_MAGIC, _MAGIC_OFFSET = b"DUCK", 8  # after the checksum of the file's first header
REMEDY = (
    "If the file is damaged, restore a backup, or move it away and run `relabel run`: the ledger "
    "keeps every label that was paid for."
)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the DuckDB file at `path`. DuckDB allows one writing process at a time.

    Raises WarehouseError where the lock or the file cannot be used: held by another process,
    damaged, in a read-only folder, on a full disk. Errors of DuckDB inside the block become one too.
    """
    import duckdb

    try:
        make_private(path.parent)
        with filelock.FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_S):
            yield
    except filelock.Timeout as error:
        raise WarehouseError(
            f"{path}.lock has been held by another process for {LOCK_TIMEOUT_S} s. "
            "Wait for that run, or end it."
        ) from error
    except OSError as error:
        is_full = error.errno == errno.ENOSPC
        remedy = "Make room" if is_full else "Set RELABEL_HOME to a folder you may write to"
        raise WarehouseError(f"cannot write to {path.parent}: {error}. {remedy}.") from error
    except duckdb.OutOfMemoryException as error:
        raise WarehouseError(f"{path}: {first_line(error)}. Free memory or disk.") from error
    except duckdb.Error as error:
        raise WarehouseError(f"{path}: {first_line(error)}. {REMEDY}") from error


@contextmanager
def opened(
    path: Path, config: Mapping[str, Any], *, read_only: bool = False
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection to the DuckDB file at `path`, which is open in this block alone.

    Its SQL can reach no other file. Another program that holds the file is waited for, up to 20 s. Raises
    WarehouseError for a file that another program keeps open, that another version of DuckDB wrote, that
    is damaged, or that is no DuckDB file.

    Starting DuckDB takes six times as long as opening a file, and a run has some hundred blocks. So the
    DuckDB of a block without an error stays, without the file, for the next block.
    """
    import duckdb

    require_file(path)
    file = path.resolve()  # DuckDB follows a link for the write-ahead log
    key = (file, tuple(config.items()))
    engine = _IDLE.pop(key, None) or _started(file, config)
    with ExitStack() as stack:
        stack.callback(engine.close)  # after an error
        _attach(engine, path, file, read_only=read_only)
        with closing(engine.cursor()) as con:  # with a transaction and temporary tables of its own
            con.execute(f"use {_NAME}")
            yield con
        # It writes the log into the file. Where that fails, the log stays, as after a crash.
        with suppress(duckdb.Error):
            engine.execute(f"detach {_NAME}")
            stack.pop_all()
            _keep(key, engine)


def _leave_to_parent() -> None:
    """A fork has none of DuckDB's threads, so it can neither use nor end what its parent started."""
    _OF_PARENT.extend(_IDLE.values())
    _IDLE.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


@atexit.register
def _end_idle() -> None:
    while _IDLE:
        _IDLE.popitem()[1].close()


def _keep(key: _Key, engine: "duckdb.DuckDBPyConnection") -> None:
    _IDLE[key] = engine
    while len(_IDLE) > _MOST_IDLE:
        with suppress(KeyError, StopIteration):  # another thread took it
            _IDLE.pop(next(iter(_IDLE))).close()


def _started(file: Path, config: Mapping[str, Any]) -> "duckdb.DuckDBPyConnection":
    """A DuckDB that can open `file` and no other."""
    import duckdb

    last = ("enable_external_access", "lock_configuration")  # the list of files comes before
    first = {name: value for name, value in CLOSED.items() if name not in last}
    engine = duckdb.connect(config={"temp_directory": f"{file}.tmp", **config, **first})
    files = ", ".join(quoted(f"{file}{ending}") for ending in _ENDINGS)
    engine.execute(f"set allowed_paths = [{files}]")
    for name in last:
        engine.execute(f"set {name} = {CLOSED[name]}")
    return engine


def _attach(
    engine: "duckdb.DuckDBPyConnection", path: Path, file: Path, *, read_only: bool
) -> None:
    import duckdb
    import tenacity

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: "lock on file" in str(error)),
        # At most 2 s apart, so a short query is no wait.
        wait=tenacity.wait_random_exponential(0.1, 2),
        stop=tenacity.stop_after_delay(OTHER_PROGRAM_TIMEOUT_S),
        reraise=True,
    )
    mode = "read_only" if read_only else "read_write"
    try:
        retrying(engine.execute, f"attach {quoted(str(file))} as {_NAME} ({mode})")
    except duckdb.Error as error:
        raise opening_error(path, str(error)) from error


def quoted(text: str) -> str:
    """`text` as a literal of SQL.

    >>> quoted("Ana's home")
    "'Ana''s home'"
    """
    return "'" + text.replace("'", "''") + "'"


def opening_error(path: Path, message: str, remedy: str = REMEDY) -> WarehouseError:
    """The error for a file that DuckDB refused to open with `message`."""
    first = first_line(message)
    if "lock on file" in message:
        return WarehouseError(
            f"{path} is open in another program. Close it there, then run this again. ({first})"
        )
    if "already attached" in message:
        return WarehouseError(f"{path} is open in this program too. Close it there. ({first})")
    if "version number" in message:
        return WarehouseError(
            f"{path} was written by another version of DuckDB: {first}. "
            "Install the version that wrote it. Nothing was changed."
        )
    return WarehouseError(f"{path} cannot be read: {first}. {remedy}")


@contextmanager
def named(copy: Path | str, original: str) -> Iterator[None]:
    """A block whose errors about `copy`, a copy of `original`, name `original`."""
    try:
        yield
    except WarehouseError as error:
        raise WarehouseError(str(error).replace(str(copy), original)) from error


def require_file(path: Path, remedy: str = REMEDY) -> None:
    """Raise WarehouseError where `path` exists and is no DuckDB file.

    DuckDB itself would open a SQLite file as such, and wait for ever for a pipe.
    """
    for file in (path, path.with_name(f"{path.name}.wal")):
        try:
            if file.exists() and not file.is_file():
                raise WarehouseError(f"{file} is no regular file. {remedy}")
            if file.is_symlink() and not file.exists():
                raise WarehouseError(f"{file} is a link to nothing. {remedy}")
            if file == path and file.exists():
                with file.open("rb") as content:
                    start = content.read(_MAGIC_OFFSET + len(_MAGIC))
                if start[_MAGIC_OFFSET:] != _MAGIC:
                    raise WarehouseError(f"{file} is no DuckDB file. {remedy}")
        except OSError as error:
            from relabel_assets.intake.one_input import reason_of  # loads Polars

            raise WarehouseError(f"{file} cannot be read: {reason_of(error)}. {remedy}") from error


def run_query(
    con: "duckdb.DuckDBPyConnection", sql: str, params: dict[str, Any] | None = None
) -> "pl.DataFrame":
    """The result of `sql`, a query of this project, as a frame; empty for a statement without a result.

    Raises WarehouseError with DuckDB's own message for SQL that the file's tables do not allow. Other
    errors, of a damaged file, are for `locked`.
    """
    import duckdb
    import polars as pl

    try:
        relation = con.sql(sql, params=params)
        return pl.DataFrame() if relation is None else relation.pl()
    except duckdb.ProgrammingError as error:
        raise WarehouseError(printable(str(error).strip())) from error


def first_line(error: Exception | str) -> str:
    """The first line of an error's message, printable, and without its full stop."""
    return printable(str(error).strip().split("\n")[0].rstrip("."))
