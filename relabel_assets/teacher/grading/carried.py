"""Grades that are carried over an edit of their document: kept, moved or stale.

What belongs here: comparing the rows of two runs. What does not: which passages are shown
(corpus/excerpts/), and finding the answer to an unchanged request (ledger/).

Nothing is carried by likeness. A grade is kept or moved only if today's request is, byte by byte, the one
that it answers: title, metadata and all passages that are shown. Any other is asked again.
"""

import polars as pl

_PAIR = ["query_id", "doc_id"]
_COMPARED = ["request_key", "document_hash", "carried", "status", "passages"]
# What a request is made from beside the query and the document.
_ASKED_WITH = ["teacher_model", "prompt_hash"]


def with_carried(
    labels: pl.DataFrame, before: pl.DataFrame, documents: pl.DataFrame
) -> pl.DataFrame:
    """`labels` with document_hash and carried, in the same order.

    `labels` and `before` are rows of teacher_labels of this run and the last one; `documents` has doc_id
    and content_hash. Of a document that is as it was, `carried` stays what it was. A row without a
    request, as a recorded teacher's, has neither.

    >>> from relabel_assets.teacher.grading.grading import label_frame
    >>> row = {"query_id": "q", "doc_id": "d", "request_key": "a", "status": "ok", "passages": "[[0,9,..."}
    >>> before = label_frame([row | {"document_hash": "1"}])
    >>> after = label_frame([row | {"passages": "[[5,14,..."}])
    >>> with_carried(after, before, pl.DataFrame({"doc_id": ["d"], "content_hash": ["2"]}))["carried"][0]
    'moved'
    """
    hashes = documents.select("doc_id", document_hash="content_hash")
    old = before.select(*_PAIR, *_COMPARED, *_ASKED_WITH)
    joined = (
        labels.drop("document_hash", "carried")
        .join(hashes, on="doc_id", how="left", maintain_order="left")
        .join(old, on=_PAIR, how="left", maintain_order="left", suffix="_before")
        .with_columns(
            document_hash=pl.when(pl.col("request_key").is_not_null()).then("document_hash")
        )
    )
    return joined.with_columns(carried=_carried().cast(labels.schema["carried"])).select(
        labels.columns
    )


def carried_counts(labels: pl.DataFrame) -> dict[str, int]:
    """The number of grades that are kept, moved and stale; none of those that are not.

    >>> carried_counts(pl.DataFrame({"carried": ["kept", None, "kept"]}))
    {'grades_kept': 2}
    """
    counts = labels["carried"].drop_nulls().cast(pl.String).value_counts().sort("carried")
    return {f"grades_{carried}": count for carried, count in counts.iter_rows()}


def _carried() -> pl.Expr:
    def is_as_before(name: str) -> pl.Expr:
        return pl.col(name).eq_missing(pl.col(f"{name}_before"))

    is_same_request = is_as_before("request_key") & pl.col("request_key").is_not_null()
    is_same_way = pl.all_horizontal(map(is_as_before, _ASKED_WITH))
    had_a_grade = (
        pl.col("status_before").eq_missing(pl.lit("ok"))
        & pl.col("document_hash_before").is_not_null()
    )
    return (
        pl.when(is_as_before("document_hash") & is_same_request)
        .then(pl.col("carried").cast(pl.String))
        .when(is_as_before("document_hash") | ~had_a_grade)
        .then(None)
        .when(is_same_request & is_as_before("passages"))
        .then(pl.lit("kept"))
        .when(is_same_request)
        .then(pl.lit("moved"))
        .when(is_same_way)
        .then(pl.lit("stale"))
    )
