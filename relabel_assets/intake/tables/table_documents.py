"""A table among the files of documents/: its rows are documents, or the table is one document.

What belongs here: which of the two, and the text of a table. What does not: reading tables (reader.py), and
what makes a text a document (corpus/documents_folder/).
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.column_names import Columns, MissingColumn
from relabel_assets.intake.tables.kinds import DOCUMENTS
from relabel_assets.intake.tables.numbered_rows import Table
from relabel_assets.intake.tables.reader import read_table
from relabel_assets.intake.tables.sheet_rows import SUFFIXES as SHEETS
from relabel_assets.intake.tables.sheet_rows import sheet_cells

_ANY = Columns({}, ())
_MANY_ROWS = 20  # of a table that is one document: more may be meant as documents
_FIELDS = ("title", "author", "path", "updated_at", "doc_type")


def table_documents(name: str, content: bytes) -> Iterator[FileText | Unread]:
    """The documents of the table `name` with these bytes.

    With the columns of documents, each row is one, by its doc_id. Else the whole table is one document: a
    line for each row, its cells divided by |. Raises SetAside for a table that cannot be read.

    >>> [text.inner_name for text in table_documents("pages.csv", b"ID;Text\\n7;leave\\n")]
    ['7']
    >>> [text.body for text in table_documents("prices.csv", b"item,price\\nbadge,5\\n")]
    ['item | price\\nbadge | 5']
    """
    suffix = PurePosixPath(name).suffix.lower()
    with tempfile.TemporaryFile() as file:  # a parser in a process of its own reads a file
        file.write(content)
        file.flush()
        try:
            table = read_table(file, suffix, DOCUMENTS)
            yield from _documents(table, suffix)
        except MissingColumn:
            if suffix == ".parquet":
                raise  # its cells are numbers for programs, more often than text
            lines = list(_lines(file, suffix))
            yield FileText(body="\n".join(lines), notes=_notes(len(lines)))


def _notes(n_lines: int) -> tuple[str, ...]:
    if n_lines <= _MANY_ROWS:
        return ()
    remedy = "Name columns doc_id and body if each row is a document."
    return (f"Its {n_lines:,} lines are one document. {remedy}",)


def _documents(table: Table, suffix: str) -> Iterator[FileText | Unread]:
    """A document for each row. Raises MissingColumn for JSON whose first object is none."""
    is_first = True
    for number, row in table.rows:
        if isinstance(row, SetAside):
            yield Unread(f"line {number}", row.message, row.remedy)
            continue
        if is_first and suffix in (".json", ".jsonl"):
            DOCUMENTS.check(row, list(row))
        is_first = False
        doc_id, body = row.pop("doc_id", None), row.pop("body", None)
        if not doc_id or not isinstance(doc_id, str):
            yield Unread(f"line {number}", "doc_id is missing or empty", "Give it a doc_id.")
        elif not isinstance(body, str) or not body.strip():
            yield Unread(doc_id, "body is missing or empty", "Give it a body.")
        else:
            fields: dict[str, Any] = {field: _text(row.pop(field, None)) for field in _FIELDS}
            others = {key: value for key, value in row.items() if key and value not in (None, "")}
            yield FileText(body=body, inner_name=doc_id, metadata=others, **fields)


def _lines(file: Any, suffix: str) -> Iterator[str]:
    """The text of each row of any table, its header first. Sheets have their names before them."""
    if suffix in SHEETS:
        last = None
        for sheet, cells in sheet_cells(file):
            if sheet != last:
                last = sheet
                yield f"## {sheet}"
            yield _line(cells)
        return
    names: list[str] = []
    for number, row in read_table(file, suffix, _ANY).rows:
        if isinstance(row, SetAside):
            raise SetAside(f"line {number:,}: {row.message}", row.remedy)
        if list(row) != names:
            names = list(row)
            yield _line(names)
        yield _line(list(row.values()))


def _line(cells: Sequence[Any]) -> str:
    return " | ".join(" ".join((_text(cell) or "").split()) for cell in cells)


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell or None
    return json.dumps(cell, ensure_ascii=False)
