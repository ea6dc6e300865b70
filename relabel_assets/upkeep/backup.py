"""Backing up warehouse, models, ledger and reports in one file.

What belongs here: the order in which the parts are written. What does not: restoring them (restore.py),
Dagster's run history, and the copies for readers (warehouse/replica.py), which a restore writes again.
"""

import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from relabel_assets.errors import ConfigError
from relabel_assets.files import whole
from relabel_assets.home import Home
from relabel_assets.intake.one_input import reason_of
from relabel_assets.upkeep.archive import FOLDERS, WAREHOUSE, fault_of_name
from relabel_assets.warehouse.connection import named
from relabel_assets.warehouse.warehouse import Warehouse

SCRATCH = ".backup-"  # prefix of scratch folders; upkeep/doctor.py removes old ones


def back_up(home: Home, warehouse: Warehouse, out: Path) -> dict[str, int]:
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
            tar.add(copy, WAREHOUSE)
            sizes[WAREHOUSE] = copy.stat().st_size
            for name in FOLDERS:
                if (home.path / name).is_dir():
                    sizes[name] = _add_folder(tar, home.path, name)
    except OSError as error:
        place = error.filename or out  # the copy of the warehouse, or a file that cannot be read
        raise ConfigError(
            f"{out} cannot be written: {reason_of(error)} ({place}). Make room, or correct that."
        ) from error
    return sizes


def _add_folder(tar: tarfile.TarFile, home: Path, name: str) -> int:
    """Add the files of a folder in order of their names; return the number of their bytes.

    Skips scratch files, locks, files that a run removes at the same time, and whatever a restore would
    refuse: pipes, links to nothing, names that are not UTF-8.
    """
    n_bytes = 0
    for path in sorted((home / name).rglob("*")):
        relative = path.relative_to(home)
        is_scratch = any(part.endswith((".half", ".lock")) for part in relative.parts)
        if is_scratch or not path.is_file() or fault_of_name(relative.as_posix()):
            continue
        with suppress(FileNotFoundError):
            tar.add(path, str(relative), recursive=False)
            n_bytes += path.stat().st_size
    return n_bytes
