"""Copies of homes, for tests that change the content of the session's `finished_home`.

What belongs here: copies, and the environment that names them. What does not: making tables.
"""

import shutil
from pathlib import Path

import pytest


def use_home(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Point the environment at `folder`/home and `folder`/data."""
    patch.setenv("RELABEL_HOME", str(folder / "home"))
    patch.setenv("RELABEL_DATA", str(folder / "data"))
    patch.setenv("DAGSTER_HOME", str(folder / "home" / "dagster"))


def use_copy(patch: pytest.MonkeyPatch, original: Path, folder: Path) -> Path:
    """Copy a home and its data to `folder`, and point the environment at the copy."""
    shutil.copytree(original, folder, dirs_exist_ok=True)
    use_home(patch, folder)
    return folder
