"""BM25 as a labeler, the grades of all labelers in one frame, and how often they gave which.

What belongs here: the frames that the benchmark compares. What does not: measuring (bootstrap.py).
"""

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.cut_points import cut_points, grades_from

_PAIR = ["query_id", "doc_id"]


def bm25_labels(candidates: pl.DataFrame, training: pl.DataFrame, *, n_grades: int) -> pl.DataFrame:
    """BM25 as a labeler of all `candidates`: its score, and a grade by cut points on the score.

    The cut points come from the scores and grades of the training pairs (cut_points.py).

    >>> candidates = pl.DataFrame({"query_id": ["q"] * 3, "doc_id": ["d1", "d2", "d3"],
    ...                            "bm25_score": [0.0, 4.0, 9.0]})
    >>> training = pl.DataFrame({"query_id": ["q", "q"], "doc_id": ["d1", "d2"], "grade": [0, 1]})
    >>> bm25_labels(candidates, training, n_grades=2)["grade"].to_list()
    [0, 1, 1]
    """
    graded = training.join(candidates, on=_PAIR)
    points = cut_points(graded["bm25_score"].to_numpy(), graded["grade"].to_numpy(), n_grades)
    return candidates.select(
        *_PAIR,
        expected_grade="bm25_score",
        grade=pl.Series(grades_from(candidates["bm25_score"].to_numpy(), points)),
    )


def labels_in_one(**by_labeler: pl.DataFrame) -> pl.DataFrame:
    """All labels in one frame: labeler, query_id, doc_id, score and grade.

    The score is the labeler's expected grade, or its grade where it has no expected grade.

    >>> pair = {"query_id": ["q"], "doc_id": ["d"], "grade": [2]}
    >>> teacher = pl.DataFrame(pair | {"expected_grade": [None]},
    ...                        schema_overrides={"expected_grade": pl.Float64})
    >>> student = pl.DataFrame(pair | {"expected_grade": [1.6]})
    >>> labels_in_one(teacher=teacher, student=student).rows()
    [('teacher', 'q', 'd', 2.0, 2), ('student', 'q', 'd', 1.6, 2)]
    """
    return pl.concat(
        frame.select(
            pl.lit(labeler).alias("labeler"),
            *_PAIR,
            pl.coalesce(pl.col("expected_grade"), pl.col("grade").cast(pl.Float64)).alias("score"),
            pl.col("grade").cast(pl.Int64),
        )
        for labeler, frame in by_labeler.items()
    )


def confusions(
    labels: pl.DataFrame, reference: pl.DataFrame, *, n_grades: int
) -> dict[str, list[list[int]]]:
    """How often each labeler gave each grade (columns) to each reference grade (rows).

    `labels` come from labels_in_one. Several assessors count as their median (median_grades).

    >>> labels = pl.DataFrame({"labeler": ["student"] * 2, "query_id": ["q"] * 2,
    ...                        "doc_id": ["d1", "d2"], "grade": [1, 1]})
    >>> reference = pl.DataFrame({"query_id": ["q"] * 2, "doc_id": ["d1", "d2"], "grade": [0, 1]})
    >>> confusions(labels, reference, n_grades=2)
    {'student': [[0, 1], [0, 1]]}
    """
    from sklearn.metrics import confusion_matrix

    reference_grades = median_grades(reference).rename({"grade": "reference_grade"})
    pairs = labels.drop_nulls("grade").join(reference_grades, on=_PAIR)
    counts = {}
    for labeler in pairs["labeler"].unique().sort():
        rows = pairs.filter(pl.col("labeler") == labeler)
        counts[labeler] = confusion_matrix(
            rows["reference_grade"], rows["grade"], labels=list(range(n_grades))
        ).tolist()
    return counts
