"""Opening a DuckDB file: its lock, its first bytes, retries, and DuckDB's errors as WarehouseErrors.

What belongs here: everything between a path and an open connection, and running one query on it.
What does not: the file's tables (schema.py), reading and writing rows (warehouse.py, partition.py),
and the copies for readers (replica.py).
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
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


def open_file(
    path: Path, config: dict[str, Any], *, remedy: str = REMEDY
) -> "duckdb.DuckDBPyConnection":
    """Open the DuckDB file at `path`; wait up to 20 s for another program that holds it.

    Its SQL can reach no other file. Raises WarehouseError for a file that another program keeps open,
    that another version of DuckDB wrote, that is damaged, or that is no DuckDB file. `remedy` ends the
    message for the last two.
    """
    import duckdb
    import tenacity

    require_file(path, remedy)
    is_held = tenacity.retry_if_exception(lambda error: "lock on file" in str(error))
    retrying = tenacity.Retrying(
        retry=is_held,
        wait=tenacity.wait_random_exponential(
            0.1, 2
        ),  # at most 2 s apart, so a short query is no wait
        stop=tenacity.stop_after_delay(OTHER_PROGRAM_TIMEOUT_S),
        reraise=True,
    )
    try:
        return retrying(duckdb.connect, str(path), config={**config, **CLOSED})
    except duckdb.Error as error:
        raise opening_error(path, str(error), remedy) from error


def opening_error(path: Path, message: str, remedy: str = REMEDY) -> WarehouseError:
    """The error for a file that DuckDB refused to open with `message`."""
    first = first_line(message)
    if "lock on file" in message:
        return WarehouseError(
            f"{path} is open in another program. Close it there, then run this again. ({first})"
        )
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
