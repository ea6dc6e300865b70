"""Opening a DuckDB file: its lock, retries, and DuckDB's errors as WarehouseErrors.

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
import polars as pl
import tenacity

from relabel_assets.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb

# A write takes seconds even on a large warehouse, so several runs can queue for two minutes.
LOCK_TIMEOUT_S = 120
# Another program (a DuckDB shell, a BI tool) usually holds the file for one query only.
OTHER_PROGRAM_TIMEOUT_S = 20
READ_ONLY = {"access_mode": "READ_ONLY", "enable_external_access": "false"}
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
        path.parent.mkdir(parents=True, exist_ok=True)
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
    except duckdb.Error as error:
        raise WarehouseError(f"{path}: {first_line(error)}. {REMEDY}") from error


def open_file(
    path: Path, config: dict[str, Any], *, remedy: str = REMEDY
) -> "duckdb.DuckDBPyConnection":
    """Open the DuckDB file at `path`; wait up to 20 s for another program that holds it.

    Raises WarehouseError for a file that another program keeps open, that another version of DuckDB
    wrote, or that is damaged. `remedy` ends the message for a damaged file.
    """
    import duckdb

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
        return retrying(duckdb.connect, str(path), config=config)
    except duckdb.Error as error:
        message = str(error)
        if "lock on file" in message:
            raise WarehouseError(
                f"{path} is open in another program. Close it there, then run this again. "
                f"({first_line(error)})"
            ) from error
        if "version number" in message:
            raise WarehouseError(
                f"{path} was written by another version of DuckDB than {duckdb.__version__}: "
                f"{first_line(error)}. Install the version that wrote it. Nothing was changed."
            ) from error
        raise WarehouseError(f"{path} cannot be opened: {first_line(error)}. {remedy}") from error


def run_query(
    con: "duckdb.DuckDBPyConnection", sql: str, params: dict[str, Any] | None = None
) -> pl.DataFrame:
    """The result of `sql` as a frame; empty for a statement without a result.

    Raises WarehouseError with DuckDB's own message for invalid SQL, and for a column of a type that
    no output format supports.
    """
    import duckdb

    try:
        relation = con.sql(sql, params=params)
        frame = pl.DataFrame() if relation is None else relation.pl()
    except duckdb.Error as error:
        raise WarehouseError(str(error).strip()) from error
    except pl.exceptions.PolarsError as error:
        raise WarehouseError(
            "a column has an unsupported type, such as INTERVAL: cast it to varchar."
        ) from error
    binary = [name for name, dtype in frame.schema.items() if dtype == pl.Binary]
    if binary:
        raise WarehouseError(
            f"column {binary[0]} is binary, which no output format supports: cast it to varchar."
        )
    return frame


def first_line(error: Exception) -> str:
    """The first line of an error's message, without its full stop."""
    return str(error).strip().split("\n")[0].rstrip(".")
