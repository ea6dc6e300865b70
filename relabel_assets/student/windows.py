"""A document as the student reads it: windows of its body, each under a line of its title and metadata.

What belongs here: cutting text into windows. What does not: tokens and vectors (encoder.py).
"""

from collections.abc import Mapping
from typing import Any

WINDOW_WORDS = 80
_HEADER_FIELDS = ("title", "author", "path", "doc_type", "updated_at")
BODY_CHARACTERS = 200_000  # some 80 pages, whose vectors are 70 MB
_HEADER_CHARACTERS = 300  # a title of a thousand words must not push the body out of the window


def header(document: Mapping[str, Any]) -> str:
    """The line that tells title, author, path, type and date; what is missing is left out."""
    return " | ".join(str(document[name]) for name in _HEADER_FIELDS if document.get(name))[:_HEADER_CHARACTERS]


def body(document: Mapping[str, Any]) -> str:
    """What is read of the body: all of it, but for what could fill the memory."""
    return str(document.get("body") or "")[:BODY_CHARACTERS]


def windows(document: Mapping[str, Any]) -> list[str]:
    """The texts that stand for a document: 80 words of the body each, under its header; at least one."""
    words = body(document).split()
    head = header(document)
    chunks = [words[start : start + WINDOW_WORDS] for start in range(0, len(words), WINDOW_WORDS)] or [[]]
    return [f"{head}\n{' '.join(chunk)}" for chunk in chunks]
