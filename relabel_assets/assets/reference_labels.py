"""The grades of the corpus' qrels, against which every labeler is measured."""

import polars as pl

from relabel_assets.corpus.grades import with_known_pairs
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset


@table_asset(
    code_version="1",
    kinds={"polars"},
    settings=lambda corpus: {"kind": corpus.config.reference.stated_kind, "rubric": corpus.rubric},
    files=("reference_labels",),
)
def reference_labels(step: Step) -> Rows:
    """The reference grades of known queries and documents."""
    query_ids = step.read_column("synthetic_queries", "query_id")
    doc_ids = step.read_column("seed_docs", "doc_id")
    reading = with_known_pairs(
        step.corpus.reference_labels(), query_ids, doc_ids, file="reference_labels"
    )
    kind = pl.lit(step.corpus.config.reference.stated_kind).alias("kind")
    return Rows(reading.frame.with_columns(kind), problems=reading.problems)
