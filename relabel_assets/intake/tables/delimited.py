"""Rows of a CSV or TSV file: strict, each with its line.

What belongs here: splitting text into rows. What does not: how the file is encoded and split
(encodings.py, csv_dialects.py), and what its columns mean (column_names.py).
"""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import MIB
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.column_names import Columns
from relabel_assets.intake.tables.csv_dialects import (
    DELIMITERS,
    Dialect,
    header_of,
    not_split,
    quoting_of,
)
from relabel_assets.intake.tables.encodings import Encoding, encoding_of
from relabel_assets.intake.tables.ids import id_of_text, number_of_text
from relabel_assets.intake.tables.numbered_rows import NumberedRow, Row, Table
from relabel_assets.intake.text import is_storable, shown


def delimited_table(file: BinaryIO, columns: Columns, *, is_tsv: bool = False) -> Table:
    """The rows of CSV, of TSV, and of CSV with semicolons. `file` is read from its start.

    A row is a dict of texts, or the reason why it cannot be used: another number of fields than the header,
    or bytes that are not text. Empty lines are skipped.

    Raises SetAside for an unknown encoding and for a header that cannot be used; while iterating, with the
    line in its message, where the rest of the file cannot be split into rows.

    >>> DOCUMENTS = Columns({"doc_id": ("id",), "body": ("text",)}, (("doc_id",), ("body",)))
    >>> table = delimited_table(io.BytesIO(b"ID;body\\r\\n1;leave\\r\\n"), DOCUMENTS)
    >>> list(table.rows), table.taken
    ([(2, {'doc_id': '1', 'body': 'leave'})], "CSV with semicolons, UTF-8; doc_id from 'ID'")
    """
    encoding = encoding_of(file)
    with _text_of(file, encoding) as text:
        start = text.read(MIB)
    dialect = quoting_of(
        header_of(start, columns, is_tsv=is_tsv),
        lambda: _lines(file, encoding),
        has_quotes=encoding.has_quotes,
        has_backslash_quotes=encoding.has_backslash_quotes,
    )
    names = columns.usable(dialect.header) if dialect.has_header else dialect.header
    return Table(
        _rows(file, encoding, dialect, names, columns), _taken(encoding, dialect, names, columns)
    )


def _rows(
    file: BinaryIO, encoding: Encoding, dialect: Dialect, names: list[str], columns: Columns
) -> Iterator[NumberedRow]:
    line, unreadable = 0, f"not {encoding.shown} text from line"
    try:
        with _text_of(file, encoding) as text:
            reader = dialect.reader(text)
            if dialect.has_header:
                next(reader)
            cells_to_row = _row_maker(encoding, dialect, names, columns)
            while True:
                line = reader.line_num + 1 + dialect.n_lines_before
                if cells := next(reader):
                    yield line, cells_to_row(cells)
    except StopIteration:
        return
    except csv.Error as error:
        raise not_split(line, error) from error
    except UnicodeDecodeError as error:
        raise SetAside(f"{unreadable} {line:,} on", "Save the file as UTF-8.") from error


def _row_maker(
    encoding: Encoding, dialect: Dialect, names: list[str], columns: Columns
) -> Callable[[list[str]], Row]:
    """The function that makes a row of cells: its names and places are looked up once."""
    ids = [place for place, name in enumerate(names) if name in columns.ids]
    numbers = [name for name in names if name in columns.numbers]
    is_certain, n_cells, has_unnamed = encoding.is_certain, len(names), "" in names

    def row_of(cells: list[str]) -> Row:
        if len(cells) != n_cells:
            return _ragged(len(cells), n_cells, DELIMITERS.get(dialect.delimiter))
        joined = "".join(cells)
        if "\0" in joined or not (is_certain or is_storable(joined)):
            return SetAside("not UTF-8 text, or with a NUL", "Save the file as UTF-8.")
        try:
            for place in ids:
                cells[place] = id_of_text(cells[place], names[place])
        except SetAside as reason:
            return reason
        row: dict[str, Any] = dict(zip(names, cells, strict=True))
        for name in numbers:
            row[name] = number_of_text(row[name])
        if has_unnamed:
            del row[""]
        return row

    return row_of


def _ragged(n_cells: int, n_names: int, delimiter: str | None) -> SetAside:
    return SetAside(
        f"it has {n_cells} fields, and the first line {n_names}",
        f"The fields are divided by {delimiter or 'the stated delimiter'}. Quote fields that hold one, a "
        "quote or a line end.",
    )


def _taken(encoding: Encoding, dialect: Dialect, names: list[str], columns: Columns) -> str:
    kind = "TSV" if dialect.delimiter == "\t" else "CSV"
    delimiter = DELIMITERS.get(dialect.delimiter, shown(dialect.delimiter))
    parts = [
        f"{kind}, {encoding.shown}"
        if kind == "TSV"
        else f"{kind} with {delimiter}, {encoding.shown}"
    ]
    if dialect.is_escaped:
        parts.append('\\" is a quote')
    if dialect.is_plain:
        parts.append("quotes are text")
    if not dialect.has_header:
        parts.append(f"no header: {' and '.join(names)}")
    elif renamed := columns.taken(dialect.header, names):
        parts.append(renamed)
    return "; ".join(parts)


def _lines(file: BinaryIO, encoding: Encoding) -> Iterator[str]:
    """The lines of `file` from its start."""
    with _text_of(file, encoding) as text:
        # Not `yield from`: that closes the file with this generator.
        for line in text:  # noqa: UP028
            yield line


@contextmanager
def _text_of(file: BinaryIO, encoding: Encoding) -> Iterator[io.TextIOWrapper]:
    """The text of `file` from its start; the file stays open."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding.name, errors=encoding.errors, newline="")
    try:
        yield text
    finally:
        with suppress(ValueError):  # its file was closed first
            text.detach()
