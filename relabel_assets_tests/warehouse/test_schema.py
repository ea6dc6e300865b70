"""Tables, checks and views of the warehouse file, and upgrades of files of earlier versions."""

import hashlib
import re
from pathlib import Path

import duckdb
import polars as pl
import pytest

from relabel_assets.benchmark.labelers import LABELERS
from relabel_assets.errors import WarehouseError
from relabel_assets.tables.tables import KEPT_BY_WAREHOUSE, TABLES
from relabel_assets.warehouse.schema import upgrade_schema, view_names
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.warehouse.rows import EARLIER, HASH, labels

pytestmark = pytest.mark.slow


def test_every_column_has_its_description_and_every_view_runs(warehouse: Warehouse) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    comments = warehouse.query(
        "select table_name, column_name, comment from duckdb_columns() "
        "where not internal and schema_name = 'main'"
    )
    for table in (*TABLES.values(), *KEPT_BY_WAREHOUSE):
        stored = comments.filter(pl.col("table_name") == table.name)
        assert dict(stored.select("column_name", "comment").iter_rows()) == {
            name: column.description for name, column in table.schema.columns().items()
        }
    for view in view_names():
        warehouse.query(f"select * from {view}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "create table seed_docs (corpus varchar, doc_id varchar)",
            "table seed_docs has no body, content_hash",
        ),
        ("alter table labels_of_tomorrow add column mood varchar", "later version"),
        ("create view seed_docs as select 'c' as corpus", "has the view seed_docs"),
        ("create macro string_agg(x) as 'x'", "has the macro string_agg"),
        ("create macro json_each(x) as table select 1", "has the macro json_each"),
        (
            "alter table labels_of_tomorrow alter grade type varchar",
            "grade of table student_labels is VARCHAR",
        ),
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
    """The files that upgrade_schema was called with, in order."""
    files: list[str] = []

    def counted(con: duckdb.DuckDBPyConnection, database: str) -> bool:
        files.append(database)
        return upgrade_schema(con, database)

    monkeypatch.setattr("relabel_assets.warehouse.upgraded.upgrade_schema", counted)
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
        known = {
            name for (name,) in con.execute("select table_name from duckdb_tables()").fetchall()
        }
    receipt = warehouse.receipt("teacher_labels", "tiny")
    assert (receipt.run_id, receipt.inputs) == ("run-2", None)  # type: ignore[union-attr]
    for name in TABLES:
        assert warehouse.read(name, "tiny").height == (1 if name in known else 0), name
    for view in view_names():
        warehouse.query(f"select * from {view}")
    lineage = warehouse.query(
        "select distinct run_id, document_hash from label_lineage where labeler = 'teacher'"
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
    """Replace the check of `column` by that of a version that allowed other `values`."""
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
    """After a change of columns: store the old tables in `earlier/`, then renew this hash."""
    columns = sorted(
        f"{table.name}.{name} {column.dtype} {column.nullable}"
        for table in (*TABLES.values(), *KEPT_BY_WAREHOUSE)
        for name, column in table.schema.columns().items()
    )
    assert hashlib.sha256("\n".join(columns).encode()).hexdigest()[:16] == "b6adfb2eb4b984dd"


def test_a_benchmark_of_before_cascades_is_kept_and_a_new_one_has_them(
    warehouse: Warehouse,
) -> None:
    Path(warehouse.database).parent.mkdir()
    before = next(file for file in EARLIER if file.stem.endswith("until-cascades"))
    with duckdb.connect(warehouse.database) as con:
        con.execute(before.read_text())
    rows = warehouse.read("benchmark_report", "tiny")
    assert rows["labeler"].to_list() == ["student"]
    cascades = pl.concat(
        rows.with_columns(labeler=pl.lit(labeler).cast(rows["labeler"].dtype))
        for labeler in LABELERS
    )
    warehouse.replace("benchmark_report", "tiny", cascades, input_hash=HASH)
    stored = warehouse.query("select labeler from latest_benchmark")["labeler"]
    assert set(stored) == set(LABELERS)
