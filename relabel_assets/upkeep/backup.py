"""One file with everything that cannot be made again for nothing, and a home made from it.

What belongs here: what goes into a backup, in which order, and putting it back. What does not: Dagster's run history,
which is Dagster's own, and the copies that readers open, which are made again.
"""

import shutil
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from relabel_assets.errors import ConfigError, WarehouseError
from relabel_assets.home import Home
from relabel_assets.warehouse.warehouse import Warehouse

_WAREHOUSE = "warehouse.duckdb"
_FOLDERS = ("models", "ledger", "reports")
SCRATCH = ".backup-"  # how the folders are called that a backup or a restore at work has in the home


def back_up(home: Home, warehouse: Warehouse, out: Path) -> dict[str, int]:
    """Write `out`, a .tar.gz of the warehouse, models, ledger and reports, while runs go on; bytes of each part.

    The warehouse is copied first, between two writes. What it speaks of is on disk before it is written, so the folders
    copied after it hold at least that. Raises ConfigError where `out` is there already or cannot be written.
    """
    if out.exists():
        raise ConfigError(f"{out} is there already. Move it away, or choose another file.")
    half = out.with_name(f".{out.name}.half")
    sizes = {}
    try:
        scratches = tempfile.TemporaryDirectory(dir=home.path, prefix=SCRATCH)
        with scratches as scratch, tarfile.open(half, "w:gz", compresslevel=1) as tar:
            copy = Path(scratch) / _WAREHOUSE
            warehouse.copy_to(copy)
            tar.add(copy, _WAREHOUSE)
            sizes[_WAREHOUSE] = copy.stat().st_size
            for name in _FOLDERS:
                if (home.path / name).is_dir():
                    sizes[name] = _add(tar, home.path, name)
        half.replace(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error}.") from error
    finally:
        half.unlink(missing_ok=True)
    return sizes


def restore(home: Home, warehouse: Warehouse, file: Path) -> list[str]:
    """Put a backup into a home that has none of its parts; their names. A failure leaves the home as it was.

    Raises ConfigError for a file that is no backup and for a home that is in use.
    """
    there = [name for name in (_WAREHOUSE, *_FOLDERS) if (home.path / name).exists()]
    if there:
        raise ConfigError(
            f"{home.path} has {', '.join(there)} already. Restore into another RELABEL_HOME, or move them away."
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


def _add(tar: tarfile.TarFile, home: Path, name: str) -> int:
    """Add a folder's whole files, in order of their names; their bytes. What a run at work takes away meanwhile is left out."""
    n_bytes = 0
    for path in sorted((home / name).rglob("*")):
        place = path.relative_to(home)
        if any(part.endswith((".half", ".lock")) for part in place.parts) or path.is_dir():
            continue
        with suppress(FileNotFoundError):
            tar.add(path, str(place), recursive=False)
            n_bytes += path.stat().st_size
    return n_bytes
