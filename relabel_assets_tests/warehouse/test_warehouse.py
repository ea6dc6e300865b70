"""Reading the warehouse: batches of a table, and the lineage of a grade."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.warehouse.rows import EARLIER, HASH

pytestmark = pytest.mark.slow


def test_batches_are_the_table_in_order(warehouse: Warehouse) -> None:
    ids = [f"d{number}" for number in range(7)]
    stated = {"doc_id": ids, "body": "text", "content_hash": HASH}
    names = TABLES["seed_docs"].schema.column_names()
    empty = [
        pl.lit(None, pl.String).alias(name) for name in names if name not in ("corpus", *stated)
    ]
    documents = pl.DataFrame(stated).with_columns(empty)
    warehouse.replace("seed_docs", "c", documents, input_hash=HASH)
    batches = list(warehouse.read_batches("seed_docs", "c", size=3))
    assert [batch.height for batch in batches] == [3, 3, 1]
    assert pl.concat(batches).equals(warehouse.read("seed_docs", "c"))


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
