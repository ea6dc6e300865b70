"""Restoring a backup: all of it into a home that has none of its parts, or nothing.

What belongs here: unpacking beside the home's parts, testing them, moving them in, and undoing that
after any failure. What does not: the format of the file (archive.py), and writing it (backup.py).
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from relabel_assets.errors import ConfigError, WarehouseError
from relabel_assets.files import make_private
from relabel_assets.home import Home
from relabel_assets.intake.input_limits import MAX_UNPACKED_RATIO, MIN_UNPACKED_LIMIT_BYTES
from relabel_assets.intake.one_input import reason_of
from relabel_assets.progress import Progress, silent
from relabel_assets.upkeep.archive import FOLDERS, NO_BACKUP, WAREHOUSE, Archive
from relabel_assets.upkeep.backup import SCRATCH
from relabel_assets.warehouse.connection import named
from relabel_assets.warehouse.warehouse import Warehouse

# The rest of the disk stays free for other programs, and for the copies for readers.
_LEAST_FREE_BYTES = 500_000_000
_BYTES_BETWEEN_LOOKS = 64_000_000  # at the free space; not measured


def restore(
    home: Home, file: Path, *, max_bytes: int | None = None, progress: Progress = silent
) -> list[str]:
    """Restore a backup into a home without any of its parts; return the names of the parts.

    `max_bytes` limits what `file` unpacks to; by default 50 times its size, and at least 2 GiB.
    Raises ConfigError for a file that is no backup, and for a home that has such a part. After that
    and after any other failure, Ctrl-C included, the home is as it was.
    """
    present = [name for name in (WAREHOUSE, *FOLDERS) if _is_there(home.path / name)]
    if present:
        raise ConfigError(
            f"{home.path} already has {', '.join(present)}. "
            "Restore into another RELABEL_HOME, or move them away."
        )
    if not file.is_file():
        raise ConfigError(f"{file} does not exist, or is no file. {NO_BACKUP}")
    try:
        with _new_folders(home.path), _scratch(home.path) as scratch:
            _unpack(file, scratch, max_bytes, progress)
            parts = [name for name in (*FOLDERS, WAREHOUSE) if (scratch / name).exists()]
            _test(file, scratch)
            with ExitStack() as undo:
                undo.callback(_remove_copies, home, _copies(home))
                for name in parts:
                    (scratch / name).rename(home.path / name)
                    undo.callback(shutil.move, home.path / name, scratch / name)
                Warehouse.at(home.warehouse).publish_all()
                undo.pop_all()
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be restored into {home.path}: {reason_of(error)}. Nothing was changed."
        ) from error
    return parts


def _unpack(file: Path, scratch: Path, max_bytes: int | None, progress: Progress) -> None:
    """Write the files of `file` into `scratch`, an empty folder."""
    n_written, n_packed = 0, file.stat().st_size
    with file.open("rb") as stream:
        limit = max_bytes or max(MIN_UNPACKED_LIMIT_BYTES, MAX_UNPACKED_RATIO * n_packed)
        for place, content in Archive(file, stream, limit).files():
            target = scratch / place
            target.parent.mkdir(parents=True, exist_ok=True)
            # "x" fails where another spelling of the name is the same file.
            with target.open("xb") as out:
                for piece in content:
                    if n_written % _BYTES_BETWEEN_LOOKS < len(piece):
                        _require_space(file, scratch)
                    out.write(piece)
                    n_written += len(piece)
                    total = -(-n_packed // 1_000_000)
                    progress("unpacking, MB", min(stream.tell() // 1_000_000, total), total)


def _require_space(file: Path, folder: Path) -> None:
    if shutil.disk_usage(folder).free < _LEAST_FREE_BYTES:
        raise ConfigError(
            f"{file} cannot be restored: the disk is full. Make room, or set RELABEL_HOME to another "
            "disk. Nothing was changed."
        )


def _test(file: Path, scratch: Path) -> None:
    """Raise ConfigError unless `scratch` has a warehouse whose every row can be read."""
    database = scratch / WAREHOUSE
    if not database.exists():
        raise ConfigError(f"{file} is no backup: it has no {WAREHOUSE}. {NO_BACKUP}")
    try:
        with named(database, WAREHOUSE):
            warehouse = Warehouse.at(database)
            warehouse.read_all()
            warehouse.receipts()
    except WarehouseError as error:
        raise ConfigError(f"{file} is no backup, or damaged: {error}") from error


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


@contextmanager
def _new_folders(folder: Path) -> Iterator[None]:
    """Create `folder`. After a failure, remove it and its parents again, if they were created."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        make_private(folder)
        yield
    except BaseException:
        with suppress(OSError):  # another program put something there
            for path in missing:
                path.rmdir()
        raise


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=home, prefix=SCRATCH) as folder:
        yield Path(folder)


def _copies(home: Home) -> set[Path]:
    """The files and folders that publishing writes, where they exist."""
    names = ("labels.duckdb", "parquet", f"{WAREHOUSE}.lock", f"{WAREHOUSE}.wal")
    return {home.path / name for name in names if _is_there(home.path / name)}


def _remove_copies(home: Home, before: set[Path]) -> None:
    for path in _copies(home) - before:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
