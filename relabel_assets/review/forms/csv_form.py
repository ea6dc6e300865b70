"""Forms as CSV, for a spreadsheet: a row a pair, and an empty column `grade` to fill.

What belongs here: columns and cells. What does not: what an answer means (form.py).
"""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from relabel_assets.corpus.rows import optional_id, optional_text
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.tables.column_names import Columns
from relabel_assets.intake.tables.delimited import delimited_table
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.review.forms.form import Answer, Question, choices, grade_in, time_in

_COLUMNS = ("pair_id", "query_id", "doc_id", "query", "title", "body", "metadata")
# Spreadsheets save the form with other delimiters and encodings.
_ANSWERS = Columns(
    dict.fromkeys(("pair_id", "query_id", "doc_id", "grade", "note", "assessor"), ()),
    (("grade",), ("pair_id", "query_id"), ("pair_id", "doc_id")),
)
# A cell that begins with one of these is a formula to a spreadsheet, or looks like a neutralised one.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def write(questions: Iterable[Question], rubric: Rubric) -> dict[str, bytes]:
    """The content of the form by the suffix of its file.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> question = Question("pair-1", "q1", "d1", "leave", "Leave", "Ask HR.", "", "0" * 64)
    >>> write([question], default_rubric())[".csv"].decode("utf-8-sig").splitlines()[1][:25]
    'pair-1,q1,d1,leave,Leave,'
    """
    allowed = "; ".join(choices(rubric).values())
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow((*_COLUMNS, "allowed_grades", "grade", "note", "content_hash"))
    for question in questions:
        cells = [neutral(getattr(question, column)) for column in _COLUMNS]
        writer.writerow((*cells, allowed, "", "", question.content_hash))
    # The mark tells spreadsheets that it is UTF-8.
    return {".csv": text.getvalue().encode("utf-8-sig")}


def read(file: BinaryIO, rubric: Rubric) -> Iterator[tuple[int, Answer | SetAside]]:
    """Each answer with its line, or the reason why it cannot be used.

    Needed are `grade`, and `pair_id` or both ids. Raises SetAside for other columns.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> [(_, answer)] = read(io.BytesIO(b"pair_id,grade\\npair-1,2\\n"), default_rubric())
    >>> answer.grade, answer.line
    (2, 2)
    """
    for line, row in delimited_table(file, _ANSWERS).rows:
        if isinstance(row, SetAside):
            yield line, row
            continue
        cells = {name: original(cell) for name, cell in row.items()}
        try:
            yield (
                line,
                Answer(
                    line=line,
                    pair_id=optional_id(cells, "pair_id"),
                    query_id=optional_id(cells, "query_id"),
                    doc_id=optional_id(cells, "doc_id"),
                    grade=grade_in(cells["grade"], rubric),
                    note=optional_text(cells, "note"),
                    assessor=optional_text(cells, "assessor"),
                    reviewed_at=time_in(cells, "reviewed_at"),
                    content_hash=optional_id(cells, "content_hash"),
                ),
            )
        except SetAside as reason:
            yield line, reason


def neutral(cell: str) -> str:
    """`cell` as text that no spreadsheet runs as a formula; `original` undoes it.

    >>> neutral("=1+1"), neutral("leave"), original(neutral("'=1+1"))
    ("'=1+1", 'leave', "'=1+1")
    """
    return "'" + cell if cell.startswith(_FORMULA_STARTS) else cell


def original(cell: str) -> str:
    """The cell that `neutral` made text.

    >>> original("'=1+1"), original("it's")
    ('=1+1', "it's")
    """
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA_STARTS) else cell
