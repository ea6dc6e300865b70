"""Connections to the warehouse file: one writer at a time, read-only queries, damaged files."""

import multiprocessing
import os
from pathlib import Path

import duckdb
import pytest

from relabel_assets.errors import WarehouseError
from relabel_assets.warehouse import connection
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.warehouse.rows import HASH, labels

pytestmark = pytest.mark.slow


def _write_often(database: str, corpus: str) -> None:
    for round_number in range(5):
        Warehouse(database=database).replace(
            "student_labels", corpus, labels(f"q{round_number}"), input_hash=HASH
        )


def test_processes_that_write_at_once_wait_for_each_other(warehouse: Warehouse) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_often, args=(warehouse.database, f"c{number}"))
        for number in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert {corpus for corpus, _ in warehouse.receipts()} == {"c0", "c1", "c2"}


def test_duckdb_is_started_once_and_again_after_an_error(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    start = connection._started
    monkeypatch.setattr(
        connection, "_started", lambda file, config: started.append(file) or start(file, config)
    )
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    for _ in range(3):
        warehouse.read("student_labels", "c")
        warehouse.query("from student_labels")
        warehouse.replace("student_labels", "c", labels("q2"), input_hash=HASH)
    assert started == [Path(warehouse.database)] * 2  # for writing, and for reading
    with pytest.raises(WarehouseError):
        warehouse.query("nonsense")
    assert warehouse.read("student_labels", "c")["query_id"].to_list() == ["q2"]
    assert len(started) == 3


def test_the_file_is_closed_between_two_accesses(warehouse: Warehouse) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    with warehouse.get_connection() as con:
        con.execute("create temp table mine as select 1")
        con.execute("begin; delete from student_labels")  # and no commit
    assert not Path(f"{warehouse.database}.wal").exists()
    with duckdb.connect(warehouse.database) as other:  # no file is open twice in a process
        assert other.execute("select count(*) from student_labels").fetchone() == (1,)
        with pytest.raises(WarehouseError, match="open in this program too"):
            warehouse.read("student_labels", "c")
    with warehouse.get_connection() as con, pytest.raises(duckdb.CatalogException):
        con.execute("from mine")


def test_more_files_than_are_kept_ready(tmp_path: Path) -> None:
    warehouses = [Warehouse.at(tmp_path / f"{number}" / "w.duckdb") for number in range(6)]
    for _ in range(2):
        for warehouse in warehouses:
            warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    assert len(connection._IDLE) <= connection._MOST_IDLE
    assert [warehouse.read("student_labels", "c").height for warehouse in warehouses] == [1] * 6


def test_a_file_behind_a_link_and_with_a_quote_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "Ana's home").mkdir()
    (tmp_path / "link").symlink_to("Ana's home")
    warehouse = Warehouse.at(tmp_path / "link" / "warehouse.duckdb")
    for query in ("q1", "q2"):
        warehouse.replace("student_labels", "c", labels(query), input_hash=HASH)
    assert warehouse.read("student_labels", "c")["query_id"].to_list() == ["q2"]
    assert (tmp_path / "Ana's home" / "warehouse.duckdb").is_file()


@pytest.mark.parametrize(
    "statement",
    [
        "delete from student_labels",
        "create table t (a int)",
        "copy labels to 'x.csv'",
        "select * from read_csv('/etc/hosts')",
        "nonsense",
    ],
)
def test_a_query_cannot_write_or_leave_the_file(warehouse: Warehouse, statement: str) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    with pytest.raises(WarehouseError):
        warehouse.query(statement)
    assert warehouse.query("select count(*) as n from student_labels")["n"].to_list() == [1]


def test_a_query_before_the_first_run_says_what_to_do(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="relabel run"):
        warehouse.query("select 1")


def test_a_damaged_file_is_an_error_and_stays_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(WarehouseError, match="damaged"):
        Warehouse.at(path).receipts()
    assert path.read_bytes().startswith(b"not a database")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"DUCK",
        b"a text" * 1000,
        b"SQLite format 3\0" + bytes(5000),
        b"PAR1" + bytes(5000),
        bytes(5000),
    ],
)
def test_a_file_that_is_no_duckdb_file_is_refused_by_its_first_bytes(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(content)
    for access in (Warehouse.at(path).receipts, lambda: Warehouse.at(path).query("select 1")):
        with pytest.raises(WarehouseError, match=r"is no DuckDB file.*restore a backup"):
            access()
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["warehouse.duckdb", "warehouse.duckdb.wal", "labels.duckdb"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to nothing"])
def test_a_pipe_a_folder_or_a_device_is_refused_without_waiting(
    warehouse: Warehouse, name: str, kind: str
) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    path = Path(warehouse.database).with_name(name)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "/nowhere/x")
    if (name, kind) == ("labels.duckdb", "link to nothing"):
        assert warehouse.read_replica("from labels").height == 1  # of the warehouse itself
        return
    with pytest.raises(WarehouseError, match=r"is no regular file|is a link to nothing"):
        warehouse.read_replica("select 1") if name == "labels.duckdb" else warehouse.receipts()


def test_a_view_in_a_foreign_file_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(f"create view outside as select * from read_csv('{tmp_path}/secret.csv')")
    warehouse = Warehouse.at(path)
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    for read in (warehouse.query, warehouse.read_replica):
        with pytest.raises(WarehouseError, match="disabled by configuration"):
            read("from outside")


@pytest.mark.parametrize(
    "statement",
    ["copy seed_docs to '{file}'", "from '{file}'", "attach '{file}' as x", "load httpfs"],
)
def test_the_writing_connection_reaches_no_other_file(
    warehouse: Warehouse, tmp_path: Path, statement: str
) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    file = tmp_path / "x.csv"
    with warehouse.get_connection() as con:
        with pytest.raises(duckdb.Error):
            con.execute(statement.format(file=file))
        with pytest.raises(duckdb.Error, match="locked"):
            con.execute("set enable_external_access = true")
    assert not file.exists()


def test_the_writing_connection_spills_to_the_disk(tmp_path: Path) -> None:
    warehouse = Warehouse(
        database=str(tmp_path / "warehouse.duckdb"),
        connection_config={"memory_limit": "150MB", "threads": 1},
    )
    with warehouse.get_connection() as con:
        query = "select range, md5(range::varchar) as hash from range(4000000) order by hash"
        con.execute(f"create table spilled as {query}")
        assert con.execute("select count(*) from spilled").fetchone() == (4_000_000,)
