"""A connection to the warehouse with every table and view of this version.

What belongs here: when the catalog is checked, and that readers get new views. What does not: the upgrade
(schema.py), and opening a file (connection.py).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relabel_assets.warehouse.connection import locked, opened
from relabel_assets.warehouse.replica import ReaderCopies
from relabel_assets.warehouse.schema import FileVersion, upgrade_schema

if TYPE_CHECKING:
    import duckdb

# The version of each file that this process closed with all tables and views of this version.
_CURRENT_SCHEMAS: dict[Path, FileVersion] = {}


@contextmanager
def upgraded(path: Path, config: Mapping[str, Any]) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection to the file at `path`, under its lock; the file has every table and view of this version.

    Checking the catalog takes longer than a small read. So a process checks a file once, and again after
    another process or a restore wrote it.
    """
    with locked(path):
        version = FileVersion.of(path)
        is_current = version is not None and _CURRENT_SCHEMAS.pop(path, None) == version
        with opened(path, config) as con:
            copies = ReaderCopies(path)
            is_upgraded = not is_current and upgrade_schema(con, str(path))
            if is_upgraded and copies.replica.is_file():
                # Readers get the new views, and every checkpoint a copy: rule 2 of replica.py.
                copies.publish(con)
            yield con
        # After closing, which may write. After an error the next access checks again.
        closed = FileVersion.of(path)
        if closed is not None:
            _CURRENT_SCHEMAS[path] = closed
