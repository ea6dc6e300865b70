"""Quepid's CSV: the ratings of a case (query, docid, rating), and a book (a column for each rater).

What belongs here: these two files, as Quepid 8 writes and reads them. What does not: CSV with our own
columns (plain_tables.py). Columns and the space before a formula are those of Quepid's exports:
https://github.com/o19s/quepid/blob/main/app/controllers/api/v1/export/ratings_controller.rb and
https://github.com/o19s/quepid/blob/main/app/controllers/api/v1/books_controller.rb
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from relabel_assets.corpus.rows import required_id
from relabel_assets.exchange.formats.format import Format, Read, opened, query_text, whole_grade
from relabel_assets.exchange.judgments import Judgment, Judgments, Unwritable, of_repeated_texts
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.tables.column_names import Columns
from relabel_assets.intake.tables.delimited import delimited_table

_PAIR = {"query": ("Query Text",), "docid": ("Doc ID",)}
# Also read: the titles of the form that Quepid's import shows.
CASE_COLUMNS = Columns(_PAIR | {"rating": ()}, (("query",), ("docid",), ("rating",)))
BOOK_COLUMNS = Columns(_PAIR, (("query",), ("docid",)))
# Quepid puts a space before a query that a spreadsheet would run, and takes it off again.
_FORMULA_STARTS = ("-", "=", "+", "@")


def refused(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows of queries with the text of another: Quepid tells queries apart by text.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> list(refused(Judgments(judgments_frame([]), "demo", "final", 3)))
    []
    """
    return of_repeated_texts(judgments)


def write_case(judgments: Judgments, path: Path) -> None:
    """The ratings of a case, a row a judgment.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "=leave", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     write_case(Judgments(frame, "demo", "final", 3), Path(file.name))
    ...     file.read()
    b'query,docid,rating\\r\\n =leave,d1,2\\r\\n'
    """
    _write(judgments, path, "rating")


def write_book(judgments: Judgments, path: Path) -> None:
    """A book with the labeler as its only rater.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "leave", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     write_book(Judgments(frame, "demo", "final", 3), Path(file.name))
    ...     file.read().splitlines()[0]
    b'query,docid,final'
    """
    _write(judgments, path, judgments.labeler)


def read_case(path: Path, max_grade: int) -> Read:
    """Each rating with its line. Queries without ratings have no judgment.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "case.csv"
    ...     _ = path.write_text("query,docid,rating\\nleave,d1,2\\ntravel,,\\n")
    ...     [(_, judgment)] = read_case(path, 3)
    >>> judgment.text, judgment.grade
    ('leave', 2)
    """
    return _read(path, max_grade, is_book=False)


def read_book(path: Path, max_grade: int) -> Read:
    """Each rating of each rater with its line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "book.csv"
    ...     _ = path.write_text("query,docid,Ana,Ben\\nleave,d1,2,3\\n")
    ...     judgments = [judgment for _, judgment in read_book(path, 3)]
    >>> [(judgment.assessor, judgment.grade) for judgment in judgments]
    [('Ana', 2), ('Ben', 3)]
    """
    return _read(path, max_grade, is_book=True)


def _write(judgments: Judgments, path: Path, rating: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("query", "docid", rating))
        for text, doc_id, grade in judgments.frame.select("text", "doc_id", "grade").iter_rows():
            safe = f" {text}" if text.startswith(_FORMULA_STARTS) else text
            writer.writerow((safe, doc_id, grade))


def _read(path: Path, max_grade: int, *, is_book: bool) -> Read:
    columns = BOOK_COLUMNS if is_book else CASE_COLUMNS
    with opened(path) as file:
        for line, row in delimited_table(file, columns).rows:
            if isinstance(row, SetAside):
                yield line, row
                continue
            ratings = row if is_book else {"rating": row["rating"]}
            for rater, rating in ratings.items():
                if rater in _PAIR or not rating.strip():
                    continue
                try:
                    yield (
                        line,
                        Judgment(
                            text=query_text(row["query"]),
                            doc_id=required_id(row, "docid"),
                            grade=whole_grade(rating, max_grade),
                            assessor=rater if is_book else None,
                        ),
                    )
                except SetAside as reason:
                    yield line, reason


CASE = Format(
    "quepid-case",
    "Quepid: the ratings of a case, as CSV",
    ".csv",
    refused,
    write_case,
    read_case,
)
BOOK = Format(
    "quepid-book",
    "Quepid: a book with a rater, as CSV",
    ".csv",
    refused,
    write_book,
    read_book,
)
