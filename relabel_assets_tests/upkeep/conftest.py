"""A home of a test's own: a copy of the finished home."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def own_home(finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished home that the test may change."""
    shutil.copytree(finished_home, tmp_path / "home")
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELABEL_DATA", str(finished_home.parent / "data"))
    return tmp_path / "home"
