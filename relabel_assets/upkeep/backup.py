"""Backing up warehouse, models, ledger and reports in one file.

What belongs here: the order in which the parts are written. What does not: restoring them (restore.py),
Dagster's run history, the copies for readers (warehouse/replica.py), which a restore writes again, and the
vectors of documents (student/vectors/), which the next run computes again.
"""

import io
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from relabel_assets.errors import ConfigError
from relabel_assets.files import whole
from relabel_assets.home import Home
from relabel_assets.intake.one_input import reason_of
from relabel_assets.progress import Progress, silent
from relabel_assets.upkeep.archive import FOLDERS, WAREHOUSE, fault_of_name
from relabel_assets.warehouse.connection import named
from relabel_assets.warehouse.warehouse import Warehouse

SCRATCH = ".backup-"  # prefix of scratch folders; upkeep/doctor.py removes old ones


def back_up(
    home: Home, warehouse: Warehouse, out: Path, progress: Progress = silent
) -> dict[str, int]:
    """Write warehouse, models, ledger and reports to `out`, a .tar.gz; return the bytes of each part.

    Safe while runs are in progress: the warehouse is copied first, between two writes. A run writes a
    partition's files before its rows, so the folders copied later hold every file that the rows name.
    Raises ConfigError where `out` exists or cannot be written, and WarehouseError for a warehouse that
    cannot be read.
    """
    if out.exists():
        raise ConfigError(f"{out} already exists. Move it away, or choose another file.")
    if not out.parent.is_dir():
        raise ConfigError(f"{out} cannot be written: there is no folder {out.parent}.")
    sizes = {}
    try:
        with (
            tempfile.TemporaryDirectory(dir=home.path, prefix=SCRATCH) as folder,
            whole(out) as scratch,
            # Level 1 is not measured: most bytes are weights, which no level compresses well.
            # A link is kept as the file it leads to: no backup that has a link is restored.
            tarfile.open(scratch, "w:gz", compresslevel=1, dereference=True) as tar,
        ):
            copy = Path(folder) / WAREHOUSE
            warehouse.copy_to(copy)
            with named(copy, warehouse.database):  # no restore would take a damaged one
                Warehouse.at(copy).read_all()
            files = {
                name: _files(home.path, name) for name in FOLDERS if (home.path / name).is_dir()
            }
            writer = _Writer(
                tar, progress, [copy, *(path for part in files.values() for path in part)]
            )
            sizes[WAREHOUSE] = writer.add(copy, WAREHOUSE)
            for name, paths in files.items():
                sizes[name] = sum(
                    writer.add(path, str(path.relative_to(home.path))) for path in paths
                )
    except OSError as error:
        place = error.filename or out  # the copy of the warehouse, or a file that cannot be read
        raise ConfigError(
            f"{out} cannot be written: {reason_of(error)} ({place}). Make room, or correct that."
        ) from error
    return sizes


def _files(home: Path, name: str) -> list[Path]:
    """The files of a folder in order of their names.

    Without scratch files, locks, and whatever a restore would refuse: pipes, links to nothing, names that
    are not UTF-8.
    """
    files = []
    for path in sorted((home / name).rglob("*")):
        relative = path.relative_to(home)
        is_scratch = any(part.endswith((".half", ".lock")) for part in relative.parts)
        if not is_scratch and path.is_file() and not fault_of_name(relative.as_posix()):
            files.append(path)
    return files


class _Writer:
    """Adds files to an archive, and reports the bytes of `files` that were added."""

    def __init__(self, tar: tarfile.TarFile, progress: Progress, files: list[Path]) -> None:
        self._tar, self._progress = tar, progress
        self._n_done, self._n_bytes = 0, 0
        for file in files:
            with suppress(FileNotFoundError):
                self._n_bytes += file.stat().st_size

    def add(self, path: Path, name: str) -> int:
        """Add a file; return the number of its bytes: none of one that a run has just removed."""
        with suppress(FileNotFoundError), path.open("rb") as file:
            entry = self._tar.gettarinfo(arcname=name, fileobj=file)
            self._tar.addfile(entry, _Counted(file, self._report))
            return entry.size
        return 0

    def _report(self, n_bytes: int) -> None:
        self._n_done += n_bytes
        self._progress("writing, MB", self._n_done // 1_000_000, -(-self._n_bytes // 1_000_000))


class _Counted(io.RawIOBase):
    """A file that reports the number of bytes of each read."""

    def __init__(self, file: BinaryIO, report: Callable[[int], object]) -> None:
        self._file, self._report = file, report

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._report(len(piece))
        return piece
