"""A cache of one corpus: a SQLite file that may be damaged, locked or lost, and costs nothing but time.

What belongs here: opening the file, its tables, and what an error of SQLite means. What does not: what is
kept in it (content_hashes.py, parsed_files.py).

SQLite, because entries are looked up one by one in bounded memory, and because several processes look at
the same folder: a run, a plan, and the sensor of the UI.
"""

import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from relabel_assets.files import make_private
from relabel_assets.intake.one_input import reason_of

_NAME = "files.sqlite"
_VERSION = 2  # of the tables. A file of another version is begun again.
_TABLES = """
create table hashes (
    path blob primary key, size integer, modified integer, changed integer, inode integer, sha256 text
) without rowid;
create table parsed (key text primary key, content blob, used_at integer);
create table facts (name text primary key, value text) without rowid;
"""
# Another process holds the file for one commit.
_LOCK_TIMEOUT_S = 5.0
# A killed process loses so much work. Not measured: a commit takes milliseconds.
_SECONDS_BETWEEN_COMMITS = 2.0
_LOG = logging.getLogger("relabel_assets.progress")
_REPORTED = set[Path]()


class CacheFile:
    """The cache in `folder`; without one, or where it cannot be used, it has and keeps nothing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with CacheFile(Path(folder)) as cache:
    ...         cache.put("insert into facts values (?, ?)", ("rows", "3"))
    ...     with CacheFile(Path(folder)) as cache:
    ...         cache.row("select value from facts where name = ?", ("rows",))
    ('3',)
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = folder / _NAME if folder else None
        self._con: sqlite3.Connection | None = None
        self._committed_at = time.monotonic()

    def __enter__(self) -> "CacheFile":
        if self.path is not None:
            try:
                make_private(self.path.parent)
                self._con = _opened(self.path)
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what was put, after an error and Ctrl-C too."""
        self.commit()
        if self._con is not None:
            self._con.close()
            self._con = None

    def row(self, query: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        """The first row of `query`; None without one."""
        if self._con is None:
            return None
        try:
            row: tuple[Any, ...] | None = self._con.execute(query, values).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        return row

    def put(self, statement: str, *rows: Sequence[Any]) -> None:
        """Run `statement` for each of `rows`. It is kept at the next commit, every two seconds."""
        self.put_all(statement, rows)

    def put_all(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        if self._con is None:
            return
        try:
            self._con.executemany(statement, rows)
        except sqlite3.Error as error:
            self._give_up(error)
            return
        if time.monotonic() - self._committed_at > _SECONDS_BETWEEN_COMMITS:
            self.commit()

    def commit(self) -> None:
        """Write what was put to the disk."""
        if self._con is None:
            return
        self._committed_at = time.monotonic()
        try:
            self._con.commit()
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Go on without the cache; a damaged file is removed, so that the next look begins a new one."""
        con, self._con = self._con, None
        if con is not None:
            with suppress(sqlite3.Error):
                con.close()
        assert self.path is not None
        is_damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        )
        if is_damaged:
            with suppress(OSError):
                self.path.unlink()
        if self.path not in _REPORTED:
            _REPORTED.add(self.path)
            what = "was damaged, and is begun again" if is_damaged else "is not used"
            reason = reason_of(error)
            _LOG.warning("%s %s: %s. Files are read again.", self.path, what, reason)


def _opened(path: Path) -> sqlite3.Connection:
    """The SQLite file at `path`, with the tables of this version. Raises sqlite3.Error."""
    con = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S)
    try:
        path.chmod(0o600)  # parsed texts of documents are in it
        (version,) = con.execute("pragma user_version").fetchone()
        if version != _VERSION:
            tables = con.execute("select name from sqlite_schema where type = 'table'").fetchall()
            drops = "".join(f'drop table "{name}";' for (name,) in tables)
            con.executescript(
                f"begin exclusive; {drops} {_TABLES} pragma user_version = {_VERSION}; commit;"
            )
    except BaseException:
        con.close()
        raise
    return con
