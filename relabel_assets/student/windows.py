"""The windows of a document: 80 words of its body each, or 120 characters of a script without spaces, below a
line of its title and metadata.

What belongs here: cutting text. What does not: tokens and vectors (runtime/encoder.py).
"""

from collections.abc import Mapping
from typing import Any

from relabel_assets.intake.words import cut_unspaced, has_unspaced

# About 110 tokens: with the header they fit the 192 tokens (max_length) that a student encodes.
# Measured: windows of 120 words cost kappa (docs/experiments.md).
WINDOW_WORDS = 80
# In scripts without spaces, most tokens are one character. 80 Chinese words have about as many. Not measured.
_UNSPACED_CHARACTERS = 120
_HEADER_FIELDS = ("title", "author", "path", "doc_type", "updated_at")
# About 80 pages, whose token vectors take 70 MB. Without a limit, one huge file could fill the memory.
# Of a longer body, the passages nearest the query are read (long_documents.py).
BODY_CHARACTERS = 200_000
# Every window starts with the header: a title of a thousand words would push the body past max_length.
_HEADER_CHARACTERS = 300


def header(document: Mapping[str, Any]) -> str:
    """One line with the title, author, path, type and date that the document has.

    >>> header({"title": "Parental leave", "author": None, "updated_at": "2026-01-01"})
    'Parental leave | 2026-01-01'
    """
    line = " | ".join(str(document[name]) for name in _HEADER_FIELDS if document.get(name))
    return line[:_HEADER_CHARACTERS]


def body(document: Mapping[str, Any]) -> str:
    """The first BODY_CHARACTERS of the body.

    >>> body({"body": "Sixteen weeks."}), body({"body": None})
    ('Sixteen weeks.', '')
    """
    return str(document.get("body") or "")[:BODY_CHARACTERS]


def windows(document: Mapping[str, Any]) -> list[str]:
    """The document's windows, at least one, each with the header as its first line.

    >>> windows({"title": "Leave", "body": "Sixteen weeks."})
    ['Leave\\nSixteen weeks.']
    >>> len(windows({"title": "Leave", "body": "week " * 81}))
    2
    >>> [len(window) for window in windows({"title": "休暇", "body": "育児休業" * 40})]
    [123, 43]
    """
    words = body(document).split()
    line = header(document)
    starts = range(0, max(1, len(words)), WINDOW_WORDS)
    texts = (" ".join(words[start : start + WINDOW_WORDS]) for start in starts)
    return [
        f"{line}\n{part}" for text in texts for part in cut_unspaced(text, _UNSPACED_CHARACTERS)
    ]


def unspaced_windows(text: str | None) -> int | None:
    """The number of windows of a body where no space is at one of the cuts; None for any other body.

    >>> unspaced_windows("育児休業" * 40), unspaced_windows("week " * 81), unspaced_windows(None)
    (2, None, None)
    """
    if not text or not has_unspaced(text):
        return None
    n_windows = len(windows({"body": text}))
    n_words = len(body({"body": text}).split())
    return n_windows if n_windows > max(1, -(-n_words // WINDOW_WORDS)) else None
