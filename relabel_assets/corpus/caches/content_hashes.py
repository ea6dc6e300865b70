"""Hashes of the contents of files, so that a file that did not change is not read again.

What belongs here: when a known hash may be used, and hashing. What does not: which files a part of a
corpus has (corpus_files.py), and the file that keeps the hashes (cache_file.py).

A known hash is used while size, modification time, change time and inode are the same. A program can set
the modification time back, but not the change time. So only a file system that keeps no change times, or
a clock that was set back, can hide a new content of the same size: `rm -r RELABEL_HOME/cache`.
"""

import hashlib
import os
import stat
import time
from pathlib import Path

from relabel_assets.corpus.caches.cache_file import CacheFile
from relabel_assets.intake.input_limits import MAX_ROWS_FILE_BYTES, MIB
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.regular_files import open_regular

# A file that was written just now may be written again without a new time: the times of some file systems
# have steps of 2 s. Its hash is not kept.
_RACY_NS = 2_000_000_000
_FIND = """select sha256 from hashes
    where path = ? and size = ? and modified = ? and changed = ? and inode = ?"""
_KEEP = "insert or replace into hashes values (?, ?, ?, ?, ?, ?)"
# Rows of files that are gone are few, until there are this many more rows than files.
_SPARE_ROWS = 10_000


class ContentHashes:
    """The hashes of files under `root`, with those in `cache`."""

    def __init__(self, root: Path, cache: CacheFile) -> None:
        self._root, self._cache = root, cache
        self.n_read = 0  # files that had to be read

    def of(self, file: str) -> str:
        """SHA-256 of the content of `file`, relative to the root; the reason where it cannot be read."""
        try:
            # A link may lead elsewhere without a trace in its own status, so its target is read.
            facts = _facts(os.lstat(f"{self._root}/{file}"))
        except (OSError, ValueError):  # ValueError: a name with NUL
            facts = None
        if facts and (row := self._cache.row(_FIND, (os.fsencode(file), *facts))):
            return str(row[0])
        self.n_read += 1
        return self._read(file, facts)

    def forget_gone(self, n_files: int) -> None:
        """Begin again where most rows are of files that are gone: the root has `n_files` now."""
        row = self._cache.row("select count(*) from hashes", ())
        if row and row[0] > 2 * n_files + _SPARE_ROWS:
            self._cache.put("delete from hashes", ())

    def _read(self, file: str, facts: tuple[int, ...] | None) -> str:
        looked_at = time.time_ns()
        try:
            with open_regular(self._root, file, max_bytes=MAX_ROWS_FILE_BYTES) as content:
                before = _facts(os.fstat(content.fileno()))
                digest = hashlib.sha256()
                while piece := content.read(MIB):
                    digest.update(piece)
                after = _facts(os.fstat(content.fileno()))
        except SetAside as error:
            return error.message
        except OSError as error:
            return str(error.strerror)
        sha256 = digest.hexdigest()
        if facts and facts == before == after and not is_racy(facts, looked_at):
            self._cache.put(_KEEP, (os.fsencode(file), *facts, sha256))
        return sha256


def _facts(status: os.stat_result) -> tuple[int, ...] | None:
    """Size, times in nanoseconds and inode of a regular file; None for anything else."""
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def is_racy(facts: tuple[int, ...], looked_at: int) -> bool:
    """Whether a file may be changed after `looked_at` (ns since 1970) and keep its `facts`.

    >>> second = 1_000_000_000
    >>> is_racy((5, 10 * second, 10 * second, 1), 11 * second)
    True
    >>> is_racy((5, 10 * second, 10 * second, 1), 13 * second)
    False
    """
    _, modified, changed, _ = facts
    # A change time in the future comes from another clock, which says nothing.
    return abs(looked_at - modified) < _RACY_NS or looked_at - changed < _RACY_NS
