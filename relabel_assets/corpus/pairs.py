"""Pairs with their texts: candidates joined with the query's text and the document's columns.

What belongs here: those joins, and which pairs a student may be trained on. What does not: choosing
candidates (candidates/choose.py) and finding leaks between splits (splits.py).
"""

import polars as pl

from relabel_assets.tables.schemas import DOCUMENT_COLUMNS


def with_texts(pairs: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """`pairs` (query_id, doc_id, ...) with `text` of the query and DOCUMENT_COLUMNS of the
    document, in the given order."""
    return pairs.join(
        queries.select("query_id", "text"), on="query_id", how="left", maintain_order="left"
    ).join(
        documents.select("doc_id", *DOCUMENT_COLUMNS),
        on="doc_id",
        how="left",
        maintain_order="left",
    )


def training_pairs(
    labels: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame
) -> pl.DataFrame:
    """The graded pairs of train and dev queries, without any document that a benchmark query was
    written from.

    Columns: query_id, doc_id, grade, expected_grade, split, text and DOCUMENT_COLUMNS; in key
    order.
    """
    benchmark_seeds = (
        queries.filter(pl.col("split") == "benchmark").get_column("seed_doc_id").drop_nulls()
    )
    splits = queries.filter(pl.col("split") != "benchmark").select("query_id", "split")
    pairs = (
        labels.filter(pl.col("status") == "ok")
        .select("query_id", "doc_id", "grade", "expected_grade")
        .join(splits, on="query_id", how="inner")
        .filter(~pl.col("doc_id").is_in(benchmark_seeds.implode()))
        .sort("query_id", "doc_id")
    )
    return with_texts(pairs, queries, documents)
