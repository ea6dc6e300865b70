"""The recorded teacher: grades that were given elsewhere, joined to the pairs that want one.

What belongs here: the join, and which recorded grades count. What does not: reading teacher_labels.jsonl, and asking
a live teacher (resources/teacher.py).
"""

import polars as pl

from relabel_assets.prompts.rubric import Rubric
from relabel_assets.teacher.grading import LABEL_SCHEMA


def grade_recorded(
    pairs: pl.DataFrame, recorded_labels: pl.DataFrame, *, model: str | None = None, rubric: Rubric | None = None
) -> pl.DataFrame:
    """One row a pair, in order: the columns of teacher_labels minus corpus.

    `pairs` has query_id and doc_id; `recorded_labels` query_id, doc_id, grade and, optionally, rationale and model
    (`model` where it is not said). A pair without a recorded grade, or whose grade is not in `rubric`, is not_recorded.
    If a pair is recorded twice, the first counts.
    """
    columns = recorded_labels.columns
    recorded = recorded_labels.select(
        "query_id",
        "doc_id",
        pl.col("grade").cast(pl.Float64, strict=False).alias("recorded_grade"),
        (pl.col("rationale") if "rationale" in columns else pl.lit(None)).cast(pl.String).alias("rationale"),
        (pl.col("model") if "model" in columns else pl.lit(None)).cast(pl.String).fill_null(pl.lit(model)).alias("by"),
    ).unique(["query_id", "doc_id"], keep="first", maintain_order=True)
    grade = pl.col("recorded_grade")
    highest = rubric.max_grade if rubric is not None else 9
    is_grade = grade.is_between(0, highest) & (grade == grade.floor())
    joined = pairs.select("query_id", "doc_id").join(
        recorded, on=["query_id", "doc_id"], how="left", maintain_order="left"
    )
    labels = joined.with_columns(is_ok=is_grade.fill_null(value=False)).with_columns(
        grade=pl.when("is_ok").then(grade),
        status=pl.when("is_ok").then(pl.lit("ok")).otherwise(pl.lit("not_recorded")),
        status_reason=pl.when("is_ok")
        .then(None)
        .when(grade.is_null())
        .then(pl.lit("no recorded grade for this pair"))
        .otherwise(pl.format("the recorded grade {} is not one of 0 to {}", grade, pl.lit(highest))),
        rationale=pl.when("is_ok").then(pl.col("rationale")),
        teacher_model=pl.when("is_ok").then(pl.col("by")),
        attempts=pl.lit(0),
    )
    return labels.select(
        (pl.col(name) if name in labels.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in LABEL_SCHEMA.items()
    )
