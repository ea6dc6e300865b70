"""Replacing a partition: all rows or none, its receipt and the grade history."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from relabel_assets.errors import ContractError, Problem, WarehouseError
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.warehouse.rows import EARLIER, HASH, labels

pytestmark = pytest.mark.slow


def test_a_partition_is_replaced_and_its_neighbours_are_kept(warehouse: Warehouse) -> None:
    warehouse.replace("student_labels", "one", labels("q1", "q2"), input_hash=HASH)
    warehouse.replace("student_labels", "two", labels("q9"), input_hash=HASH)
    warehouse.replace("student_labels", "one", labels("q3"), input_hash=HASH)
    assert warehouse.read("student_labels", "one")["query_id"].to_list() == ["q3"]
    assert warehouse.read("student_labels", "two")["query_id"].to_list() == ["q9"]


def test_columns_are_stored_by_name_and_not_by_position(warehouse: Warehouse) -> None:
    frame = labels("q1").select(
        "latency_s", "model_id", "grade_probs", "doc_id", "expected_grade", "grade", "query_id"
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
    # With this index DuckDB refuses rows that satisfy the declaration.
    with duckdb.connect(warehouse.database) as con:
        con.execute("create unique index one_pair_a_model on student_labels (model_id)")
    with pytest.raises(WarehouseError, match="old rows were kept"):
        warehouse.replace("student_labels", "c", labels("q2", "q3"), input_hash=HASH)
    assert warehouse.read("student_labels", "c")["query_id"].to_list() == ["q1"]
    assert warehouse.receipt("student_labels", "c") == receipt
    assert warehouse.query("select query_id from grade_history").rows() == [("q1",)]
    assert warehouse.read_replica("select query_id from student_labels").rows() == [("q1",)]


def test_inputs_that_were_set_aside_are_rows_that_are_replaced_with_their_table(
    warehouse: Warehouse,
) -> None:
    first = [Problem("queries.jsonl", 3, "it has no text", "Add one."), Problem("a", None, "b", "")]
    for corpus in ("one", "two"):
        warehouse.replace("student_labels", corpus, labels("q1"), input_hash=HASH, problems=first)
    odd = Problem("caf\udce9\0.md", None, "lone \ud800", "Rename it.")
    receipt = warehouse.replace(
        "student_labels", "one", labels("q1"), input_hash=HASH, problems=[odd]
    )
    assert receipt.n_set_aside == 1
    rows = warehouse.read_replica("select * from set_aside order by corpus, number").rows()
    assert rows == [
        ("one", "student_labels", 1, r"caf\xe9\x00.md", None, r"lone \ud800", "Rename it."),
        ("two", "student_labels", 1, "queries.jsonl", 3, "it has no text", "Add one."),
        ("two", "student_labels", 2, "a", None, "b", ""),
    ]
    warehouse.replace("student_labels", "two", labels("q1"), input_hash=HASH)
    assert warehouse.query("select distinct corpus from set_aside").rows() == [("one",)]


def test_a_write_that_fails_keeps_what_was_set_aside_before(warehouse: Warehouse) -> None:
    problem = Problem("a.md", None, "empty", "Fill it.")
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH, problems=[problem])
    with duckdb.connect(warehouse.database) as con:
        con.execute("create unique index one_input on set_aside (message)")
    with pytest.raises(WarehouseError, match="old rows were kept"):
        warehouse.replace(
            "student_labels", "c", labels("q2"), input_hash=HASH, problems=[problem] * 2
        )
    assert warehouse.read("student_labels", "c")["query_id"].to_list() == ["q1"]
    assert warehouse.query("select count(*) from set_aside").item() == 1


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


@pytest.mark.parametrize(
    "change",
    [
        "corpus = '../../elsewhere'",
        "n_rows = -1",
        "content_hash = ''",
        "files = null",
        "files = ['/etc/passwd']",
        "files = ['models/../../elsewhere']",
        "written_at = 'infinity'",
        "written_at = '10000-01-01'",
    ],
)
def test_a_receipt_that_no_version_writes_is_refused(warehouse: Warehouse, change: str) -> None:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    with duckdb.connect(warehouse.database) as con:
        # The file's own constraints would refuse some of these.
        con.execute("create table again as select * from materializations")
        con.execute("drop table materializations")
        con.execute("alter table again rename to materializations")
        con.execute(f"update materializations set {change}")
    before = sorted(Path(warehouse.database).parent.rglob("*"))
    for access in (warehouse.receipts, warehouse.publish_all):
        with pytest.raises(
            WarehouseError, match="materializations has a row that no version writes"
        ):
            access()
    assert sorted(Path(warehouse.database).parent.rglob("*")) == before


def test_a_benchmark_that_differs_is_added_to_the_history_whole_with_its_student(
    warehouse: Warehouse,
) -> None:
    def measure(run: str, ndcg: float, kappa: float) -> None:
        rows = pl.DataFrame(
            {
                "labeler": "student",
                "metric": ["ndcg@10", "kappa", "kappa"],
                "slice": ["all", "all", "intent=keyword"],
                "value": [ndcg, kappa, 0.1],
                "ci_low": [0.0, None, None],
                "ci_high": 1.0,
                "n_queries": 30,
                "n_pairs": 300,
                "reference_kind": "human",
            }
        )
        warehouse.replace("benchmark_report", "c", rows, input_hash=HASH, run_id=run)

    measure("first", 0.5, 0.2)
    measure("same", 0.5, 0.2)
    measure("other", 0.6, 0.2)
    history = warehouse.past_benchmarks("c")
    assert history.select("run_id", "metric", "value").rows() == [
        ("first", "kappa", 0.2),
        ("first", "ndcg@10", 0.5),
        ("other", "kappa", 0.2),
        ("other", "ndcg@10", 0.6),
    ]
    assert warehouse.past_benchmarks("another").is_empty()
