"""Connections to the warehouse file: one writer at a time, read-only queries, damaged files."""

import multiprocessing
from pathlib import Path

import pytest

from relabel_assets.errors import WarehouseError
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
