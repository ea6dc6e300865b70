"""A chunk of pairs: its texts, its grades, and the file that its labels become.

What belongs here: one chunk, graded in this process. What does not: which chunks there are
(label_file.py), other machines (ray_engine.py), and how a student grades (student/).
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from relabel_assets.labeling import pairs_file
from relabel_assets.progress import Progress, silent
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS

# Given an id column's name and ids, the rows that have them: (query_id, text), or (doc_id,
# *DOCUMENT_COLUMNS).
Texts = Callable[[str, pl.Series], pl.DataFrame]


class PairGrader(Protocol):
    """What grades pairs: a Labeler."""

    def grade(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> pl.DataFrame: ...


@dataclass(frozen=True)
class PairChunk:
    """Some consecutive rows of a pairs file: `rows()` reads them with their texts, `part` is the
    file for their labels."""

    part: Path
    rows: Callable[[], pl.DataFrame]
    n_rows: int


class GradeChunks(Protocol):
    """An engine: it writes each chunk's `part`, whole or not at all, and then calls `on_done` with
    the chunk."""

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
    """Grade `rows`, as PairChunk.rows returns them, into `part`. A second call writes the same
    file."""
    # A name of its own, not files.whole's: two machines may write one part at the same time.
    scratch = part.with_name(f".{part.name}.{uuid.uuid4().hex}.half")
    _graded(rows, labeler, progress).write_parquet(scratch)
    scratch.replace(part)


def with_texts(rows: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """`rows` of a pairs file with `text`, the document's columns, and status_reason where a row
    cannot be graded.

    A row's own texts count; where it has none, those of its ids do.

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
        known = texts(key, needed)
        rows = rows.join(known, on=key, how="left", maintain_order="left", suffix="_known")
        filled = [
            pl.when(pl.col(own).is_null()).then(f"{name}_known").otherwise(name).alias(name)
            for name in columns
        ]
        rows = rows.with_columns(filled).drop(pl.selectors.ends_with("_known"))
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


def _graded(rows: pl.DataFrame, labeler: PairGrader, progress: Progress) -> pl.DataFrame:
    """The labels of `rows`, in their order."""
    usable = rows.filter(pl.col("status_reason").is_null())
    # The labeler identifies a text by its id, and a file may give one id to two texts: here the
    # text is its id.
    pairs = usable.with_columns(
        query_id=pl.col("text").hash().cast(pl.String),
        doc_id=pl.struct(DOCUMENT_COLUMNS).hash().cast(pl.String),
    )
    grades = labeler.grade(pairs, progress=progress).drop("query_id", "doc_id")
    grades = grades.with_columns(row=usable["row"])
    is_graded = pl.col("status_reason").is_null()
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
    )
