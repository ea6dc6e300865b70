"""The recorded teacher: grades from a file, joined to the pairs.

What belongs here: the join, and which recorded grades count. What does not: parsing
teacher_labels.jsonl (corpus/grades/grades.py), and asking a language model (teacher/teacher.py).
"""

import polars as pl

from relabel_assets.prompts.rubric import Rubric
from relabel_assets.teacher.grading.grading import LABEL_SCHEMA

# The reason of a pair that the file does not name. That is no fault: it may hold a sample.
NOT_IN_FILE = "no recorded grade for this pair"


def grade_recorded(
    pairs: pl.DataFrame, recorded_labels: pl.DataFrame, rubric: Rubric
) -> pl.DataFrame:
    """One row of teacher_labels, without corpus, for each of `pairs`, in order.

    `pairs`: query_id and doc_id. `recorded_labels`: query_id, doc_id, grade and, optionally,
    rationale and model. The status is not_recorded for a pair without a recorded grade, or with one
    that is not in `rubric`. Of two records of a pair, the first counts.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> pairs = pl.DataFrame({"query_id": ["q", "q"], "doc_id": ["a", "b"]})
    >>> recorded = pl.DataFrame({"query_id": ["q"], "doc_id": ["b"], "grade": [3]})
    >>> grade_recorded(pairs, recorded, default_rubric()).select("doc_id", "grade", "status").rows()
    [('a', None, 'not_recorded'), ('b', 3, 'ok')]
    """
    recorded = recorded_labels.select(
        "query_id",
        "doc_id",
        pl.col("grade").cast(pl.Float64, strict=False).alias("recorded_grade"),
        _text_or_null(recorded_labels, "rationale"),
        _text_or_null(recorded_labels, "model").alias("teacher_model"),
    ).unique(["query_id", "doc_id"], keep="first", maintain_order=True)
    joined = pairs.select("query_id", "doc_id").join(
        recorded, on=["query_id", "doc_id"], how="left", maintain_order="left"
    )
    grade, highest = pl.col("recorded_grade"), rubric.max_grade
    is_grade = grade.is_between(0, highest) & (grade == grade.floor())
    reason = (
        pl.when(grade.is_null())
        .then(pl.lit(NOT_IN_FILE))
        .otherwise(pl.format("the recorded grade {} is not one of 0 to {}", grade, pl.lit(highest)))
    )
    labels = joined.with_columns(is_ok=is_grade.fill_null(value=False)).with_columns(
        grade=pl.when("is_ok").then(grade),
        status=pl.when("is_ok").then(pl.lit("ok")).otherwise(pl.lit("not_recorded")),
        status_reason=pl.when(~pl.col("is_ok")).then(reason),
        rationale=pl.when("is_ok").then(pl.col("rationale")),
        teacher_model=pl.when("is_ok").then(pl.col("teacher_model")),
        attempts=pl.lit(0),
    )
    return labels.select(
        (pl.col(name) if name in labels.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in LABEL_SCHEMA.items()
    )


def _text_or_null(frame: pl.DataFrame, name: str) -> pl.Expr:
    column = pl.col(name) if name in frame.columns else pl.lit(None)
    return column.cast(pl.String).alias(name)
