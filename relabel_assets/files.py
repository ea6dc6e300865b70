"""Atomic replacement of files, and flushing them to the disk.

What belongs here: the one way in which this project replaces a file that others read. What does not:
file formats, and appending lines (teacher/ledger/).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, *, is_durable: bool = False) -> Iterator[Path]:
    """A scratch file to write, which replaces `path` when the block ends without an error.

    Readers see the old file or the new one, never a part. After an error, Ctrl-C included, `path` is
    unchanged and the scratch file is removed. A missing folder is created. With `is_durable` content
    and name survive a power cut. Raises OSError if the file cannot be written.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> report = Path(folder.name) / "report.txt"
    >>> with whole(report) as scratch:
    ...     _ = scratch.write_text("graded 3 pairs")
    >>> report.read_text()
    'graded 3 pairs'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.half")
    try:
        yield scratch
        if is_durable:
            _flush(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    if is_durable:
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Write the names in `folder` to the disk. The fsync of a file does not write its folder."""
    _flush(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
