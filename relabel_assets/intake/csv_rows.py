"""Rows of a CSV file with a header: strict, each with its line.

What belongs here: splitting text into cells. What does not: which columns a file must have.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import MAX_LINE_BYTES
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import is_storable, shown

CsvRow = dict[str, str] | SetAside
_Reader = Any  # the csv module does not name the type of its readers


def csv_rows(
    file: BinaryIO, check_columns: Callable[[Sequence[str]], None]
) -> Iterator[tuple[int, CsvRow]]:
    """Each row after the header, with the number of its first line. `file` is at its start.

    `check_columns` gets the names of the columns, and raises SetAside if they cannot be used. A row is a
    dict of texts, or the reason why it cannot be used: another number of fields than the header, or
    bytes that are not text. Empty lines are skipped.

    Raises SetAside for a header that is not UTF-8 or has a name twice. Raises it too, with the line in its
    message, where the rest of the file cannot be split into rows.
    """
    with _text_of(file) as lines:
        reader = _reader(lines)
        names = _header(reader)
        check_columns(names)
        while True:
            line = reader.line_num + 1
            values = _next_row(reader, line)
            if values is None:
                return
            if values:
                yield line, _row(names, values)


def _row(names: list[str], values: list[str]) -> CsvRow:
    if len(values) != len(names):
        return SetAside(
            f"it has {len(values)} fields, and the first line {len(names)}",
            "Quote fields that hold a comma, a quote or a line end.",
        )
    if not all(map(is_storable, values)):
        return SetAside("not UTF-8 text, or with a NUL", "Save the file as UTF-8.")
    return dict(zip(names, values, strict=True))


def _header(reader: _Reader) -> list[str]:
    names = _next_row(reader, 1) or []
    if not is_storable("".join(names)):
        raise SetAside("its first line is not UTF-8 text", "Save the file as UTF-8.")
    twice = next((name for name, count in Counter(names).items() if name and count > 1), None)
    if twice is not None:
        raise SetAside(f"the column {shown(twice)} is there twice", "Rename one, or take it out.")
    return names


def _next_row(reader: _Reader, line: int) -> list[str] | None:
    """The next row; None after the last. Raises SetAside if the file cannot be split from `line` on."""
    try:
        return next(reader, None)
    except csv.Error as error:
        problem = str(error)
        if "field larger" in problem or "unexpected end" in problem:
            problem = "a quote that opens in this row is not closed"
        message = f"not CSV from line {line:,} on ({problem})"
        raise SetAside(message, "Correct that line.") from error


def _reader(lines: io.TextIOWrapper) -> _Reader:
    # Python's own limit, 128 KiB, is less than a long document.
    csv.field_size_limit(MAX_LINE_BYTES)
    return csv.reader(lines, strict=True)


@contextmanager
def _text_of(file: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """The text of `file`, which stays open. Bytes that are not UTF-8 cost their row: surrogates."""
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield lines
    finally:
        lines.detach()
