"""A warehouse in a temporary folder, for the tests of this room."""

from pathlib import Path

import pytest

from relabel_assets.warehouse.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.at(tmp_path / "home" / "warehouse.duckdb")
