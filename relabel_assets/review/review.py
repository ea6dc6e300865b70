"""A review: what one assessor did with one pair, as a value and as a line of JSON.

What belongs here: the fields of a line and their checks, and the names of assessors. What does not: files
(store.py), and which of several reviews of a pair counts (standing.py).
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from relabel_assets.corpus.rows import (
    optional_choice,
    optional_id,
    optional_text,
    required_grade,
    required_id,
    required_text,
)
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

ACTIONS = ("grade", "skip", "undo")
# 40 letters of any script fit into the 255 bytes of a file's name.
_ASSESSOR = re.compile(r"\w[\w.-]{0,39}")
_NAMES = "Allowed: 1 to 40 letters, digits, spaces and _ . - with a letter or digit first."


@dataclass(frozen=True, slots=True)
class Review:
    """One action of an assessor on a pair. `reviewed_at` is in UTC.

    `grade` is a grade of the rubric where the action is `grade`, else None. `content_hash` is
    content_hash() of what was shown; None where that is not known. `request_id` is the browser's id of
    the action: of two lines with the same id, the second does not count.
    """

    action: str
    query_id: str
    doc_id: str
    assessor: str
    reviewed_at: datetime
    grade: int | None = None
    note: str | None = None
    content_hash: str | None = None
    request_id: str | None = None

    def line(self) -> bytes:
        """The review as a line of JSON, with its newline."""
        fields = asdict(self) | {"reviewed_at": self.reviewed_at.astimezone(UTC).isoformat()}
        return json.dumps(fields).encode() + b"\n"


def review_from_row(row: Mapping[str, Any], *, max_grade: int) -> Review:
    """The review in a line's object. Raises SetAside for one that cannot be used.

    >>> row = {"action": "grade", "query_id": "q1", "doc_id": "d1", "assessor": "ana", "grade": 2,
    ...        "reviewed_at": "2026-05-04T10:00:00+00:00"}
    >>> review_from_row(row, max_grade=3).grade
    2
    """
    action = optional_choice(row, "action", ACTIONS)
    if action is None:
        raise SetAside("action is missing", f"Allowed: {', '.join(ACTIONS)}.")
    is_grade = action == "grade"
    return Review(
        action=action,
        query_id=required_id(row, "query_id"),
        doc_id=required_id(row, "doc_id"),
        assessor=assessor_name(required_text(row, "assessor")),
        reviewed_at=_time(required_text(row, "reviewed_at")),
        grade=required_grade(row.get("grade"), max_grade) if is_grade else None,
        note=optional_text(row, "note"),
        content_hash=optional_id(row, "content_hash"),
        request_id=optional_id(row, "request_id"),
    )


def assessor_name(text: str) -> str:
    """An assessor's name, as it is stored: lower case, without spaces. It is the name of a file too.

    Raises SetAside for one with other characters than letters, digits, `_`, `.` and `-`.

    >>> assessor_name(" Ana Lima ")
    'ana_lima'
    """
    name = "_".join(unicodedata.normalize("NFKC", text).casefold().split())
    if not _ASSESSOR.fullmatch(name):
        raise SetAside(f"the assessor's name is {shown(text)}", _NAMES)
    return name


def content_hash(text: str, document: Mapping[str, Any]) -> str:
    """SHA-256 of a query's text and of a document's DOCUMENT_COLUMNS: what an assessor sees.

    >>> content_hash("leave", {"title": "Leave", "body": "Ask HR."})[:8]
    '1e7e0bb5'
    """
    values = [text, *(document.get(column) for column in DOCUMENT_COLUMNS)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _time(text: str) -> datetime:
    """The time in ISO 8601; without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        remedy = "Write it as 2026-05-04T10:00:00+00:00."
        raise SetAside(f"reviewed_at is {shown(text)}, not a time", remedy) from error
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise SetAside(f"reviewed_at is {shown(text)}, out of range", "Correct it.") from error
