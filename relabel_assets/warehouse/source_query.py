"""A query of a corpus.yaml that gives documents: run in a process of its own, its rows kept in a file.

What belongs here: running it with limits, writing its rows, and their digest. What does not: the query's
process (query_child.py), and what the rows mean (corpus/sources/).
"""

import hashlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from relabel_assets.errors import WarehouseError
from relabel_assets.intake.input_limits import QUERY_IDLE_S
from relabel_assets.progress import Progress, silent
from relabel_assets.warehouse.connection import CLOSED, READ_ONLY, require_file
from relabel_assets.warehouse.query import LIMITS, answer

_HINT = (
    "The query reads `database`, the files of the corpus folder and those of `folders`; it writes nothing, "
    "and reaches no network."
)
_REMEDY = "Correct it, or name another database in corpus.yaml."


def write_rows(
    sql: str,
    out: Path,
    *,
    database: Path | None,
    folder: Path,
    folders: Sequence[Path] = (),
    progress: Progress = silent,
) -> str:
    """Write the rows of `sql` to the Parquet file `out`; return a digest, whatever their order.

    The query reads the DuckDB file `database`, if there is one, and files in `folder` and `folders`. It
    finds a relative path in `folder`. Raises WarehouseError with DuckDB's own message for SQL that cannot
    be run, and for a query that writes, needs more than the limits, or gives no row for ten minutes.
    """
    if database is not None:
        if not database.is_file():
            raise WarehouseError(f"there is no database {database}. {_REMEDY}")
        require_file(database, _REMEDY)
    with tempfile.TemporaryDirectory(prefix="relabel-query-") as scratch:
        settings = {
            **CLOSED,
            **(READ_ONLY if database else {}),
            **LIMITS,
            "temp_directory": scratch,
        }
        return answer(
            Path(database or ":memory:"),
            sql,
            lambda child: _write(child, out, progress),
            settings=settings,
            remedy=_REMEDY,
            hint=_HINT,
            folders=[f"{path.resolve()}/" for path in (folder, *folders)],
            inside=folder,
        )


def _write(child: "subprocess.Popen[bytes]", out: Path, progress: Progress) -> str:
    """Write what `child` answers to `out`. Where it ends with an error, that error says why."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    total, n_rows = 0, 0
    idle = _Idle(child)
    try:
        with pa.ipc.open_stream(child.stdout) as reader, idle:
            schema = reader.schema
            # Neither packed nor as a dictionary: readers refuse a file that packs far too much text.
            writer = pq.ParquetWriter(out, schema, compression="lz4", use_dictionary=False)
            with writer:
                for batch in reader:
                    idle.restart()
                    writer.write_batch(batch)
                    total += _digest_of(batch)
                    n_rows += batch.num_rows
                    progress("querying, rows", n_rows, 0)
    except (pa.ArrowException, OSError, EOFError) as error:
        if idle.is_over:
            message = f"the query gave no row for {QUERY_IDLE_S // 60} minutes. Select fewer rows."
            raise WarehouseError(message) from error
        if child.wait() == 0:  # the child ended well, so it was our own disk
            raise WarehouseError(f"{out} cannot be written: {error}. Make room.") from error
        return ""
    names = json.dumps(schema.names)
    return hashlib.sha256(f"{names} {total % 2**256:x}".encode()).hexdigest()


def _digest_of(batch: Any) -> int:
    """The sum of the hashes of the rows: equal rows count, their order does not."""
    import polars as pl

    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    temporal = pl.selectors.temporal()
    lines = frame.with_columns(temporal.cast(pl.String)).write_ndjson().splitlines()
    return sum(int.from_bytes(hashlib.sha256(line.encode()).digest()) for line in lines)


class _Idle:
    """Kills a process that gives nothing for QUERY_IDLE_S."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self._child, self.is_over = child, False
        self.restart()

    def restart(self) -> None:
        self.stop()
        self._timer = threading.Timer(QUERY_IDLE_S, self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        with suppress(AttributeError):
            self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        self._child.kill()

    def __enter__(self) -> "_Idle":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
