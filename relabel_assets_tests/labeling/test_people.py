"""Grades of people hold for rows with the ids and the texts of the corpus, and for no others."""

import polars as pl
import pytest

from relabel_assets.labeling import pairs_file
from relabel_assets.labeling.chunk import with_texts
from relabel_assets.labeling.people_known import PeoplesGrades
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS


def corpus(column: str, ids: pl.Series) -> pl.DataFrame:
    """One query and one document."""
    if column == "query_id":
        rows = pl.DataFrame({"query_id": ["q"], "text": ["parental leave"]})
    else:
        texts = dict.fromkeys(DOCUMENT_COLUMNS, None) | {"title": "Leave", "body": "480 days."}
        rows = pl.DataFrame({"doc_id": ["d"]} | {name: [text] for name, text in texts.items()})
    return rows.cast(pl.String).filter(pl.col(column).is_in(ids.implode()))


PEOPLE = PeoplesGrades(
    pl.DataFrame({"query_id": ["q", "q"], "doc_id": ["d", "gone"], "grade": [3, 1]}), corpus
)


def rows_of(*rows: dict[str, str]) -> pl.DataFrame:
    """Rows of a chunk with these cells."""
    schema = dict.fromkeys(pairs_file.COLUMNS, pl.String)
    return with_texts(pl.DataFrame(rows, schema=schema).with_row_index("row"), corpus)


@pytest.mark.parametrize(
    ("row", "is_graded"),
    [
        ({"query_id": "q", "doc_id": "d"}, True),
        ({"query_id": "q", "doc_id": "d", "query": "parental leave"}, True),
        ({"query_id": "q", "doc_id": "d", "title": "Leave", "body": "480 days."}, True),
        ({"query_id": "q", "doc_id": "d", "query": "sick leave"}, False),
        ({"query_id": "q", "doc_id": "d", "title": "Leave", "body": "None."}, False),
        ({"query_id": "q", "doc_id": "gone", "body": "480 days."}, False),
        ({"query_id": "q", "doc_id": "other", "body": "480 days."}, False),
        ({"query": "parental leave", "title": "Leave", "body": "480 days."}, False),
    ],
)
def test_ids_and_texts_must_be_those_of_the_corpus(row: dict[str, str], is_graded: bool) -> None:
    graded = PEOPLE.of(rows_of({"query": "anything", "body": "anything"}, row))
    assert graded.rows() == ([(1, 3)] if is_graded else [])


def test_other_grades_are_another_identity() -> None:
    changed = PeoplesGrades(PEOPLE.grades.with_columns(grade=pl.Series([3, 2])), corpus)
    reordered = PeoplesGrades(PEOPLE.grades.reverse(), corpus)
    assert changed.identity != PEOPLE.identity == reordered.identity
