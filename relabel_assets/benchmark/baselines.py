"""The labelers that are not models: BM25 with cut points; and all labelers' grades in one frame.

What belongs here: shaping grades for the benchmark. What does not: measuring them (benchmark.py).
"""

from typing import Any

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.cut_points import cut_points, grades_from

_SHOWN = 12


def bm25_labels(candidates: pl.DataFrame, training: pl.DataFrame, *, n_grades: int) -> pl.DataFrame:
    """BM25 as a labeler: its score, cut into grades where the training labels' distribution says; all candidates."""
    graded = training.join(candidates, on=["query_id", "doc_id"])
    points = cut_points(graded["bm25_score"].to_numpy(), graded["grade"].to_numpy(), n_grades)
    return candidates.select(
        "query_id",
        "doc_id",
        expected_grade="bm25_score",
        grade=pl.Series(grades_from(candidates["bm25_score"].to_numpy(), points)),
    )


def labels_in_one(**by_labeler: pl.DataFrame) -> pl.DataFrame:
    """labeler, query_id, doc_id, score and grade of every labeler; the score is its expected grade, else its grade."""
    return pl.concat(
        frame.select(
            pl.lit(labeler).alias("labeler"),
            "query_id",
            "doc_id",
            pl.coalesce(pl.col("expected_grade"), pl.col("grade").cast(pl.Float64)).alias("score"),
            pl.col("grade").cast(pl.Int64),
        )
        for labeler, frame in by_labeler.items()
    )


def confusions(labels: pl.DataFrame, reference: pl.DataFrame, *, n_grades: int) -> dict[str, list[list[int]]]:
    """For each labeler, how often it gave each grade (columns) for each reference grade (rows).

    `labels` as labels_in_one gives them; of several assessors median_grades counts.
    """
    from sklearn.metrics import confusion_matrix

    truth = median_grades(reference).rename({"grade": "true"})
    both = labels.drop_nulls("grade").join(truth, on=["query_id", "doc_id"])
    return {
        labeler: confusion_matrix(rows["true"], rows["grade"], labels=list(range(n_grades))).tolist()
        for labeler in both["labeler"].unique().sort()
        if not (rows := both.filter(pl.col("labeler") == labeler)).is_empty()
    }


def disagreements(
    student: pl.DataFrame,
    teacher: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
) -> list[dict[str, Any]]:
    """The pairs on which the student is furthest from the reference, with words, at most twelve."""
    pairs = ["query_id", "doc_id"]
    truth = reference.group_by(pairs).agg(reference_grade=pl.col("grade").median())
    found = (
        truth.join(student.select(*pairs, "expected_grade", student_grade="grade"), on=pairs)
        .join(teacher.select(*pairs, "rationale", teacher_grade="grade"), on=pairs, how="left")
        .join(queries.select("query_id", query="text"), on="query_id")
        .join(documents.select("doc_id", "title"), on="doc_id")
        .with_columns(gap=(pl.col("expected_grade") - pl.col("reference_grade")).abs())
        .sort("gap", "query_id", "doc_id", descending=[True, False, False])
    )
    return found.head(_SHOWN).to_dicts()
