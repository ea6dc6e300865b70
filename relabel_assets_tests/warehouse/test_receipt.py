"""The content hash of a partition: which rows and columns it depends on."""

import duckdb
import polars as pl

from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.receipt import content_hash
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.warehouse.rows import EARLIER, HASH, labels


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
        later = (
            "7::integer as n_asked_together, '[]' as passages, '0' as document_hash, 'x' as carried"
        )
        rows = con.sql(f"select *, {later} from teacher_labels").pl()
    table = TABLES["teacher_labels"]
    original_hash = content_hash(table, rows)
    names = ("latency_s", "labeled_at", "n_asked_together", "passages", "document_hash", "carried")
    volatile = {name: pl.lit(None, rows.schema[name]) for name in names}
    assert content_hash(table, rows.with_columns(**volatile)) == original_hash
    assert set(table.schema.column_names()) - set(table.stable_columns) == set(volatile)
    for name in table.stable_columns:
        is_text = rows.schema[name] == pl.String
        other_value = pl.lit("other") if is_text else pl.lit(None, rows.schema[name])
        changed = rows.with_columns(other_value.alias(name))
        if not changed.equals(rows):
            assert content_hash(table, changed) != original_hash, name
