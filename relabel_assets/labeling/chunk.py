"""A chunk of pairs: its texts, its grades, and the part file with its labels.

What belongs here: one chunk, graded in this process, and the columns of its labels. What does not:
cutting a file into chunks (label_file.py, buckets.py), other machines (ray_engine.py), a teacher's grades
(cascade_engine.py), and how a student grades (student/labeler.py).
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from relabel_assets.labeling import pairs_file
from relabel_assets.progress import Progress, silent
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

# Looks up texts, given the name of an id column and ids: rows of (query_id, text), or of
# (doc_id, *DOCUMENT_COLUMNS).
Texts = Callable[[str, pl.Series], pl.DataFrame]


class PairGrader(Protocol):
    """The part of a Labeler that labeling needs."""

    def grade(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> pl.DataFrame: ...


@dataclass(frozen=True)
class PairChunk:
    """Rows of a pairs file: consecutive ones, or those of a bucket.

    `rows()` reads them with their texts; `part` is the file for their labels.
    """

    part: Path
    rows: Callable[[], pl.DataFrame]
    n_rows: int


class GradeChunks(Protocol):
    """An engine: it writes each chunk's `part` atomically, then calls `on_done` with the chunk."""

    def __call__(
        self, chunks: Iterable[PairChunk], on_done: Callable[[PairChunk], None]
    ) -> None: ...


def in_process(labeler: PairGrader, progress: Progress = silent) -> GradeChunks:
    """The engine that grades in this process, one chunk after the other."""

    def grade(chunks: Iterable[PairChunk], on_done: Callable[[PairChunk], None]) -> None:
        for chunk in chunks:
            write_part(chunk.part, chunk.rows(), labeler, progress)
            on_done(chunk)

    return grade


def write_part(
    part: Path, rows: pl.DataFrame, labeler: PairGrader, progress: Progress = silent
) -> None:
    """Grade `rows` of PairChunk.rows() into `part`. A second call writes the same file."""
    usable = gradable(rows)
    grades = labeler.grade(usable, progress=progress).with_columns(row=usable["row"])
    write_labels(part, labels_of(rows, grades))


def write_labels(part: Path, labels: pl.DataFrame) -> None:
    """Write `labels` into `part`, all or nothing."""
    # Not files.whole, whose scratch file has a fixed name: two machines may write one part at once.
    scratch = part.with_name(f".{part.name}.{uuid.uuid4().hex}.half")
    try:
        labels.write_parquet(scratch)
        scratch.replace(part)
    finally:
        scratch.unlink(missing_ok=True)


def with_texts(rows: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """`rows` of a pairs file with `text`, the document's columns, and `status_reason`.

    A row without a text of its own gets the text of its id. `status_reason` is None in gradable rows.

    >>> columns = dict.fromkeys(pairs_file.COLUMNS)
    >>> rows = pl.DataFrame([columns | {"query": "leave", "body": "Rules."}, columns | {"query": "leave"}])
    >>> with_texts(rows, texts=lambda column, ids: pl.DataFrame())["status_reason"].to_list()
    [None, 'the document is not known or has no text']
    """
    rows = rows.rename({pairs_file.QUERY: "text"})
    sources = (
        ("query_id", "text", ("text",)),
        ("doc_id", pairs_file.DOCUMENT, DOCUMENT_COLUMNS),
    )
    for key, own, columns in sources:
        needed = rows.filter(pl.col(own).is_null() & pl.col(key).is_not_null())[key].unique()
        if needed.is_empty():
            continue
        of_ids = texts(key, needed)
        rows = rows.join(of_ids, on=key, how="left", maintain_order="left", suffix="_of_id")
        filled = [
            pl.when(pl.col(own).is_null()).then(f"{name}_of_id").otherwise(name).alias(name)
            for name in columns
        ]
        rows = rows.with_columns(filled).drop(pl.selectors.ends_with("_of_id"))
    has_query = pl.col("text").fill_null("").str.strip_chars() != ""
    document = pl.concat_str(pl.col("title", "body").fill_null(""))
    has_document = document.str.strip_chars() != ""
    reason = (
        pl.when(~has_query)
        .then(pl.lit("the query is not known or has no text"))
        .when(~has_document)
        .then(pl.lit("the document is not known or has no text"))
    )
    return rows.with_columns(status_reason=reason)


def gradable(rows: pl.DataFrame) -> pl.DataFrame:
    """The `rows` of with_texts that can be graded, with ids for a labeler.

    The labeler identifies a text by its id, and a file may give one id to two texts. So each text gets
    its hash as its id.
    """
    return rows.filter(pl.col("status_reason").is_null()).with_columns(
        query_id=pl.col("text").hash().cast(pl.String),
        doc_id=pl.struct(DOCUMENT_COLUMNS).hash().cast(pl.String),
    )


def labels_of(rows: pl.DataFrame, grades: pl.DataFrame, *more: str) -> pl.DataFrame:
    """The labels of `rows`, in their order. `grades` has a grade for each gradable row, by `row`.

    Its columns `more` are added to the usual ones of a label.
    """
    is_graded = pl.col("status_reason").is_null()
    grades = grades.drop("query_id", "doc_id")
    return rows.join(grades, on="row", how="left", maintain_order="left").select(
        "row",
        "query_id",
        "doc_id",
        pl.when(is_graded).then(pl.lit("ok")).otherwise(pl.lit("set_aside")).alias("status"),
        "status_reason",
        pl.col("grade").cast(pl.Int8),
        "expected_grade",
        "grade_probs",
        "model_id",
        "model_hash",
        *more,
    )
