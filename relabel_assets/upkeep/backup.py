"""Backup and restore of warehouse, models, ledger and reports in one file.

What belongs here: the parts of a backup, their order, and restoring them. What does not: Dagster's run
history, and the copies for readers (warehouse/replica.py), which a restore writes again.
"""

import shutil
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from relabel_assets.errors import ConfigError, WarehouseError
from relabel_assets.files import whole
from relabel_assets.home import Home
from relabel_assets.warehouse.warehouse import Warehouse

_WAREHOUSE = "warehouse.duckdb"
_FOLDERS = ("models", "ledger", "reports")
SCRATCH = ".backup-"  # prefix of scratch folders; upkeep/doctor.py removes old ones


def back_up(home: Home, warehouse: Warehouse, out: Path) -> dict[str, int]:
    """Write warehouse, models, ledger and reports to `out`, a .tar.gz; return the bytes of each part.

    Safe while runs are in progress: the warehouse is copied first, between two writes. A run writes a
    partition's files before its rows, so the folders copied later hold every file that the rows name.
    Raises ConfigError where `out` exists or cannot be written.
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
            tarfile.open(scratch, "w:gz", compresslevel=1) as tar,
        ):
            copy = Path(folder) / _WAREHOUSE
            warehouse.copy_to(copy)
            tar.add(copy, _WAREHOUSE)
            sizes[_WAREHOUSE] = copy.stat().st_size
            for name in _FOLDERS:
                if (home.path / name).is_dir():
                    sizes[name] = _add_folder(tar, home.path, name)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error}.") from error
    return sizes


def restore(home: Home, warehouse: Warehouse, file: Path) -> list[str]:
    """Restore a backup into a home without any of its parts; return the names of the parts.

    Raises ConfigError for a file that is no backup, and for a home that has such a part. The home
    stays unchanged after an error.
    """
    present = [name for name in (_WAREHOUSE, *_FOLDERS) if (home.path / name).exists()]
    if present:
        raise ConfigError(
            f"{home.path} already has {', '.join(present)}. "
            "Restore into another RELABEL_HOME, or move them away."
        )
    home.path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.path, prefix=SCRATCH) as scratch:
        try:
            with tarfile.open(file, "r:gz") as tar:
                tar.extractall(scratch, filter="data")
        except (OSError, EOFError, tarfile.TarError) as error:
            raise ConfigError(f"{file} cannot be read as a backup: {error}.") from error
        parts = [name for name in (*_FOLDERS, _WAREHOUSE) if (Path(scratch) / name).exists()]
        if _WAREHOUSE not in parts:
            raise ConfigError(f"{file} is no backup: it has no {_WAREHOUSE}.")
        try:
            Warehouse.at(Path(scratch) / _WAREHOUSE).receipts()
        except WarehouseError as error:
            raise ConfigError(f"{file} is no backup: {error}") from error
        for name in parts:
            shutil.move(Path(scratch) / name, home.path / name)
    warehouse.publish_all()
    return parts


def _add_folder(tar: tarfile.TarFile, home: Path, name: str) -> int:
    """Add the files of a folder in order of their names; return the number of their bytes.

    Skips scratch files, locks, and files that a run removes at the same time.
    """
    n_bytes = 0
    for path in sorted((home / name).rglob("*")):
        relative = path.relative_to(home)
        is_scratch = any(part.endswith((".half", ".lock")) for part in relative.parts)
        if is_scratch or path.is_dir():
            continue
        with suppress(FileNotFoundError):
            tar.add(path, str(relative), recursive=False)
            n_bytes += path.stat().st_size
    return n_bytes
