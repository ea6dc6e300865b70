"""The SQL of one partition: selecting its rows, and replacing them in one transaction.

What belongs here: statements on an open connection. What does not: opening it (connection.py), and
the copies for readers after a write (replica.py).
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import polars as pl

from relabel_assets.errors import Problem, WarehouseError
from relabel_assets.intake.one_input import INPUT_ERRORS, reason_of
from relabel_assets.intake.text import printable
from relabel_assets.progress import Progress, silent
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import MATERIALIZATIONS, SET_ASIDE, TABLES
from relabel_assets.warehouse.connection import REMEDY, first_line
from relabel_assets.warehouse.receipt import Receipt

if TYPE_CHECKING:
    import duckdb

# The labeler of a table of grades, and the column that names its model.
_LABELERS = {
    "teacher_labels": ("teacher", "teacher_model"),
    "asked_labels": ("teacher", "teacher_model"),
    "student_labels": ("student", "model_id"),
    "final_labels": ("final", "labeler"),
}


def replace_partition(
    con: "duckdb.DuckDBPyConnection",
    table: Table,
    frames: Iterable[pl.DataFrame],
    receipt: Receipt,
    problems: Sequence[Problem] = (),
    progress: Progress = silent,
) -> None:
    """Write rows, receipt, changed grades and inputs that were set aside in one transaction.

    The rows may come in several `frames`, which are gone through twice; a benchmark comes in one.
    Raises WarehouseError after a failed write; the old rows are kept then.
    """
    import duckdb

    dtypes = {"files": pl.List(pl.String)}
    set_aside = _set_aside_rows(receipt, problems)
    receipt_row = MATERIALIZATIONS.validate(pl.DataFrame([vars(receipt)], schema_overrides=dtypes))
    try:
        con.begin()
        for rows in frames:
            if table.name in _LABELERS:
                _record_changed_grades(con, table.name, rows, receipt)
            if table.name == "benchmark_report":
                _record_benchmark(con, rows, receipt)
        con.execute(f"delete from {table.name} where corpus = ?", [receipt.corpus])
        n_written = 0
        for rows in frames:
            _insert(con, table.name, rows)
            n_written += rows.height
            progress("writing, rows", n_written, receipt.n_rows)
        con.execute(
            "delete from materializations where corpus = ? and table_name = ?",
            [receipt.corpus, table.name],
        )
        _insert(con, "materializations", receipt_row)
        con.execute(
            "delete from set_aside where corpus = ? and asset = ?", [receipt.corpus, table.name]
        )
        _insert(con, "set_aside", set_aside)
        con.commit()
    except duckdb.Error as error:
        with suppress(duckdb.Error):  # a full disk or a damaged file ends the connection
            con.rollback()
        raise WarehouseError(
            f"table {table.name}, corpus {receipt.corpus}: {first_line(error)}. "
            "The old rows were kept."
        ) from error


def _record_changed_grades(
    con: "duckdb.DuckDBPyConnection", table: str, rows: pl.DataFrame, receipt: Receipt
) -> None:
    """Add new pairs and changed grades to grade_history, while the old rows are still in the table."""
    labeler, model = _LABELERS[table]
    graded = rows.select("corpus", "query_id", "doc_id", "grade", model=model)
    con.register("incoming", graded.to_arrow())
    con.execute(
        f"""insert into grade_history by name
        select incoming.*, $labeler as labeler, $run_id as run_id, $at as noted_at
        from incoming left join {table} as old
            on (old.corpus, old.query_id, old.doc_id)
                = (incoming.corpus, incoming.query_id, incoming.doc_id)
        where old.query_id is null or old.grade is distinct from incoming.grade""",
        {"labeler": labeler, "run_id": receipt.run_id, "at": receipt.written_at},
    )
    con.unregister("incoming")


def _record_benchmark(
    con: "duckdb.DuckDBPyConnection", rows: pl.DataFrame, receipt: Receipt
) -> None:
    """Add the metrics over all queries to benchmark_history, if one is not what it was."""
    columns = ["labeler", "metric", "value", "ci_low", "ci_high", "n_queries"]
    measured = rows.filter(pl.col("slice") == "all").select("corpus", *columns)
    con.register("incoming", measured.to_arrow())
    con.execute(
        f"""with old as (
            select corpus, {", ".join(columns)} from benchmark_report
            where corpus = $corpus and slice = 'all'
        ),
        changed as ((from incoming except from old) union all (from old except from incoming)),
        student as (
            select max(model_id) as model_id from student_model where corpus = $corpus and is_current
        )
        insert into benchmark_history by name
        select incoming.*, student.model_id, $run_id as run_id, $at as noted_at
        from incoming cross join student
        where exists (from changed)""",
        {"corpus": receipt.corpus, "run_id": receipt.run_id, "at": receipt.written_at},
    )
    con.unregister("incoming")


def _set_aside_rows(receipt: Receipt, problems: Sequence[Problem]) -> pl.DataFrame:
    """The rows of set_aside. Names and values of files may hold what no table can store."""
    rows = [
        {
            "corpus": receipt.corpus,
            "asset": receipt.table_name,
            "number": number,
            "file": printable(problem.file),
            "line": problem.line,
            "message": printable(problem.message),
            "remedy": printable(problem.remedy),
        }
        for number, problem in enumerate(problems, start=1)
    ]
    dtypes = {name: column.dtype for name, column in SET_ASIDE.schema.columns().items()}
    return SET_ASIDE.validate(pl.DataFrame(rows, schema=dtypes, orient="row"))


def _insert(con: "duckdb.DuckDBPyConnection", table: str, rows: pl.DataFrame) -> None:
    con.register("incoming", rows.to_arrow())
    con.execute(f"insert into {table} by name select * from incoming")
    con.unregister("incoming")


def all_receipts(con: "duckdb.DuckDBPyConnection") -> list[Receipt]:
    """The receipts of all partitions. Raises WarehouseError for one that no version writes.

    A receipt names a folder of the copies for readers, so its corpus must be the name of one.
    """
    frame = con.sql("select * from materializations").pl()
    try:
        rows = MATERIALIZATIONS.validate(frame).to_dicts()
    except INPUT_ERRORS as error:  # Polars panics at dates that Python lacks
        raise WarehouseError(
            f"table materializations has a row that no version writes: {reason_of(error)}. {REMEDY}"
        ) from error
    return [
        Receipt(**{**row, "files": tuple(row["files"])})
        for row in rows
        if row["table_name"] in TABLES  # a later version may have others
    ]


def partition_rows(
    con: "duckdb.DuckDBPyConnection", table: str, corpus: str, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """The rows of a partition in key order, without the corpus column."""
    columns = columns or [name for name in TABLES[table].schema.column_names() if name != "corpus"]
    order = ", ".join(name for name in TABLES[table].key if name != "corpus")
    query = f"select {', '.join(columns)} from {table} where corpus = $corpus order by {order}"
    return con.sql(query, params={"corpus": corpus}).pl()
