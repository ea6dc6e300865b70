"""A query that somebody typed: run in a process of its own, read-only, with limits.

What belongs here: starting and watching that process, and its errors as WarehouseErrors. What does
not: running the query (query_child.py), and the project's own queries (warehouse.py).

Polars and Arrow are imported inside functions: the process is started first, and loads its own libraries
at the same time.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from relabel_assets.errors import WarehouseError
from relabel_assets.intake.input_limits import (
    GIB,
    MAX_RESULT_BYTES,
    QUERY_DISK_BYTES,
    QUERY_MEMORY_BYTES,
)
from relabel_assets.intake.limited_process import limited_process
from relabel_assets.intake.text import printable
from relabel_assets.warehouse.connection import CLOSED, READ_ONLY, opening_error, require_file

if TYPE_CHECKING:
    import polars as pl

Answer = TypeVar("Answer")
CHILD = Path(__file__).with_name("query_child.py")
LIMITS = {
    "memory_limit": f"{QUERY_MEMORY_BYTES}B",
    "max_temp_directory_size": f"{QUERY_DISK_BYTES}B",
    "threads": min(os.cpu_count() or 1, 16),  # a thread takes some 100 MB of addresses
}
_SETTINGS = {**CLOSED, **READ_ONLY, **LIMITS}
# Beside DuckDB's own memory: its program, its threads' stacks, and the batch that is written.
_CHILD_BYTES = QUERY_MEMORY_BYTES + 4 * GIB
# How DuckDB's errors about a damaged file begin.
_OF_THE_FILE = ("IO Error", "Serialization Error", "INTERNAL Error", "FATAL Error", "Corrupt")
_CAST = "Cast it to varchar."
_TOO_LARGE = {
    "memory": f"the query needs more than {QUERY_MEMORY_BYTES // GIB} GiB of memory, or "
    f"{QUERY_DISK_BYTES // GIB} GiB of disk. Select fewer rows.",
    "size": "the texts of a column are too long together. Select fewer rows, or cut them with left().",
}
# Days since 1970: those that Python's dates can be, with a day less on each side for time zones.
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = date.min.toordinal() + 1 - _EPOCH, date.max.toordinal() - 1 - _EPOCH


def read_only(path: Path, sql: str, *, remedy: str) -> "pl.DataFrame":
    """The result of `sql`, one query on the DuckDB file at `path`; it can read no other file.

    A repeated name of a column gets a number. `remedy` ends the message for a damaged file. Raises
    WarehouseError with DuckDB's own message for SQL that cannot be run, and for whatever is no query,
    needs more memory than the limits, crashes DuckDB, or has values that no output format can hold.
    """
    require_file(path, remedy)
    frame = answer(path, sql, _frame_of, settings=_SETTINGS, remedy=remedy)
    _require_dates(frame)
    return frame


def answer(
    path: Path,
    sql: str,
    take: Callable[["subprocess.Popen[bytes]"], Answer],
    *,
    settings: Mapping[str, Any],
    remedy: str,
    hint: str = "",
    folders: Sequence[str] = (),
    inside: Path | None = None,
) -> Answer:
    """What `take` makes of the Arrow stream that the query's process writes.

    The query can read the files in `folders`, and finds a relative path in `inside`. `remedy` and `hint` as
    in _error_of. Raises WarehouseError where the process ends with an error, whatever `take` made of it.
    """
    with limited_process(
        CHILD,
        (str(path), json.dumps(settings), *folders),
        max_memory=_CHILD_BYTES,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=inside,
    ) as child:
        assert child.stdin is not None and child.stderr is not None
        with suppress(OSError):  # the child's own error says more
            child.stdin.write(sql.encode("utf-8", "replace"))
            child.stdin.close()
        answered = take(child)
        error = child.stderr.read()
        code = child.wait()
    if code:
        raise _error_of(path, code, error, remedy, hint)
    return answered


def _frame_of(child: "subprocess.Popen[bytes]") -> "pl.DataFrame":
    """The frame that `child` writes; an empty one if it ends with an error."""
    import polars as pl
    import pyarrow as pa

    batches, n_bytes = [], 0
    try:
        with pa.ipc.open_stream(child.stdout) as reader:
            for batch in reader:
                n_bytes += batch.nbytes
                if n_bytes > MAX_RESULT_BYTES:
                    raise WarehouseError(
                        f"the result has more than {MAX_RESULT_BYTES // GIB} GiB. Select fewer rows or "
                        "columns, or read labels.duckdb or parquet/ with another program."
                    )
                batches.append(batch)
            table = pa.Table.from_batches(batches, schema=reader.schema)
    except (pa.ArrowException, OSError, EOFError):
        return pl.DataFrame()
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _error_of(path: Path, code: int, stderr: bytes, remedy: str, hint: str = "") -> WarehouseError:
    """The error for a child that ended with `code`. `hint` says what a query may do."""
    try:
        written = json.loads(stderr)
        kind, message = written["error"], written["message"].strip()
    except (ValueError, KeyError, TypeError):
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return WarehouseError(f"{path}: DuckDB crashed on this query ({name}). {remedy}")
    hint = hint or (
        "`relabel sql` can only read the labels; --out FILE writes a result. "
        f"For anything else, open {path} in DuckDB."
    )
    is_about_file = message.startswith(_OF_THE_FILE) and path.exists()
    if kind == "opening" or (is_about_file and "No files found" not in message):
        return opening_error(path, message, remedy)
    if kind == "statement":
        what = f"the statement is {message}" if message else "it has no statement"
        if "," in message:
            what = "it has more than one statement"
        return WarehouseError(f"{what}, and not one query (select, describe, show, ...). {hint}")
    if kind == "type":
        return WarehouseError(f"{message}, which no output format supports. {_CAST}")
    if kind in _TOO_LARGE:
        return WarehouseError(_TOO_LARGE[kind])
    is_refused = "disabled by configuration" in message or "read-only" in message
    return WarehouseError(printable(message) + (f" {hint}" if is_refused else ""))


def _require_dates(frame: "pl.DataFrame") -> None:
    """Raise WarehouseError for a date that Python and the formats lack: infinity, or the year 290000."""
    for column in frame:
        if not _has_known_dates(column):
            raise WarehouseError(
                f"column {column.name} has a date outside the years 1 to 9999. {_CAST}"
            )


def _has_known_dates(column: "pl.Series") -> bool:
    import polars as pl

    dtype = column.dtype
    if isinstance(dtype, pl.List | pl.Array):
        return _has_known_dates(column.explode())
    if isinstance(dtype, pl.Struct):
        return all(_has_known_dates(column.struct.field(name.name)) for name in dtype.fields)
    if isinstance(dtype, pl.Datetime | pl.Date):
        per_day = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
        unit = per_day[dtype.time_unit] if isinstance(dtype, pl.Datetime) else 1
        days = column.drop_nulls().to_physical().cast(pl.Int64) // unit
        return bool(days.is_between(_FIRST_DAY, _LAST_DAY).all())
    return True
