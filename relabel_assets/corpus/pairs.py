"""Pairs with their texts: the query's text and the document's columns joined to pairs.

What belongs here: those joins, and which pairs a student may be trained on. What does not: choosing
candidates (candidates/choose.py) and finding leaks between splits (splits.py).
"""

import polars as pl

from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS


def with_texts(pairs: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with the query's `text` and the document's DOCUMENT_COLUMNS, in the same order."""
    query_texts = queries.select("query_id", "text")
    document_texts = documents.select("doc_id", *DOCUMENT_COLUMNS)
    pairs = pairs.join(query_texts, on="query_id", how="left", maintain_order="left")
    return pairs.join(document_texts, on="doc_id", how="left", maintain_order="left")


def training_pairs(
    labels: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame
) -> pl.DataFrame:
    """The graded pairs of train and dev queries, without the seed documents of benchmark queries.

    Columns: query_id, doc_id, grade, expected_grade, split, text and DOCUMENT_COLUMNS. Sorted by key.
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
