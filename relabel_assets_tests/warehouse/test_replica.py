"""The copies that readers open, and the twenty queries of docs/sql.md."""

import os
import re
import threading
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from relabel_assets.errors import WarehouseError
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.replica import PARQUET, REPLICA, copy_file
from relabel_assets.warehouse.schema import view_names
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
# In `tiny` no query only gets labels, and no person was asked for grades.
NOBODY_ASKED = ("asked_labels", "review_samples", "imported_labels")
MAY_BE_EMPTY = ("status <> 'ok'", "relevant_documents = 0", "rank is null", "not in (select")


def test_there_are_twenty_queries() -> None:
    assert len(QUERIES) == 20


@pytest.mark.parametrize("query", QUERIES)
def test_a_worked_query_runs(finished_home: Path, query: str) -> None:
    rows = Warehouse.at(finished_home / "warehouse.duckdb").read_replica(query)
    assert rows.width > 0
    assert rows.height > 0 or any(words in query for words in MAY_BE_EMPTY)


def test_the_copies_equal_the_warehouse(finished_home: Path) -> None:
    warehouse = Warehouse.at(finished_home / "warehouse.duckdb")
    for table in TABLES:
        rows = warehouse.query(f"select * from {table} order by all")
        assert rows.height or table in NOBODY_ASKED
        assert warehouse.read_replica(f"select * from {table} order by all").equals(rows)
        files = pl.read_parquet(
            finished_home / PARQUET / table / "**" / "*.parquet", hive_partitioning=True
        )
        assert files.height == rows.height
        assert set(files.columns) == set(rows.columns)


def documents(n: int, words: int = 1) -> pl.DataFrame:
    bodies = [f"{number} " + "word " * words for number in range(n)]
    rows = pl.DataFrame(
        {"doc_id": [f"d{number:05}" for number in range(n)], "title": "t", "body": bodies}
    )
    absent = [
        name
        for name in TABLES["seed_docs"].schema.column_names()
        if name not in (*rows.columns, "corpus")
    ]
    return rows.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).with_columns(
        content_hash=pl.lit("0" * 64)
    )


# DuckDB reads the three header blocks of a file, opens it again by its name, and reads the rest.
HEADER = 3 * 4096
SUMMARY = "select count(distinct body), sum(length(body)) from seed_docs"


def read_while_replaced(folder: Path, before: bytes, after: bytes) -> list[tuple[Any, ...]]:
    """The summary that a reader computes from the headers of `before` and the blocks of `after`."""
    file = folder / "read.duckdb"
    file.write_bytes(before[:HEADER] + after[HEADER:])
    with duckdb.connect(str(file), read_only=True) as con:
        return con.execute(SUMMARY).fetchall()


def test_replacing_the_replica_does_not_break_a_reader_that_is_opening_it(tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    before = b""
    expected: list[tuple[Any, ...]] = []
    n_shorter = 0
    for n in (900, 5, 300, 4000, 5, 60, 2000, 5, 5, 900):
        warehouse.replace("seed_docs", "tiny", documents(n, words=80), input_hash="0" * 64)
        n_shorter += Path(warehouse.database).stat().st_size < len(before)
        after = warehouse.replica.read_bytes()
        if before:
            assert read_while_replaced(tmp_path, before, after) == expected
        expected = warehouse.read_replica(SUMMARY).rows()
        before = after
    assert n_shorter  # else no copy was shorter than the one before it


def test_a_backup_between_two_writes_does_not_break_a_reader_that_is_opening_the_replica(
    tmp_path: Path,
) -> None:
    # A second checkpoint between two copies would overwrite blocks that the reader's header names.
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    warehouse.replace("seed_docs", "tiny", documents(900, words=80), input_hash="0" * 64)
    for n in (300, 5, 2000, 60):
        before, expected = warehouse.replica.read_bytes(), warehouse.read_replica(SUMMARY).rows()
        warehouse.copy_to(tmp_path / "backup.duckdb")
        warehouse.replace("seed_docs", "tiny", documents(n, words=80), input_hash="0" * 64)
        warehouse.copy_to(tmp_path / "backup.duckdb")
        assert read_while_replaced(tmp_path, before, warehouse.replica.read_bytes()) == expected


def test_a_reader_keeps_the_copy_that_it_opened(tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    warehouse.replace("seed_docs", "tiny", documents(900, words=80), input_hash="0" * 64)
    with duckdb.connect(str(warehouse.replica), read_only=True) as con:
        for n in (5, 2000, 60):
            warehouse.replace("seed_docs", "tiny", documents(n, words=80), input_hash="0" * 64)
            assert (
                con.execute("select count(*), sum(length(body)) from seed_docs").fetchall()[0][0]
                == 900
            )


def test_a_replica_without_current_views_is_replaced_on_the_next_read(
    tmp_path: Path,
) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    warehouse.replace("seed_docs", "tiny", documents(5), input_hash="0" * 64)
    for file in (warehouse.database, warehouse.replica):
        with duckdb.connect(str(file)) as con:
            con.execute("drop view labels")
    warehouse.receipts()
    assert warehouse.read_replica("select count(*) from labels").item() == 0


def test_a_moved_home_is_readable_and_writable(tmp_path: Path) -> None:
    Warehouse.at(tmp_path / "old" / "warehouse.duckdb").replace(
        "seed_docs", "tiny", documents(5), input_hash="0" * 64
    )
    (tmp_path / "old").rename(tmp_path / "new")
    warehouse = Warehouse.at(tmp_path / "new" / "warehouse.duckdb")
    assert warehouse.read_replica("select count(*) from seed_docs").item() == 5
    warehouse.replace("seed_docs", "tiny", documents(6), input_hash="0" * 64)
    assert warehouse.read_replica("select count(*) from seed_docs").item() == 6
    assert not (tmp_path / "old").exists()


@pytest.mark.parametrize(
    "refusal", [None, OSError(95, "Operation not supported"), AttributeError("macOS")]
)
def test_a_file_is_copied_whole_without_kernel_support(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception | None
) -> None:
    def refuse(*_: object) -> int:
        assert refusal is not None
        raise refusal

    if refusal is not None:
        monkeypatch.setattr("os.copy_file_range", refuse)
    (tmp_path / "source").write_bytes(os.urandom(3_000_001))
    (tmp_path / "target").write_bytes(b"longer" * 1_000_000)
    copy_file(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == (tmp_path / "source").read_bytes()


def test_readers_neither_wait_nor_fail_while_the_warehouse_is_written(tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    rows = documents(50)
    warehouse.replace("seed_docs", "tiny", rows, input_hash="0" * 64)
    is_done = threading.Event()
    counts: list[int] = []
    errors: list[duckdb.Error] = []

    def read() -> None:
        while not is_done.is_set():
            try:
                con = duckdb.connect(str(tmp_path / REPLICA), read_only=True)
                counts.append(con.execute("select count(*) from seed_docs").fetchall()[0][0])
                con.close()
            except duckdb.Error as error:
                errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(20):
        warehouse.replace("seed_docs", "tiny", rows.head(50 - n % 2), input_hash="0" * 64)
    is_done.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert set(counts) <= {49, 50}
    assert len(counts) > 3
    assert not list(tmp_path.glob(".*.half"))


def test_a_copy_that_fails_costs_no_rows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    (tmp_path / REPLICA).mkdir()  # nothing can be renamed to where a folder is
    (tmp_path / REPLICA / "x").touch()
    empty = warehouse.read("seed_docs", "tiny")
    receipt = warehouse.replace("seed_docs", "tiny", empty, input_hash="0" * 64)
    assert warehouse.receipt("seed_docs", "tiny") == receipt
    assert "behind the warehouse" in caplog.text


def test_sql_writes_files_and_refuses_contradicting_formats(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(finished_home))
    query = "select doc_id, grade_probs from student_labels order by all"
    expected = Warehouse.at(finished_home / "warehouse.duckdb").read_replica(query)
    for ending in ("parquet", "csv", "jsonl"):
        assert relabel("sql", query, "--out", str(tmp_path / f"x.{ending}")).returncode == 0
    assert pl.read_parquet(tmp_path / "x.parquet").equals(expected)
    assert (
        pl.read_csv(tmp_path / "x.csv").height
        == pl.read_ndjson(tmp_path / "x.jsonl").height
        == expected.height
    )
    for wrong in (
        ["--format", "parquet"],
        ["--out", "x.txt"],
        ["-f", "xml"],
        ["-f", "table", "--out", "x.csv"],
    ):
        refused = relabel("sql", query, *wrong)
        assert refused.returncode == 4
        assert "error:" in refused.stderr
    below_a_file = tmp_path / "x.csv" / "y.csv"
    assert relabel("sql", query, "--out", str(below_a_file)).returncode == 4
    with pytest.raises(WarehouseError):
        Warehouse.at(finished_home / "warehouse.duckdb").read_replica("delete from seed_docs")


@pytest.mark.parametrize(
    "attempt",
    [
        "insert into seed_docs select * from seed_docs",
        "select 1; drop table seed_docs",
        "create view mine as select 1",
        "copy labels to '{file}'",
        "export database '{file}'",
        "attach '{file}' as other",
        "select * from read_text('/etc/hostname')",
        "copy seed_docs from '/etc/hostname'",
        "install httpfs",
        "set enable_external_access = true",
        "set access_mode = 'READ_WRITE'",
    ],
)
def test_sql_reads_labels_and_nothing_else(
    finished_home: Path, tmp_path: Path, attempt: str
) -> None:
    warehouse = Warehouse.at(finished_home / "warehouse.duckdb")
    before = warehouse.replica.read_bytes()
    with pytest.raises(WarehouseError):
        warehouse.read_replica(attempt.format(file=tmp_path / "x.duckdb"))
    assert list(tmp_path.iterdir()) == [] and warehouse.replica.read_bytes() == before


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("drop view labels", "can only read the labels"),
        ("select * from labls", 'Did you mean "labels"?'),
        ("select interval 1 day", "Cast it to varchar"),
        ("select 'x'::blob as bytes", "column bytes is BLOB"),
        (" ", "the query is empty"),
    ],
)
def test_sql_that_cannot_be_run_ends_with_an_error_message(
    finished_home: Path, monkeypatch: pytest.MonkeyPatch, query: str, message: str
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(finished_home))
    done = relabel("sql", query)
    assert done.returncode in (4, 6) and message in done.stderr and "Traceback" not in done.stderr


def test_sql_without_a_query_lists_tables_and_a_pipe_gets_wide_rows_as_lines(
    finished_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(finished_home))
    listed = relabel("sql", "--format", "csv").stdout
    assert {line.split(",")[0] for line in listed.splitlines()} >= {*TABLES, *view_names()}
    wide = relabel("sql", "select * from latest_benchmark where labeler = 'teacher'").stdout
    names, values = wide.splitlines()
    assert len(names.split()) == len(values.split()) and "kappa_quadratic" in names
    assert "row 1" not in relabel("sql", "select labeler, kappa from latest_benchmark").stdout
