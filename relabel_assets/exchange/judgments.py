"""Judgments: the grades of one labeler with their provenance, as every format takes and gives them.

What belongs here: their columns, and the rows that a format cannot hold. What does not: one format
(formats/), where grades come from (chosen_labels.py), and files (export_file.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.text import one_line, shown

# One row a pair. `labeler`, `model`, `prompt_hash` and `request_key` are its provenance.
JUDGMENTS: dict[str, Any] = {
    "query_id": pl.String,
    "text": pl.String,  # of the query
    "split": pl.String,  # of the query
    "doc_id": pl.String,
    "title": pl.String,
    "grade": pl.Int64,
    "expected_grade": pl.Float64,
    "grade_probs": pl.List(pl.Float64),  # from grade 0 up
    "labeler": pl.String,
    "model": pl.String,
    "prompt_hash": pl.String,
    "request_key": pl.String,
}


@dataclass(frozen=True)
class Judgments:
    """The `frame` with the columns of JUDGMENTS, one row a pair, and what formats say of its origin.

    `index` is the name of the search index that some formats ask for. `documents` gives the corpus'
    documents with doc_id, title and body, some thousand at a time.
    """

    frame: pl.DataFrame
    corpus: str
    labeler: str
    max_grade: int
    index: str = ""
    documents: Callable[[], Iterator[pl.DataFrame]] = lambda: iter(())

    @property
    def origin(self) -> str:
        """Where the grades are from, as one line for formats that have room for it."""
        return f"relabel-assets: corpus {self.corpus}, labeler {self.labeler}"

    def with_frame(self, frame: pl.DataFrame) -> "Judgments":
        """The same with other rows."""
        return replace(self, frame=frame)

    def by_query(self) -> Iterator[tuple[str, str, list[tuple[str, int]]]]:
        """(query_id, text, its documents with their grades) of each query, in the frame's order."""
        for _, rows in self.frame.group_by("query_id", maintain_order=True):
            first = rows.row(0, named=True)
            yield first["query_id"], first["text"], list(rows.select("doc_id", "grade").iter_rows())


@dataclass(frozen=True)
class Judgment:
    """One row of a file that is imported. At least one of `query_id` and `text` is there."""

    doc_id: str
    grade: int
    query_id: str | None = None
    text: str | None = None
    assessor: str | None = None  # who graded, where the file names several
    expected_grade: float | None = None
    grade_probs: tuple[float, ...] | None = None
    labeler: str | None = None
    model: str | None = None
    prompt_hash: str | None = None
    request_key: str | None = None


@dataclass(frozen=True)
class Unwritable:
    """A row that a format cannot hold: its place in the frame, from 0, and the reason."""

    row: int
    reason: str


def judgments_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """`rows` with all columns of JUDGMENTS; missing ones are NULL.

    >>> judgments_frame([{"query_id": "q1", "doc_id": "d1", "grade": 2}]).row(0)[:6]
    ('q1', None, None, 'd1', None, 2)
    """
    return pl.DataFrame(rows, schema=JUDGMENTS)


def text_key(text: str) -> str:
    """What two query texts are compared by: their characters, NFC, without outer white space.

    >>> text_key(" leave\\n") == text_key("leave")
    True
    """
    return nfc(text).strip()


def unwritable(judgments: Judgments, fault: pl.Expr, reason: str) -> Iterator[Unwritable]:
    """The rows for which `fault` is true.

    >>> frame = judgments_frame([{"query_id": "q 1", "doc_id": "d1", "grade": 2}])
    >>> judgments = Judgments(frame, "demo", "final", 3)
    >>> [one.row for one in unwritable(judgments, pl.col("query_id").str.contains(" "), "a space")]
    [0]
    """
    rows = judgments.frame.with_row_index("row").filter(fault)["row"]
    return (Unwritable(row, reason) for row in rows)


def of_repeated_texts(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows of queries whose text an earlier query has: formats without query ids would join them.

    A query without a text is one too.

    >>> frame = judgments_frame([
    ...     {"query_id": "q1", "text": "leave", "doc_id": "d1", "grade": 2},
    ...     {"query_id": "q2", "text": "leave ", "doc_id": "d1", "grade": 0},
    ... ])
    >>> [one.reason for one in of_repeated_texts(Judgments(frame, "demo", "final", 3))]
    ["the query has the text of query 'q1', and the format tells queries apart by text"]
    """
    first_with: dict[str, str] = {}
    pairs = judgments.frame.select("query_id", "text").iter_rows()
    for row, (query_id, text) in enumerate(pairs):
        key = text_key(text or "")
        if not key:
            yield Unwritable(row, "the query has no text")
        elif (owner := first_with.setdefault(key, query_id)) != query_id:
            yield Unwritable(
                row,
                f"the query has the text of query {shown(owner)}, and the format tells queries "
                "apart by text",
            )


def named(judgments: Judgments, one: Unwritable) -> str:
    """A line for a message: the row, its pair and the reason.

    >>> frame = judgments_frame([{"query_id": "q 1", "doc_id": "d1", "grade": 2}])
    >>> named(Judgments(frame, "demo", "final", 3), Unwritable(0, "the query id holds a space"))
    "row 1, query 'q 1', document 'd1': the query id holds a space"
    """
    row = judgments.frame.row(one.row, named=True)
    query_id, doc_id = shown(row["query_id"]), shown(row["doc_id"])
    return one_line(f"row {one.row + 1}, query {query_id}, document {doc_id}: {one.reason}")
