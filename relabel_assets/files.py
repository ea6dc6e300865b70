"""Replacing a file whole or not at all, and making sure that it is on the disk.

What belongs here: the one way in which this project replaces a file that others read. What does
not: formats, and files that grow line by line (the ledger appends).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, *, is_durable: bool = False) -> Iterator[Path]:
    """A scratch file beside `path` to write to; when the block ends without an error it takes the
    place of `path`.

    Readers see the old file or the new one, never a part. After an error, Ctrl-C included, `path`
    is as it was and the scratch file is gone. The folder is created where it is missing. With
    `is_durable` the content and the new name are on the disk when this returns: a power cut cannot
    take them back. Raises OSError where the disk does not take the file.

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
    """Make new names in `folder` survive a power cut: a file's own fsync does not write the folder
    that names it.
    """
    _flush(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
