"""The warehouse on a real DuckDB file: partitions are replaced whole, by name, under one lock."""

import hashlib
import multiprocessing
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from relabel_assets.errors import ContractError, WarehouseError
from relabel_assets.tables.tables import GRADE_HISTORY, MATERIALIZATIONS, TABLES
from relabel_assets.warehouse.receipt import content_hash
from relabel_assets.warehouse.schema import upgrade_schema, view_names
from relabel_assets.warehouse.warehouse import Warehouse

HASH = "0" * 64
EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.sql"))


def labels(*queries: str, grade: int = 2) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "query_id": list(queries),
            "doc_id": ["d"] * len(queries),
            "grade": [grade] * len(queries),
            "expected_grade": [float(grade)] * len(queries),
            "grade_probs": [[0.0, 0.0, 1.0, 0.0]] * len(queries),
            "model_id": ["m"] * len(queries),
        }
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.at(tmp_path / "home" / "warehouse.duckdb")


def test_a_partition_is_replaced_and_its_neighbours_are_kept(warehouse: Warehouse) -> None:
    warehouse.replace("student_labels", "one", labels("q1", "q2"), input_hash=HASH)
    warehouse.replace("student_labels", "two", labels("q9"), input_hash=HASH)
    warehouse.replace("student_labels", "one", labels("q3"), input_hash=HASH)
    assert warehouse.read("student_labels", "one")["query_id"].to_list() == ["q3"]
    assert warehouse.read("student_labels", "two")["query_id"].to_list() == ["q9"]


def test_columns_are_stored_by_name_and_not_by_position(warehouse: Warehouse) -> None:
    frame = labels("q1").select(
        "model_id", "grade_probs", "doc_id", "expected_grade", "grade", "query_id"
    )
    warehouse.replace("student_labels", "c", frame, input_hash=HASH)
    assert warehouse.read("student_labels", "c").row(0, named=True)["model_id"] == "m"


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        (lambda frame: frame.with_columns(grade=pl.lit(11)), "grade"),
        (lambda frame: frame.with_columns(grade=pl.lit(None, pl.Int8)), "grade"),
        (lambda frame: pl.concat([frame, frame]), "primary_key"),
        (lambda frame: frame.drop("model_id"), "model_id"),
        (lambda frame: frame.with_columns(score=1), "score"),
        (lambda frame: frame.with_columns(grade_probs=pl.lit([2.0])), "grade_probs"),
        (lambda frame: frame.with_columns(grade=pl.lit("two")), "grade"),
    ],
)
def test_a_broken_contract_is_refused_and_the_old_rows_are_kept(
    warehouse: Warehouse, change: Callable[[pl.DataFrame], pl.DataFrame], culprit: str
) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    with pytest.raises(ContractError, match=culprit):
        warehouse.replace("student_labels", "c", change(labels("q2")), input_hash=HASH)
    assert warehouse.read("student_labels", "c")["query_id"].to_list() == ["q1"]


def test_a_failure_between_delete_and_insert_keeps_rows_receipt_and_history(
    warehouse: Warehouse,
) -> None:
    receipt = warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    with duckdb.connect(
        warehouse.database
    ) as con:  # DuckDB refuses rows that satisfy the declaration
        con.execute("create unique index one_pair_a_model on student_labels (model_id)")
    with pytest.raises(WarehouseError, match="old rows were kept"):
        warehouse.replace("student_labels", "c", labels("q2", "q3"), input_hash=HASH)
    assert warehouse.read("student_labels", "c")["query_id"].to_list() == ["q1"]
    assert warehouse.receipt("student_labels", "c") == receipt
    assert warehouse.query("select query_id from grade_history").rows() == [("q1",)]
    assert warehouse.read_replica("select query_id from student_labels").rows() == [("q1",)]


def test_a_killed_write_keeps_the_old_rows(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    script = textwrap.dedent(f"""
        import os, signal
        from relabel_assets.warehouse.warehouse import Warehouse
        with Warehouse(database={warehouse.database!r}).get_connection() as con:
            con.begin()
            con.execute("delete from student_labels where corpus = 'c'")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert warehouse.read("student_labels", "c")["query_id"].to_list() == ["q1"]


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


def test_the_content_hash_ignores_the_order_of_rows_and_depends_on_grades(
    warehouse: Warehouse,
) -> None:
    one = warehouse.replace("student_labels", "c", labels("q1", "q2"), input_hash=HASH)
    two = warehouse.replace("student_labels", "c", labels("q2", "q1"), input_hash=HASH)
    three = warehouse.replace("student_labels", "c", labels("q1", "q2", grade=1), input_hash=HASH)
    assert one.content_hash == two.content_hash != three.content_hash


def test_the_content_hash_ignores_volatile_columns_alone() -> None:
    with duckdb.connect() as con:
        con.execute(EARLIER[-1].read_text())
        rows = con.sql("select * from teacher_labels").pl()
    table = TABLES["teacher_labels"]
    original_hash = content_hash(table, rows)
    volatile = {name: pl.lit(None, rows.schema[name]) for name in ("latency_s", "labeled_at")}
    assert content_hash(table, rows.with_columns(**volatile)) == original_hash
    assert set(table.schema.column_names()) - set(table.stable_columns) == set(volatile)
    for name in table.stable_columns:
        is_text = rows.schema[name] == pl.String
        other_value = pl.lit("other") if is_text else pl.lit(None, rows.schema[name])
        changed = rows.with_columns(other_value.alias(name))
        if not changed.equals(rows):
            assert content_hash(table, changed) != original_hash, name


def test_batches_are_the_table_in_order(warehouse: Warehouse) -> None:
    ids = [f"d{number}" for number in range(7)]
    empty = [
        pl.lit(None, pl.String).alias(name)
        for name in ("title", "author", "path", "updated_at", "doc_type")
    ]
    documents = pl.DataFrame({"doc_id": ids, "body": "text", "content_hash": HASH}).with_columns(
        empty
    )
    warehouse.replace("seed_docs", "c", documents, input_hash=HASH)
    batches = list(warehouse.read_batches("seed_docs", "c", size=3))
    assert [batch.height for batch in batches] == [3, 3, 1]
    assert pl.concat(batches).equals(warehouse.read("seed_docs", "c"))


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


def test_every_column_has_its_description_and_every_view_runs(warehouse: Warehouse) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    comments = warehouse.query(
        "select table_name, column_name, comment from duckdb_columns() "
        "where not internal and schema_name = 'main'"
    )
    for table in (*TABLES.values(), MATERIALIZATIONS, GRADE_HISTORY):
        stored = comments.filter(pl.col("table_name") == table.name)
        assert dict(stored.select("column_name", "comment").iter_rows()) == {
            name: column.description for name, column in table.schema.columns().items()
        }
    for view in view_names():
        warehouse.query(f"select * from {view}")


def test_a_damaged_file_is_an_error_and_stays_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(WarehouseError, match="damaged"):
        Warehouse.at(path).receipts()
    assert path.read_bytes().startswith(b"not a database")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "create table seed_docs (corpus varchar, doc_id varchar)",
            "table seed_docs has no body, content_hash",
        ),
        ("alter table labels_of_tomorrow add column mood varchar", "later version"),
    ],
)
def test_a_file_of_an_unknown_version_is_refused_unchanged(
    warehouse: Warehouse, change: str, message: str
) -> None:
    if "alter" in change:
        warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
        with duckdb.connect(warehouse.database) as con:
            for view in view_names():
                con.execute(f"drop view {view}")
            con.execute(change.replace("labels_of_tomorrow", "student_labels"))
    else:
        Path(warehouse.database).parent.mkdir()
        with duckdb.connect(warehouse.database) as con:
            con.execute(change)
    before = Path(warehouse.database).read_bytes()
    with pytest.raises(WarehouseError, match=message):
        warehouse.receipts()
    with pytest.raises(WarehouseError, match=message):
        warehouse.replace("student_labels", "c", labels("q2"), input_hash=HASH)
    assert Path(warehouse.database).read_bytes() == before


@pytest.fixture
def upgrades(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose tables and views were looked through, one entry each time."""
    files: list[str] = []

    def counted(con: duckdb.DuckDBPyConnection, database: str) -> bool:
        files.append(database)
        return upgrade_schema(con, database)

    monkeypatch.setattr("relabel_assets.warehouse.warehouse.upgrade_schema", counted)
    return files


def test_the_schema_is_upgraded_once_per_process_and_file(
    warehouse: Warehouse, tmp_path: Path, upgrades: list[str]
) -> None:
    other = Warehouse.at(tmp_path / "other" / "warehouse.duckdb")
    for file in (warehouse, other):
        for query in ("q1", "q2"):
            file.replace("student_labels", "c", labels(query), input_hash=HASH)
            file.read("student_labels", "c")
            Warehouse.at(Path(file.database)).receipts()
    assert upgrades == [warehouse.database, other.database]


@pytest.mark.parametrize("change", ["replaced", "overwritten", "deleted", "moved away and back"])
def test_a_file_that_changed_outside_this_process_is_upgraded_again(
    warehouse: Warehouse, tmp_path: Path, upgrades: list[str], change: str
) -> None:
    file, older = Path(warehouse.database), tmp_path / "older.duckdb"
    with duckdb.connect(str(older)) as con:
        con.execute(EARLIER[0].read_text())
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    if change == "replaced":
        older.replace(file)
    elif change == "overwritten":
        file.write_bytes(older.read_bytes())
    elif change == "moved away and back":
        file.rename(tmp_path / "away")
        older.rename(file)
        warehouse.receipts()
        (tmp_path / "away").replace(file)
    else:
        file.unlink()
    n_before = len(upgrades)
    rows = warehouse.read("student_labels", "c" if change == "moved away and back" else "tiny")
    assert rows.height == (0 if change == "deleted" else 1)
    assert len(upgrades) == n_before + 1
    for view in view_names():
        warehouse.query(f"select * from {view}")


def test_a_failed_upgrade_is_tried_again(warehouse: Warehouse, upgrades: list[str]) -> None:
    Path(warehouse.database).parent.mkdir()
    with duckdb.connect(warehouse.database) as con:
        con.execute("create table seed_docs (corpus varchar)")
    for _ in range(2):
        with pytest.raises(WarehouseError, match="has no doc_id"):
            warehouse.receipts()
    assert len(upgrades) == 2


def test_a_view_of_an_earlier_version_is_replaced(warehouse: Warehouse) -> None:
    warehouse.replace("student_labels", "one", labels("q1"), input_hash=HASH)
    with duckdb.connect(warehouse.database) as con:
        con.execute("create or replace view labels as select 'old' as labeler")
        con.execute("comment on view labels is 'every label [00000000]'")
    warehouse.replace("student_labels", "one", labels("q2"), input_hash=HASH)
    assert warehouse.query("select query_id from labels")["query_id"].to_list() == ["q2"]


@pytest.mark.parametrize("file", EARLIER, ids=lambda file: file.stem)
def test_a_warehouse_of_an_earlier_version_is_upgraded_without_losing_a_row(
    warehouse: Warehouse, file: Path
) -> None:
    Path(warehouse.database).parent.mkdir()
    with duckdb.connect(warehouse.database) as con:
        con.execute(file.read_text())
    receipt = warehouse.receipt("teacher_labels", "tiny")
    assert (receipt.run_id, receipt.inputs) == ("run-2", None)  # type: ignore[union-attr]
    for name in TABLES:
        assert warehouse.read(name, "tiny").height == 1, name
    for view in view_names():
        warehouse.query(f"select * from {view}")
    lineage = warehouse.query(
        "select run_id, document_hash from label_lineage where labeler = 'teacher'"
    )
    assert lineage.rows() == [("run-2", "a" * 64)]
    changed = warehouse.read("teacher_labels", "tiny").with_columns(grade=pl.lit(1, pl.Int8))
    warehouse.replace(
        "teacher_labels", "tiny", changed, input_hash=HASH, inputs="{}", run_id="run-9"
    )
    assert warehouse.query("select grade from grade_history where run_id = 'run-9'").item() == 1
    comments = warehouse.query(
        "select column_name, comment from duckdb_columns() where table_name = 'materializations'"
    )
    assert comments["comment"].null_count() == 0


def declared_before(file: str, table: str, column: str, values: str) -> None:
    """Give `column` of `table` the check of a version that allowed other `values`."""
    with duckdb.connect(file) as con:
        con.begin()
        (declared,) = con.execute(
            "select sql from duckdb_tables() where table_name = ?", [table]
        ).fetchone()  # type: ignore[misc]
        redeclared = re.sub(
            rf"CHECK\(\({column} IN \([^)]*\)\)\)", f"CHECK({column} IN ({values}))", declared
        )
        assert redeclared != declared
        con.execute(f"alter table {table} rename to kept")
        con.execute(redeclared)
        con.execute(f"insert into {table} by name select * from kept")
        con.execute("drop table kept")
        con.commit()


def test_a_column_that_allows_more_values_than_before_is_upgraded(warehouse: Warehouse) -> None:
    Path(warehouse.database).parent.mkdir()
    with duckdb.connect(warehouse.database) as con:
        con.execute(EARLIER[-1].read_text())
    warehouse.receipts()
    rows = warehouse.read("teacher_labels", "tiny")
    declared_before(warehouse.database, "teacher_labels", "status", f"'{rows['status'].item()}'")
    assert warehouse.read("teacher_labels", "tiny").equals(rows)
    refused = rows.with_columns(status=pl.lit("refused"), grade=pl.lit(None, pl.Int8))
    warehouse.replace("teacher_labels", "tiny", refused, input_hash=HASH)
    assert warehouse.read("teacher_labels", "tiny")["status"].to_list() == ["refused"]
    comment = (
        "select comment from duckdb_columns() "
        "where table_name = 'teacher_labels' and column_name = 'status'"
    )
    assert (
        warehouse.query(comment).item()
        == TABLES["teacher_labels"].schema.columns()["status"].description
    )
    for view in view_names():
        warehouse.query(f"select * from {view}")


def test_a_value_of_a_later_version_is_refused_and_stays_stored(
    warehouse: Warehouse,
) -> None:
    Path(warehouse.database).parent.mkdir()
    with duckdb.connect(warehouse.database) as con:
        con.execute(EARLIER[-1].read_text())
    warehouse.receipts()
    status = warehouse.read("teacher_labels", "tiny")["status"].item()
    declared_before(warehouse.database, "teacher_labels", "status", f"'{status}', 'pondered'")
    with duckdb.connect(warehouse.database) as con:
        con.execute("update teacher_labels set status = 'pondered'")
    with pytest.raises(WarehouseError, match="later version"):
        warehouse.read("teacher_labels", "tiny")
    with duckdb.connect(warehouse.database) as con:
        assert con.execute("select status from teacher_labels").fetchall() == [("pondered",)]


def test_the_declared_columns_are_those_of_the_newest_file_in_earlier(warehouse: Warehouse) -> None:
    """A change of a table's columns needs a file in `earlier/` of the tables as they were: then
    this test is changed too.
    """
    columns = sorted(
        f"{table.name}.{name} {column.dtype} {column.nullable}"
        for table in (*TABLES.values(), MATERIALIZATIONS, GRADE_HISTORY)
        for name, column in table.schema.columns().items()
    )
    assert hashlib.sha256("\n".join(columns).encode()).hexdigest()[:16] == "1a06098281f01644"


def test_grade_history_records_only_changed_grades(warehouse: Warehouse) -> None:
    warehouse.replace("student_labels", "one", labels("q1", "q2"), input_hash=HASH, run_id="first")
    warehouse.replace("student_labels", "one", labels("q1", "q2"), input_hash=HASH, run_id="second")
    mixed = pl.concat([labels("q1", grade=3), labels("q2", "q3")])
    warehouse.replace("student_labels", "one", mixed, input_hash=HASH, run_id="third")
    changes = warehouse.query("select query_id, grade_before, grade, run_id from grade_changes")
    assert changes.rows() == [("q1", 2, 3, "third")]
    assert warehouse.query("select count(*) as n from grade_history").item() == 4
    lineage = warehouse.query(
        "select query_id, run_id, graded_run_id, model from label_lineage order by query_id"
    )
    assert lineage.rows() == [
        ("q1", "third", "third", "m"),
        ("q2", "third", "first", "m"),
        ("q3", "third", "third", "m"),
    ]


def test_grade_history_records_a_new_pair_that_has_no_grade(warehouse: Warehouse) -> None:
    Path(warehouse.database).parent.mkdir()
    with duckdb.connect(warehouse.database) as con:
        con.execute(EARLIER[-1].read_text())
    rows = warehouse.read("teacher_labels", "tiny")
    refused = rows.with_columns(
        query_id=pl.lit("new"), status=pl.lit("refused"), grade=pl.lit(None, pl.Int8)
    )
    warehouse.replace("teacher_labels", "tiny", refused, input_hash=HASH, run_id="now")
    history = "select query_id, grade from grade_history where run_id = 'now'"
    assert warehouse.query(history).rows() == [("new", None)]


def test_lineage_joins_a_grade_with_its_prompts_runs_and_documents(warehouse: Warehouse) -> None:
    Path(warehouse.database).parent.mkdir()
    with duckdb.connect(warehouse.database) as con:
        con.execute(EARLIER[-1].read_text())
        con.execute(
            "update synthetic_queries set source = 'synthetic', teacher_model = "
            "'writer', prompt_hash = 'p'"
        )
    warehouse.receipts()
    row = warehouse.query("select * from label_lineage where labeler = 'student'").row(
        0, named=True
    )
    assert {
        name: row[name] for name in ("model", "prompt_hash", "document_hash", "training_set_hash")
    } == {
        "model": "m1",
        "prompt_hash": "a" * 64,
        "document_hash": "a" * 64,
        "training_set_hash": "a" * 64,
    }
    assert (row["query_source"], row["query_model"], row["query_prompt_hash"]) == (
        "synthetic",
        "writer",
        "p",
    )
    assert (row["graded_run_id"], row["student_run_id"], row["query_run_id"]) == (
        "run-3",
        "run-3",
        "run-1",
    )
