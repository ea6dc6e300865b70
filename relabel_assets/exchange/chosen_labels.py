"""The grades of one labeler of a corpus, from the warehouse, with who gave each and how.

What belongs here: which rows of which tables are a labeler's, and their provenance. What does not: the
tables themselves, and what becomes of the grades (export_file.py, hub/).
"""

from collections.abc import Callable, Collection

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.errors import ConfigError, WarehouseError
from relabel_assets.exchange.judgments import JUDGMENTS
from relabel_assets.intake.text import shown
from relabel_assets.warehouse.warehouse import Warehouse

LABELERS = ("final", "student", "teacher", "people", "reference")
_PAIR = ["query_id", "doc_id"]
# The rows of a table of one corpus, by the table's name.
ReadTable = Callable[[str], pl.DataFrame]


def table_reader(warehouse: Warehouse, corpus: str) -> ReadTable:
    """What reads the tables of `corpus` for chosen_labels: of documents the titles alone.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table_reader(Warehouse.at(Path(folder) / "warehouse.duckdb"), "demo")("seed_docs").columns
    ['doc_id', 'title']
    """

    def read(table: str) -> pl.DataFrame:
        columns = ["doc_id", "title"] if table == "seed_docs" else None
        return warehouse.read(table, corpus, columns=columns)

    return read


def chosen_labels(
    read: ReadTable, labeler: str, corpus: str, splits: Collection[str] = ()
) -> pl.DataFrame:
    """The grades of `labeler` with the columns of JUDGMENTS, sorted by query and document.

    `labeler`: final, student, teacher, people (people's grades alone), reference (all reference labels), or
    one that was imported. Several assessors of a pair count as their median (median_grades), and `model`
    names them. `splits` None or empty: all queries. Raises ConfigError for an unknown labeler, and
    WarehouseError where it graded nothing.

    >>> tables = {
    ...     "synthetic_queries": pl.DataFrame({"query_id": ["q"], "text": ["leave"], "split": ["train"]}),
    ...     "seed_docs": pl.DataFrame({"doc_id": ["d"], "title": ["Leave"]}),
    ...     "student_labels": pl.DataFrame({"query_id": ["q"], "doc_id": ["d"], "grade": [2],
    ...         "expected_grade": [1.9], "grade_probs": [[0.1, 0.9]], "model_id": ["s1"]}),
    ... }
    >>> chosen_labels(tables.__getitem__, "student", "demo").select("text", "title", "grade", "model").row(0)
    ('leave', 'Leave', 2, 's1')
    """
    rows = _rows(read, labeler, corpus)
    queries = read("synthetic_queries").select("query_id", "text", pl.col("split").cast(pl.String))
    if splits:
        queries = queries.filter(pl.col("split").is_in(list(splits)))
    labels = rows.join(queries, on="query_id", how="inner").join(
        read("seed_docs").select("doc_id", "title"), on="doc_id", how="left"
    )
    if labels.is_empty():
        of = f" of the split {' or '.join(splits)}" if splits else ""
        remedy = f"Make them: relabel run -c {corpus}"
        if labeler == "people":
            remedy = (
                f"Have people grade: relabel review serve -c {corpus}; then relabel run -c {corpus}"
            )
        raise WarehouseError(f"corpus {corpus!r} has no grades by {labeler}{of}. {remedy}.")
    labels = labels.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in JUDGMENTS.items()
        if name not in labels.columns
    )
    return labels.select(list(JUDGMENTS)).cast(pl.Schema(JUDGMENTS)).sort(_PAIR)


def _rows(read: ReadTable, labeler: str, corpus: str) -> pl.DataFrame:
    if labeler == "student":
        rows = read("student_labels").with_columns(model="model_id")
        return _columns(rows.with_columns(labeler=pl.lit("student")))
    if labeler == "teacher":
        return _of_teacher(read)
    if labeler in ("people", "reference"):
        return _of_reference(read, labeler)
    if labeler == "final":
        return _final(read)
    imported = read("imported_labels")
    names = imported["labeler"].unique().sort().to_list()
    if labeler not in names:
        raise ConfigError(
            f"corpus {corpus!r} has no labeler {shown(labeler)}. Labelers: "
            f"{', '.join((*LABELERS, *names))}."
        )
    return _columns(imported.filter(labeler=labeler))


def _of_teacher(read: ReadTable) -> pl.DataFrame:
    """The teacher's grades, of label queries too."""
    answers = pl.concat([read("teacher_labels"), read("asked_labels")])
    graded = answers.filter(pl.col("status").cast(pl.String) == "ok")
    return _columns(graded.with_columns(labeler=pl.lit("teacher"), model="teacher_model"))


def _of_reference(read: ReadTable, labeler: str) -> pl.DataFrame:
    """The median grade of each pair; its model is the names of its assessors."""
    rows = read("reference_labels")
    if labeler == "people":
        rows = rows.filter(pl.col("kind").cast(pl.String) == "human")
    names = rows.group_by(_PAIR).agg(model=pl.col("assessor").unique().sort().str.join(", "))
    return median_grades(rows).join(names, on=_PAIR).with_columns(labeler=pl.lit(labeler))


def _final(read: ReadTable) -> pl.DataFrame:
    """The grades to use. Who gave them, and with what model and prompt, is from the giver's own rows."""
    final = read("final_labels").with_columns(pl.col("labeler").cast(pl.String))
    teacher = _of_teacher(read).select(*_PAIR, teacher_model="model", prompt_hash="prompt_hash")
    people = _of_reference(read, "people").select(*_PAIR, assessors="model")
    is_teacher = pl.col("labeler") == "teacher"
    joined = final.join(teacher, on=_PAIR, how="left").join(people, on=_PAIR, how="left")
    return _columns(
        joined.with_columns(
            model=pl.when(is_teacher)
            .then("teacher_model")
            .when(pl.col("labeler") == "people")
            .then("assessors")
            .otherwise("model_id"),
            prompt_hash=pl.when(is_teacher).then("prompt_hash"),
        )
    )


def _columns(rows: pl.DataFrame) -> pl.DataFrame:
    """The columns of `rows` that JUDGMENTS has, but those that are joined from queries and documents."""
    own = (name for name in rows.columns if name in JUDGMENTS)
    return rows.select(name for name in own if name not in ("text", "split", "title"))
