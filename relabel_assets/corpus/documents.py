"""Documents in rows of a table: their columns, their metadata, and the hash of their content.

What belongs here: what makes a row a document. What does not: documents in files (documents_folder/).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import (
    DuplicateCheck,
    optional_text,
    required_id,
    required_text,
)
from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_BODY_CHARACTERS, MAX_METADATA_CHARACTERS
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.one_input import SetAside, costs_itself
from relabel_assets.intake.text import storable
from relabel_assets.intake.visible_text import visible_text
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

COLUMNS = ("doc_id", *DOCUMENT_COLUMNS, "content_hash", "metadata")
# Of one frame of documents: some 50 MB at most, whatever the corpus. Not measured.
_BATCH_CHARACTERS, _BATCH_ROWS = 8_000_000, 5_000
_LONGEST_NAME = 100  # characters of a value's name that was left out
Document = dict[str, str | None]


def document_from_row(row: Mapping[str, Any]) -> Document:
    """The document in a row of a table, all texts in NFC. What has no column of its own is metadata.

    Hidden text is left out of title and body.
    Raises SetAside for a row without doc_id or body, or with a field that is not text.

    >>> document_from_row({"doc_id": "d1", "body": "Ask HR.", "product": "x"})["metadata"]
    '{"product": "x"}'
    """
    columns = {name: _as_text(row, name) for name in DOCUMENT_COLUMNS if name != "body"}
    body = visible_text(required_text(row, "body", max_characters=MAX_BODY_CHARACTERS))
    if not body.strip():
        raise SetAside("body is hidden text alone", "Give it a text that a reader sees.")
    fields = {"doc_id": required_id(row, "doc_id"), "body": body, **columns}
    if columns["title"]:
        fields["title"] = visible_text(columns["title"]).strip() or None
    fields = {name: value and nfc(value) for name, value in fields.items()}
    fields["metadata"] = _metadata(row)
    return fields | {"content_hash": content_hash(fields)}


def _metadata(row: Mapping[str, Any]) -> str | None:
    """What a row has beside the columns, as a JSON object; None without any. Empty values are left out.

    A column `metadata` may hold an object, or its JSON. The longest values are left out where it is too long,
    and named: they must not cost the document.
    """
    rest = {name: value for name, value in row.items() if name not in ("doc_id", *DOCUMENT_COLUMNS)}
    own = rest.pop("metadata", None)
    if isinstance(own, str) and own.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            own = json.loads(own)
    rest |= own if isinstance(own, Mapping) else {"metadata": own}
    stated = {
        str(name): value for name, value in rest.items() if name and value not in (None, "", [], {})
    }
    left_out: list[str] = []
    while stated and len(text := _json(stated)) > MAX_METADATA_CHARACTERS:
        longest = max(stated, key=lambda name: len(_json(stated[name])) + len(name))
        del stated[longest]
        left_out.append(longest[:_LONGEST_NAME])
        stated |= {"left_out": left_out}
    return nfc(storable(text)) if stated else None


def _json(value: Any) -> str:
    try:
        # sort_keys: the order in a file is no change of the document.
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    except (ValueError, TypeError, RecursionError):
        return json.dumps(str(value)[:_LONGEST_NAME])


def documents_from_rows(
    rows: Iterable[tuple[int, Mapping[str, Any] | SetAside]], *, file: str, problems: list[Problem]
) -> Iterator[Document]:
    """Every document of one file of rows. An unusable row is added to `problems`."""
    ids = DuplicateCheck()
    for line, row in rows:
        with costs_itself(problems, file, line):
            if isinstance(row, SetAside):
                raise row
            document = document_from_row(row)
            ids.add(document["doc_id"], f"doc_id {document['doc_id']!r}", f"line {line}")
            yield document


def frames_of(
    documents: Iterable[Document], *, characters: int = _BATCH_CHARACTERS
) -> Iterator[pl.DataFrame]:
    """Frames of COLUMNS, all text, of as many documents as have about `characters` in their bodies.

    >>> rows = [document_from_row({"doc_id": f"d{n}", "body": "leave"}) for n in range(3)]
    >>> [frame.height for frame in frames_of(rows, characters=10)]
    [2, 1]
    """
    batch: list[Document] = []
    n_characters = 0
    for document in documents:
        batch.append(document)
        n_characters += len(document["body"] or "")
        if n_characters >= characters or len(batch) >= _BATCH_ROWS:
            yield _frame_of(batch)
            batch, n_characters = [], 0
    if batch:
        yield _frame_of(batch)


def empty_frame() -> pl.DataFrame:
    """A frame of COLUMNS without a row."""
    return _frame_of([])


def _frame_of(documents: list[Document]) -> pl.DataFrame:
    return pl.DataFrame(documents, schema=dict.fromkeys(COLUMNS, pl.String))


def with_bodies(
    documents: pl.DataFrame, body_of: Callable[[Mapping[str, Any]], str]
) -> pl.DataFrame:
    """`documents` with the body that `body_of` gives each row. Only a changed body has another hash.

    >>> frame = next(frames_of([document_from_row({"doc_id": "d1", "body": "Ask HR."})]))
    >>> with_bodies(frame, lambda row: row["body"]).equals(frame)
    True
    """
    rows = documents.to_dicts()
    for row in rows:
        body = body_of(row)
        if body != row["body"]:
            row["body"] = body
            row["content_hash"] = content_hash(row)
    return pl.DataFrame(rows, schema=documents.schema, orient="row")


def content_hash(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a document's columns, and of its metadata where it has any.

    >>> leave = dict.fromkeys(DOCUMENT_COLUMNS) | {"body": "Ask HR."}
    >>> content_hash(leave) == content_hash(leave | {"metadata": None})
    True
    """
    values = [fields[name] for name in DOCUMENT_COLUMNS]
    if fields.get("metadata"):  # without any, the hash stays that of earlier versions
        values.append(fields["metadata"])
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def _as_text(row: Mapping[str, Any], name: str) -> str | None:
    """The value under `name` as text: a date in ISO 8601, a number in digits."""
    value = row.get(name)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return optional_text(row, name)
