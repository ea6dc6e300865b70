"""The preview of a table in the UI: a few rows, text before ids, with the words of query and document.

What belongs here: the choice of rows and columns. What does not: the other metadata (catalog.py), and
escaping text (intake/markdown.py).
"""

from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl

from relabel_assets.benchmark.plots import markdown_table
from relabel_assets.intake.markdown import inert
from relabel_assets.intake.text import cut
from relabel_assets.tables.table import Table
from relabel_assets.warehouse.warehouse import Warehouse

# not measured: five rows and six columns of short cells fit the UI's column of metadata.
_ROWS, _COLUMNS, _CHARACTERS = 5, 6, 80
# not measured: enough rows to find full ones, and quick to sort in the largest table.
PREVIEWED = 1_000
# The UI shows longer Markdown behind a link.
_INLINE_CHARACTERS = 1_000
# What a reader looks for, in this order. Other columns follow, and ids come last.
_FIRST = (
    "labeler", "metric", "slice", "value", "ci_low", "ci_high", "query", "text", "title", "grade",
    "expected_grade", "rationale", "rank", "bm25_score", "intent", "split", "body", "doc_type",
    "author", "updated_at", "architecture", "base_model", "n_train_pairs", "n_dev_pairs",
)  # fmt: skip
# The rows differ in the first of these columns that a table has.
_SPREAD = ("labeler", "grade", "intent", "source", "doc_type")
# The texts that belong to an id: its table, the column there, and the name in the preview.
_TEXTS = {
    "query_id": ("synthetic_queries", "text", "query"),
    "doc_id": ("seed_docs", "title", "title"),
}
AddTexts = Callable[[pl.DataFrame], pl.DataFrame]


def preview(frame: pl.DataFrame, add_texts: AddTexts = lambda rows: rows) -> dg.MetadataValue:
    """A Markdown table of the rows with the fewest NULLs, without hashes and empty columns."""
    if frame.is_empty():
        return dg.MetadataValue.md("_no rows_")
    rows = add_texts(_chosen_rows(frame))
    rows = rows.select(_chosen_columns(rows))
    for n_rows in range(rows.height, 0, -1):
        text = _markdown_table(rows.head(n_rows))
        if len(text) < _INLINE_CHARACTERS:
            break
    return dg.MetadataValue.md(text)


def texts_from(warehouse: Warehouse, table: Table, corpus: str) -> AddTexts:
    """A function that adds each row's query and title, where `table` has ids of another table."""

    def add(rows: pl.DataFrame) -> pl.DataFrame:
        for key, (source, column, name) in _TEXTS.items():
            if source in table.reads and key in rows.columns:
                texts = warehouse.query(
                    f"select {key}, {column} as {name} from {source} "
                    f"where corpus = $corpus and list_contains($ids, {key})",
                    {"corpus": corpus, "ids": rows[key].to_list()},
                )
                rows = rows.join(texts, on=key, how="left", maintain_order="left")
        return rows

    return add


def _chosen_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The fullest of the first thousand rows, of each kind one before another of the same kind."""
    some = frame.head(PREVIEWED)
    order = [pl.sum_horizontal(pl.all().is_null())]
    spread = next((name for name in _SPREAD if name in some.columns), None)
    if spread:
        order.append(pl.int_range(pl.len()).over(spread))
    if spread == "grade":
        order.append(-pl.col("grade").cast(pl.Float64, strict=False))
    return some.sort(order, maintain_order=True).head(_ROWS)


def _chosen_columns(rows: pl.DataFrame) -> list[str]:
    """The names of the columns to show, those of `_FIRST` first."""

    def place(name: str) -> tuple[int, int]:
        if name in _FIRST:
            return 0, _FIRST.index(name)
        return (2, 0) if name.endswith("_id") else (1, 0)

    shown = [
        name
        for name in rows.columns
        if rows[name].null_count() < rows.height
        and not name.endswith(("_hash", "_key"))
        and name != "corpus"
    ]
    return sorted(shown, key=place)[:_COLUMNS]


def _markdown_table(frame: pl.DataFrame) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, float):
            value = f"{value:.4g}"
        if isinstance(value, list):
            value = ", ".join(cell(item) for item in value[:_CHARACTERS])
        return "" if value is None else cut(str(value), _CHARACTERS)

    return markdown_table(
        frame.columns, ([inert(cell(value)) for value in row] for row in frame.iter_rows())
    )
