"""A form: what a person is asked in another tool, and the answer that comes back.

What belongs here: what all formats share. What does not: one format (csv_form.py, label_studio.py,
argilla.py), and what becomes of an answer (import_answers.py).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from relabel_assets.corpus.rows import required_grade
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.review.pairs_to_review import PairsToReview, in_order_of
from relabel_assets.tables.vocabulary import DOCUMENT_METADATA

_DIGITS = re.compile(r"([0-9])(?:\.0+)?")  # a spreadsheet may write 2 as 2.0


@dataclass(frozen=True)
class Question:
    """One pair as a person sees it: no grade, score or stratum. `metadata` is lines of name: value."""

    pair_id: str
    query_id: str
    doc_id: str
    query: str
    title: str
    body: str
    metadata: str
    content_hash: str


@dataclass(frozen=True)
class Answer:
    """What a person said about a pair. `grade` None: no grade was given. `line` is its place in the file.

    `pair_id` may be None, and then both ids are there. `assessor`: as the tool names the person.
    """

    line: int
    pair_id: str | None
    query_id: str | None
    doc_id: str | None
    grade: int | None
    note: str | None = None
    assessor: str | None = None
    reviewed_at: datetime | None = None
    content_hash: str | None = None


def questions(pairs: PairsToReview) -> Iterator[Question]:
    """The questions about `pairs`, query by query, in an order that tells nothing of ranks.

    >>> from pathlib import Path
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> document = {"title": "Leave", "body": "Ask HR.", "author": "Ana"}
    >>> texts = [("q1", "d1")], {"q1": "leave"}, {"d1": document}
    >>> pairs = PairsToReview("demo", Path("reviews"), default_rubric(), *texts)
    >>> [(question.query, question.metadata) for question in questions(pairs)]
    [('leave', 'author: Ana')]
    """
    for query_id, doc_id in in_order_of("", pairs.pairs):
        document = pairs.documents[doc_id]
        lines = (f"{name}: {document[name]}" for name in DOCUMENT_METADATA if document.get(name))
        yield Question(
            pair_id=pair_id(query_id, doc_id),
            query_id=query_id,
            doc_id=doc_id,
            query=pairs.queries[query_id],
            title=document.get("title") or "",
            body=document.get("body") or "",
            metadata="\n".join(lines),
            content_hash=pairs.content_hash((query_id, doc_id)),
        )


def pair_id(query_id: str, doc_id: str) -> str:
    """A short id of a pair, which no spreadsheet takes for a number or a date.

    >>> pair_id("0012", "1-2")
    'pair-4b26af584936d2fc'
    """
    return "pair-" + hashlib.sha256(f"{query_id}\0{doc_id}".encode()).hexdigest()[:16]


def choices(rubric: Rubric) -> dict[int, str]:
    """The name of each grade as a choice.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> choices(default_rubric())[2]
    '2 relevant'
    """
    return {grade.grade: f"{grade.grade} {grade.name}" for grade in rubric.grades}


def grade_in(value: Any, rubric: Rubric) -> int | None:
    """The grade of an answer: a number, its digits, or the name of a choice; None for a blank one.

    Raises SetAside for all else.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> [grade_in(value, default_rubric()) for value in (2, "2", " 2.0 ", choices(default_rubric())[2], "")]
    [2, 2, 2, 2, None]
    """
    if not isinstance(value, str):
        return None if value is None else required_grade(value, rubric.max_grade)
    text = value.strip()
    by_name = {name: grade for grade, name in choices(rubric).items()}
    digits = _DIGITS.fullmatch(text)
    if not text or text in by_name:
        return by_name.get(text)
    return required_grade(int(digits[1]) if digits else text, rubric.max_grade)


def time_in(row: Mapping[str, Any], *names: str) -> datetime | None:
    """The first time under one of `names`, in UTC; None without one. Raises SetAside for another text.

    >>> time_in({"updated_at": None, "created_at": "2026-05-04T12:00:00+02:00"}, "updated_at", "created_at")
    datetime.datetime(2026, 5, 4, 10, 0, tzinfo=datetime.timezone.utc)
    """
    text = next((row[name] for name in names if row.get(name)), None)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        remedy = "Write it as 2026-05-04T10:00:00+00:00, or leave it out."
        raise SetAside(f"{shown(text)} is no time", remedy) from error
