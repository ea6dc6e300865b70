"""Backup, restore and doctor, on a real home."""

import os
import shutil
import tarfile
from pathlib import Path

import pytest

from relabel_assets.resources.warehouse import Warehouse
from relabel_assets.tables import TABLES
from relabel_assets_tests.commands.test_teacher_commands import relabel


@pytest.fixture
def copy(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own."""
    shutil.copytree(made, tmp_path / "home")
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELABEL_DATA", str(made.parent / "data"))
    return tmp_path / "home"


def test_a_restored_home_is_what_was_backed_up(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup.tar.gz"
    done = relabel("backup", str(file))
    assert done.returncode == 0, done.stderr
    assert relabel("backup", str(file)).returncode == 4
    assert "already" in relabel("restore", str(file)).stderr
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "other"))
    assert relabel("restore", str(file)).returncode == 0
    old, new = (Warehouse.at(home / "warehouse.duckdb") for home in (copy, tmp_path / "other"))
    for table in TABLES:
        query = f"select * from {table} order by all"
        assert new.query(query).equals(old.query(query))
        assert new.read_replica(query).equals(old.query(query))
    assert "up to date" in relabel("plan").stdout
    assert relabel("doctor").returncode == 0


@pytest.mark.parametrize("content", [b"", b"not a tar", b"empty tar"])
def test_what_is_no_backup_is_refused_and_leaves_nothing(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    file = tmp_path / "backup.tar.gz"
    file.write_bytes(content)
    if content == b"empty tar":
        with tarfile.open(file, "w:gz") as tar:
            (tmp_path / "x").touch()
            tar.add(tmp_path / "x", "../../x")
    done = relabel("restore", str(file))
    assert done.returncode == 4
    assert "backup" in done.stderr
    assert {path.name for path in (tmp_path / "home").iterdir()} <= {"dagster"}


def test_a_home_that_is_well_is_said_to_be(copy: Path) -> None:
    done = relabel("doctor")
    assert done.returncode == 0, done.stdout
    assert "wrong" not in done.stdout


def test_what_is_wrong_is_named_and_mended_where_that_is_safe(copy: Path) -> None:
    half = copy / "models" / "tiny" / ".student.half"
    half.mkdir()
    os.utime(half, (0, 0))
    (copy / "labels.duckdb").unlink()
    (copy / "reports" / "tiny.html").unlink()
    found = relabel("doctor")
    assert found.returncode == 6
    for said in (
        ".student.half",
        "replica: it is behind",
        "reports/tiny.html gone",
        "relabel run -c tiny -s benchmark",
    ):
        assert said in found.stdout
    assert half.exists()
    mended = relabel("doctor", "--fix")
    assert mended.returncode == 6
    assert mended.stdout.count("mended") == 2
    assert not half.exists()
    assert relabel("run").returncode == 0
    assert relabel("doctor").returncode == 0


def test_a_damaged_warehouse_is_named_and_left_alone(copy: Path) -> None:
    (copy / "warehouse.duckdb").write_bytes(b"damaged" * 1000)
    found = relabel("doctor", "--fix")
    assert found.returncode == 6
    assert "wrong  warehouse" in found.stdout
    assert "Traceback" not in found.stderr
    assert (copy / "warehouse.duckdb").read_bytes() == b"damaged" * 1000
