"""Pairs with their texts: the query's text and the document's columns joined to pairs.

What belongs here: those joins, and which pairs are for what: to train on, or only to be labeled. What
does not: choosing candidates (candidates/choose.py) and finding leaks between splits (splits.py).
"""

import polars as pl

from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS


def with_texts(pairs: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with the query's `text` and the document's DOCUMENT_COLUMNS, in the same order."""
    query_texts = queries.select("query_id", "text")
    document_texts = documents.select("doc_id", *DOCUMENT_COLUMNS)
    pairs = pairs.join(query_texts, on="query_id", how="left", maintain_order="left")
    return pairs.join(document_texts, on="doc_id", how="left", maintain_order="left")


def of_label_queries(pairs: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    """The `pairs` whose query only gets labels, in the same order.

    >>> queries = pl.DataFrame({"query_id": ["q1", "q2"], "split": ["train", "label"]})
    >>> of_label_queries(queries.select("query_id"), queries).rows()
    [('q2',)]
    """
    of_split = queries.filter(pl.col("split") == "label")
    return pairs.join(of_split, on="query_id", how="semi", maintain_order="left")


def of_other_queries(pairs: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    """The `pairs` whose query teaches or measures, in the same order: the teacher grades all of them.

    >>> queries = pl.DataFrame({"query_id": ["q1", "q2"], "split": ["train", "label"]})
    >>> of_other_queries(queries.select("query_id"), queries).rows()
    [('q1',)]
    """
    of_split = queries.filter(pl.col("split") == "label")
    return pairs.join(of_split, on="query_id", how="anti", maintain_order="left")


def training_pairs(
    labels: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame
) -> pl.DataFrame:
    """The graded pairs of train and dev queries, without the seed documents of benchmark queries.

    Queries that only get labels teach nobody: the student chose their graded pairs, so these are no
    sample of its task, and each training would change what the next one learns from.

    Columns: query_id, doc_id, grade, expected_grade, split, text and DOCUMENT_COLUMNS. Sorted by key.
    """
    benchmark_seeds = (
        queries.filter(pl.col("split") == "benchmark").get_column("seed_doc_id").drop_nulls()
    )
    teaches = pl.col("split").is_in(["train", "dev"])
    splits = queries.filter(teaches).select("query_id", "split")
    pairs = (
        labels.filter(pl.col("status") == "ok")
        .select("query_id", "doc_id", "grade", "expected_grade")
        .join(splits, on="query_id", how="inner")
        .filter(~pl.col("doc_id").is_in(benchmark_seeds.implode()))
        .sort("query_id", "doc_id")
    )
    return with_texts(pairs, queries, documents)
