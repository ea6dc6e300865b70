"""Imported labelers are measured beside the others, and change nothing about them."""

import polars as pl

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.imported_labelers import imported_rows

QUERIES = pl.DataFrame({"query_id": ["q1", "q2"], "intent": ["keyword", "question"]})
REFERENCE = pl.DataFrame(
    {
        "query_id": ["q1"] * 3 + ["q2"] * 3,
        "doc_id": ["d1", "d2", "d3"] * 2,
        "assessor": "ana",
        "grade": [3, 0, 1, 0, 2, 1],
    }
)
LABELS = REFERENCE.select(
    pl.lit("student").alias("labeler"),
    "query_id",
    "doc_id",
    score=pl.Series([2.5, 0.5, 1.5, 1.0, 1.5, 0.0]),
    grade=pl.Series([3, 0, 2, 1, 2, 0]),
)


def as_imported(labels: pl.DataFrame, name: str) -> pl.DataFrame:
    return labels.select(
        "query_id", "doc_id", "grade", pl.lit(name).alias("labeler"), expected_grade="score"
    )


def test_the_same_grades_have_the_same_figures_and_intervals() -> None:
    rows = imported_rows(LABELS, as_imported(LABELS, "copy"), REFERENCE, QUERIES, n_resamples=50)
    ours = measure(LABELS, REFERENCE, QUERIES, n_resamples=50).rows
    assert rows.drop("labeler").equals(ours.drop("labeler"))
    assert rows["labeler"].unique().to_list() == ["copy"]


def test_a_labeler_of_few_pairs_is_measured_on_these_alone() -> None:
    few = as_imported(LABELS.filter(pl.col("query_id") == "q1"), "few")
    rows = imported_rows(LABELS, few, REFERENCE, QUERIES, n_resamples=50)
    of_all = rows.filter(metric="kappa", slice="all").row(0, named=True)
    assert (of_all["n_queries"], of_all["n_pairs"]) == (1, 3)


def test_a_labeler_without_a_pair_of_the_benchmark_has_no_rows() -> None:
    elsewhere = as_imported(LABELS.with_columns(doc_id=pl.lit("d9")), "elsewhere")
    assert imported_rows(LABELS, elsewhere, REFERENCE, QUERIES, n_resamples=50).is_empty()
    assert imported_rows(LABELS, elsewhere.clear(), REFERENCE, QUERIES).is_empty()
