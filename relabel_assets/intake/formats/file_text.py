"""What a reader of one format finds in a file: the text, and what the format says about it.

What belongs here: the values that all readers return. What does not: reading (one file a format), and what
makes a text a document (corpus/documents.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FileText:
    """One document of a file. A field is None where the format says nothing of it.

    `inner_name`: the document's name inside a file that holds several (an archive, a mailbox), with forward
    slashes; None for a file that is one document. `metadata`: whatever else the format states, as JSON
    values, by its own names. `notes`: sentences for a person about what was left out of `body`.

    >>> FileText("Ask HR.", title="Leave").author is None
    True
    """

    body: str
    title: str | None = None
    author: str | None = None
    path: str | None = None
    updated_at: str | None = None  # ISO 8601
    doc_type: str | None = None
    inner_name: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unread:
    """A part of a file that holds several documents, and why it is none: the others are read.

    >>> Unread("minutes/scan.pdf", "it has no text", "Run OCR on it.").inner_name
    'minutes/scan.pdf'
    """

    inner_name: str
    message: str
    remedy: str
