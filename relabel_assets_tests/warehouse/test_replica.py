"""What readers open: the replica and the Parquet files, after a real run; and the twenty queries of docs/sql.md."""

import re
import threading
from pathlib import Path

import duckdb
import polars as pl
import pytest

from relabel_assets.errors import WarehouseError
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.schema import view_names
from relabel_assets.warehouse.warehouse import PARQUET, REPLICA, Warehouse
from relabel_assets_tests.builders import relabel

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
MAY_BE_EMPTY = ("status <> 'ok'", "relevant_documents = 0", "rank is null", "not in (select")


def test_there_are_twenty_queries() -> None:
    assert len(QUERIES) == 20


@pytest.mark.parametrize("query", QUERIES)
def test_a_worked_query_runs(made: Path, query: str) -> None:
    found = Warehouse.at(made / "warehouse.duckdb").read_replica(query)
    assert found.width > 0
    assert found.height > 0 or any(words in query for words in MAY_BE_EMPTY)


def test_the_copies_hold_what_the_warehouse_holds(made: Path) -> None:
    warehouse = Warehouse.at(made / "warehouse.duckdb")
    for table in TABLES:
        rows = warehouse.query(f"select * from {table} order by all")
        assert rows.height
        assert warehouse.read_replica(f"select * from {table} order by all").equals(rows)
        files = pl.read_parquet(made / PARQUET / table / "**" / "*.parquet", hive_partitioning=True)
        assert files.height == rows.height
        assert set(files.columns) == set(rows.columns)


def documents(n: int, words: int = 1) -> pl.DataFrame:
    bodies = [f"{number} " + "word " * words for number in range(n)]
    rows = pl.DataFrame({"doc_id": [f"d{number:05}" for number in range(n)], "title": "t", "body": bodies})
    absent = [name for name in TABLES["seed_docs"].schema.column_names() if name not in (*rows.columns, "corpus")]
    return rows.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).with_columns(
        content_hash=pl.lit("0" * 64)
    )


def test_a_reader_between_whose_two_looks_the_copy_was_replaced_sees_the_old_one_whole(tmp_path: Path) -> None:
    # DuckDB reads the header, opens the file again by its name, and reads the rest of what is there then.
    warehouse, header, read = Warehouse.at(tmp_path / "warehouse.duckdb"), 3 * 4096, tmp_path / "read.duckdb"
    before, held, n_shorter = b"", None, 0
    for n in (900, 5, 300, 4000, 5, 60, 2000, 5, 5, 900):
        warehouse.replace("seed_docs", "tiny", documents(n, words=80), input_hash="0" * 64)
        n_shorter += Path(warehouse.database).stat().st_size < len(before)
        after = warehouse.replica.read_bytes()
        if before:
            read.write_bytes(before[:header] + after[header:])
            with duckdb.connect(str(read), read_only=True) as con:
                assert con.execute("select count(distinct body), sum(length(body)) from seed_docs").fetchall() == held
        held = warehouse.read_replica("select count(distinct body), sum(length(body)) from seed_docs").rows()
        before = after
    assert n_shorter


def test_readers_neither_wait_nor_fail_while_the_warehouse_is_written(tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    rows = documents(50)
    warehouse.replace("seed_docs", "tiny", rows, input_hash="0" * 64)
    is_done, seen, errors = threading.Event(), [], []

    def read() -> None:
        while not is_done.is_set():
            try:
                con = duckdb.connect(str(tmp_path / REPLICA), read_only=True)
                seen.append(con.execute("select count(*) from seed_docs").fetchone()[0])
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
    assert set(seen) <= {49, 50}
    assert len(seen) > 3
    assert not list(tmp_path.glob(".*.half"))


def test_a_copy_that_cannot_be_made_costs_no_rows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    (tmp_path / REPLICA).mkdir()  # nothing can be renamed to where a folder is
    (tmp_path / REPLICA / "x").touch()
    empty = warehouse.read("seed_docs", "tiny")
    receipt = warehouse.replace("seed_docs", "tiny", empty, input_hash="0" * 64)
    assert warehouse.receipt("seed_docs", "tiny") == receipt
    assert "behind the warehouse" in caplog.text


def test_sql_writes_files_and_refuses_what_does_not_fit(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(made))
    query = "select doc_id, grade_probs from student_labels order by all"
    expected = Warehouse.at(made / "warehouse.duckdb").read_replica(query)
    for ending in ("parquet", "csv", "jsonl"):
        assert relabel("sql", query, "--out", str(tmp_path / f"x.{ending}")).returncode == 0
    assert pl.read_parquet(tmp_path / "x.parquet").equals(expected)
    assert pl.read_csv(tmp_path / "x.csv").height == pl.read_ndjson(tmp_path / "x.jsonl").height == expected.height
    for wrong in (["--format", "parquet"], ["--out", "x.txt"], ["-f", "xml"], ["-f", "table", "--out", "x.csv"]):
        refused = relabel("sql", query, *wrong)
        assert refused.returncode == 4
        assert "error:" in refused.stderr
    assert relabel("sql", query, "--out", str(tmp_path / "no" / "x.csv")).returncode == 4
    with pytest.raises(WarehouseError):
        Warehouse.at(made / "warehouse.duckdb").read_replica("delete from seed_docs")


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
def test_sql_reads_labels_and_nothing_else(made: Path, tmp_path: Path, attempt: str) -> None:
    warehouse = Warehouse.at(made / "warehouse.duckdb")
    before = warehouse.replica.read_bytes()
    with pytest.raises(WarehouseError):
        warehouse.read_replica(attempt.format(file=tmp_path / "x.duckdb"))
    assert list(tmp_path.iterdir()) == [] and warehouse.replica.read_bytes() == before


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("drop view labels", "reads the labels and nothing else"),
        ("select * from labls", 'Did you mean "labels"?'),
        ("select interval 1 day", "cast it to varchar"),
        ("select 'x'::blob as bytes", "column bytes is binary"),
        (" ", "there is no SQL to run"),
    ],
)
def test_sql_that_cannot_be_run_ends_in_a_message(
    made: Path, monkeypatch: pytest.MonkeyPatch, query: str, said: str
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(made))
    done = relabel("sql", query)
    assert done.returncode in (4, 6) and said in done.stderr and "Traceback" not in done.stderr


def test_sql_lists_what_there_is_and_turns_rows_that_are_too_wide(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(made))
    listed = relabel("sql", "--format", "csv").stdout
    assert {line.split(",")[0] for line in listed.splitlines()} >= {*TABLES, *view_names()}
    wide = relabel("sql", "select * from latest_benchmark where labeler = 'teacher'").stdout
    assert wide.startswith("row 1") and "kappa_quadratic  1" in wide
    assert "row 1" not in relabel("sql", "select labeler, kappa from latest_benchmark").stdout
