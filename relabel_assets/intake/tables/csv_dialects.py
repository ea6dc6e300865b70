"""How a file of text is split into cells: its delimiter, its quotes, and whether it has a header.

What belongs here: that decision, from the header and, where quotes may mean two things, from the whole file.
What does not: the encoding (encodings.py), and rows (delimited.py).
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from relabel_assets.intake.input_limits import MAX_LINE_BYTES, MIB
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.column_names import Columns, simple

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_HEADER_CHARACTERS = MIB
_SEP = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)
_WELL_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_ESCAPED = re.compile(r'\\(["\\])')
Lines = Callable[[], Iterator[str]]


@dataclass(frozen=True)
class Dialect:
    """How lines are split. `header` has the names of the columns, whether the file has them or not."""

    delimiter: str
    header: list[str]
    has_header: bool = True
    n_lines_before: int = 0  # the line sep=;
    is_escaped: bool = False  # \\" is a quote
    is_plain: bool = False  # quotes are text

    def reader(self, lines: Iterator[str]) -> Any:
        """A csv.reader of all `lines` of the file. Its line numbers lack `n_lines_before`."""
        for _ in range(self.n_lines_before):
            next(lines, "")
        if self.is_escaped:
            lines = map(_doubled, lines)
        # Python's own limit, 128 KiB, is less than a long document.
        csv.field_size_limit(MAX_LINE_BYTES)
        if self.is_plain:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(lines, delimiter=self.delimiter, strict=True)


def header_of(start: str, columns: Columns, *, is_tsv: bool) -> Dialect:
    """The delimiter and the header of a file that begins with `start`: those that give the known columns.

    Raises SetAside where none does.
    """
    n_before, candidates = 0, list(DELIMITERS)
    if stated := _SEP.match(start):
        start, n_before, candidates = start[stated.end() :], 1, [stated[1]]
    elif is_tsv:
        candidates.sort(key=lambda delimiter: delimiter != "\t")
    faults = list[tuple[int, SetAside]]()
    for delimiter in candidates:
        try:
            header = _first_row(start, delimiter, n_before)
            columns.usable(header)
        except SetAside as fault:
            faults.append((start.partition("\n")[0].count(delimiter), fault))
        else:
            return Dialect(delimiter, header, n_lines_before=n_before)
    if is_tsv and not n_before and _has_no_header(start, columns):
        return Dialect("\t", list(columns.headerless), has_header=False)
    # The delimiter that is there most often is the one that was meant.
    raise max(faults, key=lambda fault: fault[0])[1]


def quoting_of(
    dialect: Dialect, lines: Lines, *, has_quotes: bool, has_backslash_quotes: bool
) -> Dialect:
    """`dialect` with the meaning of quotes. `lines` reads the file from its start, as often as it is called.

    Raises SetAside, with the line, where rows would differ and nothing tells which are meant.
    """
    if not has_quotes:
        return dialect
    if dialect.delimiter == "\t" and _is_plain(dialect, lines()):
        return _changed(dialect, is_plain=True)
    if has_backslash_quotes:
        return _escaping_of(dialect, lines)
    return dialect


def _first_row(start: str, delimiter: str, n_before: int) -> list[str]:
    csv.field_size_limit(MAX_LINE_BYTES)
    try:
        lines = io.StringIO(start[:_HEADER_CHARACTERS], newline="")
        return next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise not_split(1 + n_before, error) from error


def not_split(line: int, error: csv.Error) -> SetAside:
    """The error of a file that cannot be split into rows from `line` on."""
    problem = str(error)
    if "field larger" in problem or "unexpected end" in problem:
        problem = "a quote that opens in this row is not closed"
    return SetAside(f"not CSV from line {line:,} on ({problem})", "Correct that line.")


def _has_no_header(start: str, columns: Columns) -> bool:
    """Whether the first line is a row: as many cells as a file without header has, and no name among them.

    Its first cell must have a digit, as ids have and names have not.
    """
    cells = start.partition("\n")[0].rstrip("\r").split("\t")
    return (
        bool(columns.headerless)
        and len(cells) == len(columns.headerless)
        and not any(simple(cell) in columns.known for cell in cells)
        and any(character.isdigit() for character in cells[0])
        and bool(cells[1].strip())
    )


def _is_plain(dialect: Dialect, lines: Iterator[str]) -> bool:
    """Whether quotes are text: each line is a row, and some quote opens that does not close its cell."""
    n_tabs, is_well_quoted = len(dialect.header) - 1, True
    for line in lines:
        if not line.strip("\r\n"):
            continue
        if line.count("\t") != n_tabs:
            return False
        if is_well_quoted and '"' in line:
            cells = line.rstrip("\r\n").split("\t")
            is_well_quoted = all(_WELL_QUOTED.fullmatch(cell) for cell in cells if cell[:1] == '"')
    return not is_well_quoted


def _escaping_of(dialect: Dialect, lines: Lines) -> Dialect:
    """Whether \\" is a quote in a quoted cell, or a backslash at its end: the one that gives whole rows."""
    escaped = _changed(dialect, is_escaped=True)
    kept, of_escapes = (_reading(each, lines()) for each in (dialect, escaped))
    if kept.n_faults != of_escapes.n_faults:
        return dialect if kept.n_faults < of_escapes.n_faults else escaped
    if kept.n_faults[0]:
        return dialect  # reading it says where it breaks
    for (line, cells), (_, others) in zip_longest(kept.rows, of_escapes.rows, fillvalue=(0, 0)):
        if cells != others:
            raise _ambiguous(line)
    return dialect


def _ambiguous(line: int) -> SetAside:
    return SetAside(
        f'not CSV that can be read in one way alone from line {line:,} on: \\" may be a quote in a cell, or '
        "a backslash at its end",
        'Write quotes inside of cells as "".',
    )


@dataclass
class _Reading:
    """The line and the hash of each row; and whether it ends early, with the number of ragged rows."""

    rows: list[tuple[int, int]]
    n_faults: tuple[bool, int]


def _reading(dialect: Dialect, lines: Iterator[str]) -> _Reading:
    reader, rows, n_ragged = dialect.reader(lines), list[tuple[int, int]](), 0
    while True:
        line = reader.line_num + 1 + dialect.n_lines_before
        try:
            cells = next(reader)
        except StopIteration:
            return _Reading(rows, (False, n_ragged))
        except csv.Error:
            return _Reading(rows, (True, n_ragged))
        n_ragged += bool(cells) and len(cells) != len(dialect.header)
        rows.append((line, hash(tuple(cells))))


def _doubled(line: str) -> str:
    """`line` with quotes as CSV has them, in place of those behind a backslash."""
    if "\\" not in line:
        return line
    return _ESCAPED.sub(lambda match: '""' if match[1] == '"' else "\\", line)


def _changed(dialect: Dialect, **changes: bool) -> Dialect:
    return Dialect(**(vars(dialect) | changes))
