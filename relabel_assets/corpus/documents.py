"""Documents in rows of JSON, CSV or Parquet, and in files of Markdown or text with front matter.

What belongs here: what makes a row or a file a document, and the hash of its content. What does
not: finding files (folder.py).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import (
    DuplicateCheck,
    optional_text,
    required_id,
    required_text,
)
from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_BODY_CHARACTERS, MAX_FRONT_MATTER_BYTES
from relabel_assets.intake.one_input import SetAside, costs_itself
from relabel_assets.intake.visible_text import visible_text
from relabel_assets.intake.yaml_text import BadYaml, parse_yaml
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

COLUMNS = ("doc_id", *DOCUMENT_COLUMNS, "content_hash")
TEXT_SUFFIXES = (".md", ".markdown", ".txt")
_FENCE = re.compile(r"-{3,}[ \t]*")  # the line before and after front matter
# Of one frame of documents: some 50 MB at most, whatever the corpus. Not measured.
_BATCH_CHARACTERS, _BATCH_ROWS = 8_000_000, 5_000
Document = dict[str, str | None]


def document_from_row(row: Mapping[str, Any]) -> dict[str, str | None]:
    """The document in a row of JSON Lines, CSV or Parquet.

    Hidden text is left out of title and body.
    Raises SetAside for a row without doc_id or body, or with a field that is not text.
    """
    named = {_BEIR_NAMES.get(name, name): value for name, value in row.items()}
    columns = {name: _as_text(named, name) for name in DOCUMENT_COLUMNS if name != "body"}
    body = visible_text(required_text(named, "body", max_characters=MAX_BODY_CHARACTERS))
    if not body.strip():
        raise SetAside("body is hidden text alone", "Give it a text that a reader sees.")
    fields = {"doc_id": required_id(named, "doc_id"), "body": body, **columns}
    if columns["title"]:
        fields["title"] = visible_text(columns["title"]).strip() or None
    return fields | {"content_hash": content_hash(fields)}


def document_from_file(name: str, content: bytes) -> dict[str, str | None]:
    """The document in a file; `name` is its path under documents/, with forward slashes.

    Front matter gives title, author, path, doc_type (or type) and updated_at (or date). Otherwise
    the title is the first heading or the file's name, the path is `name` and the type is the
    folder's name. The times of a file are not used: a clone changes them. Raises SetAside for a
    file without text, in another encoding than UTF-8, or with front matter that is not YAML.

    >>> document_from_file("hr/leave.md", b"---\\nauthor: Ana\\n---\\n# Leave\\nAsk HR.")["title"]
    'Leave'
    """
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start:,})"
        raise SetAside(message, "Save the file as UTF-8.") from error
    matter, body = _front_matter(text.strip())
    body = visible_text(body).strip()  # before a title is found in it
    file = PurePosixPath(name)
    row = {
        "doc_id": str(file.with_suffix("")),
        "title": _first(matter, "title") or _heading(body) or file.stem,
        "body": body,
        "author": _first(matter, "author", "authors"),
        "path": _first(matter, "path") or name,
        "updated_at": _first(matter, "updated_at", "date"),
        "doc_type": _first(matter, "doc_type", "type") or (file.parent.name or None),
    }
    return document_from_row(row)


def _front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    """The keys and values between two fences at the start of `text`, and the text after them.

    Without a mapping there, all of it is text. Raises SetAside for front matter that is not YAML.
    """
    first, *lines = text.split("\n")
    if not _FENCE.fullmatch(first.rstrip("\r")):
        return {}, text
    end = next((n for n, line in enumerate(lines) if _FENCE.fullmatch(line.rstrip("\r"))), None)
    if end is None:
        return {}, text
    try:
        parsed = parse_yaml("\n".join(lines[:end]), max_bytes=MAX_FRONT_MATTER_BYTES)
    except BadYaml as error:
        where = "" if error.line is None else f" in line {error.line + 1}"
        message = f"front matter cannot be read{where}: {error}"
        raise SetAside(message, "Correct the text between the two --- lines.") from error
    if not isinstance(parsed.value, dict):
        return {}, text
    return parsed.value, "\n".join(lines[end + 1 :]).strip()


def _heading(body: str) -> str | None:
    """The text of the first line `# ...`, without the # at its end; None without one."""
    for line in body.split("\n"):
        if line.startswith(("# ", "#\t")):
            text = line[1:].strip()
            before = text.rstrip("#")
            # CommonMark: the closing # stand alone. "C#" is a word.
            text = before.rstrip() if before != before.rstrip() or not before else text
            if text:
                return text
    return None


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


def documents_from_files(
    files: Iterable[tuple[str, bytes]], *, folder: str, problems: list[Problem]
) -> Iterator[Document]:
    """The document of each of `files` (path under `folder`, content). An unusable file is a problem."""
    ids = DuplicateCheck()
    for name, content in files:
        with costs_itself(problems, f"{folder}/{name}"):
            document = document_from_file(name, content)
            ids.add(document["doc_id"], f"doc_id {document['doc_id']!r}", name)
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


def content_hash(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a document's title, body and metadata."""
    values = [fields[name] for name in DOCUMENT_COLUMNS]
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def _as_text(row: Mapping[str, Any], name: str) -> str | None:
    """The value under `name` as text: a date in ISO 8601, a number in digits."""
    value = row.get(name)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return optional_text(row, name)


def _first(matter: Mapping[str, Any], *names: str) -> Any:
    """The first value that is not empty under `names`; None without one. A list is joined."""
    for name in names:
        value = matter.get(name)
        if isinstance(value, list):
            value = ", ".join(str(item) for item in value if item is not None)
        if value not in (None, ""):
            return value
    return None
