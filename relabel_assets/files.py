"""Atomic replacement of files, private folders, and flushing to the disk.

What belongs here: the one way in which this project replaces a file that others read, and creates a
folder of RELABEL_HOME. What does not: file formats, and appending lines (teacher/ledger/).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, *, is_durable: bool = False) -> Iterator[Path]:
    """A scratch file to write, which replaces `path` when the block ends without an error.

    Readers see the old file or the new one, never a part. After an error, Ctrl-C included, `path` is
    unchanged and the scratch file is removed. A missing folder is created. With `is_durable` content
    and name survive a power cut. Raises OSError if the file cannot be written, and for a `path` that
    is a folder, a device or a pipe.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> report = Path(folder.name) / "report.txt"
    >>> with whole(report) as scratch:
    ...     _ = scratch.write_text("graded 3 pairs")
    >>> report.read_text()
    'graded 3 pairs'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # a rename would replace even /dev/null
        raise OSError(errno.EEXIST, "it exists and is no regular file", str(path))
    scratch = path.with_name(f".{path.name}.half")
    if scratch.is_symlink() or scratch.is_fifo():  # writing it would write elsewhere, or wait
        scratch.unlink()
    try:
        yield scratch
        if is_durable:
            _flush(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    if is_durable:
        flush_folder(path.parent)


def make_private(folder: Path) -> None:
    """Create `folder` and its missing parents for their owner alone. An existing folder is not changed.

    RELABEL_HOME holds texts of documents, and what they were graded with. Raises OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     make_private(Path(scratch) / "home" / "ledger")
    ...     oct((Path(scratch) / "home").stat().st_mode & 0o777)
    '0o700'
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)  # raises where it is a file


def flush_folder(folder: Path) -> None:
    """Write the names in `folder` to the disk. The fsync of a file does not write its folder."""
    _flush(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
