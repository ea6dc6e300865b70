"""Backup and restore of a home."""

import os
import shutil
import tarfile
import threading
from pathlib import Path

import pytest

from relabel_assets.errors import ConfigError, WarehouseError
from relabel_assets.home import Home
from relabel_assets.tables.tables import TABLES
from relabel_assets.upkeep.backup import back_up
from relabel_assets.upkeep.restore import restore
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel


def test_a_restored_home_equals_the_one_that_was_backed_up(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup.tar.gz"
    done = relabel("backup", str(file))
    assert done.returncode == 0, done.stderr
    assert relabel("backup", str(file)).returncode == 4
    assert "already" in relabel("restore", str(file)).stderr
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "other"))
    assert relabel("restore", str(file)).returncode == 0
    old, new = (Warehouse.at(home / "warehouse.duckdb") for home in (own_home, tmp_path / "other"))
    for table in TABLES:
        query = f"select * from {table} order by all"
        assert new.query(query).equals(old.query(query))
        assert new.read_replica(query).equals(old.query(query))
    assert "up to date" in relabel("plan").stdout
    assert relabel("doctor").returncode == 0


def test_a_backup_holds_rows_models_ledger_and_reports_and_no_scratch_files(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    included = ("models/tiny/s1/student.json", "ledger/tiny/1.jsonl", "reports/tiny.html")
    left_out = (
        "models/tiny/.s2.half/student.json",
        "ledger/tiny/.1.jsonl.half",
        "ledger/tiny/1.jsonl.lock",
        "dagster/dagster.yaml",
        "scratch/index/x",
        "parquet/seed_docs/rows.parquet",
        "labels.duckdb",
        "vectors/base/a.vectors",
    )
    for name in (*included, *left_out):
        (home.path / name).parent.mkdir(parents=True, exist_ok=True)
        (home.path / name).write_bytes(b"x")
    back_up(home, Warehouse.at(home.warehouse), tmp_path / "backup.tar.gz")
    with tarfile.open(tmp_path / "backup.tar.gz") as tar:
        assert sorted(tar.getnames()) == sorted(("warehouse.duckdb", *included))
    assert not list(home.path.glob(".backup-*"))


def test_a_backup_that_fails_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    (home.path / "models").mkdir(parents=True)
    (home.path / "models" / "weights").touch()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", fail)
    with pytest.raises(ConfigError, match="cannot be written"):
        back_up(home, Warehouse.at(home.warehouse), tmp_path / "backup.tar.gz")
    assert not list(tmp_path.glob("*backup*"))
    with pytest.raises(ConfigError, match="there is no folder"):
        back_up(home, Warehouse.at(home.warehouse), tmp_path / "nowhere" / "backup.tar.gz")
    assert not list(home.path.glob(".backup-*"))


@pytest.mark.parametrize("part", ["warehouse.duckdb", "models", "ledger", "reports"])
def test_restore_refuses_a_home_that_has_any_part_of_a_backup(tmp_path: Path, part: str) -> None:
    old, home = Home(tmp_path / "old"), Home(tmp_path / "home")
    old.path.mkdir()
    back_up(old, Warehouse.at(old.warehouse), tmp_path / "backup.tar.gz")
    (home.path / part).mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"already has {part}"):
        restore(home, tmp_path / "backup.tar.gz")
    assert [path.name for path in home.path.iterdir()] == [part]


@pytest.mark.parametrize("content", [b"", b"not a tar", b"empty tar"])
def test_restore_refuses_a_file_that_is_no_backup_and_leaves_nothing(
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
    assert not (tmp_path / "home").exists()


def test_a_backup_is_consistent_while_a_run_adds_and_removes_files(
    own_home: Path, tmp_path: Path
) -> None:
    is_done, folder = threading.Event(), own_home / "models" / "tiny" / "passing"

    def come_and_go() -> None:
        while not is_done.is_set():
            folder.mkdir(exist_ok=True)
            for number in range(50):
                (folder / f"{number}.bin").write_bytes(b"x")
            shutil.rmtree(folder)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for number in range(3):
            back_up(
                Home(own_home),
                Warehouse.at(own_home / "warehouse.duckdb"),
                tmp_path / f"{number}.tar.gz",
            )
    finally:
        is_done.set()
        thread.join()
    restored = Home(tmp_path / "other")
    restore(restored, tmp_path / "2.tar.gz")
    assert (
        Warehouse.at(restored.warehouse).receipts()
        == Warehouse.at(own_home / "warehouse.duckdb").receipts()
    )


def test_a_warehouse_that_is_damaged_is_named_by_backup_plan_and_queries(
    own_home: Path, tmp_path: Path
) -> None:
    # The headers are whole, so DuckDB opens the file.
    database, out = own_home / "warehouse.duckdb", tmp_path / "backup.tar.gz"
    os.truncate(database, 12288 + 262144)
    warehouse = Warehouse.at(database)
    with pytest.raises(WarehouseError, match=f"{database}.* restore a backup"):
        back_up(Home(own_home), warehouse, out)
    assert not out.exists()
    with pytest.raises(WarehouseError, match=f"{database}.* restore a backup"):
        warehouse.query("select bit_xor(hash(rows)) from teacher_labels as rows")
    done = relabel("plan")
    assert (done.returncode, str(database) in done.stderr) == (6, True), done.stderr
