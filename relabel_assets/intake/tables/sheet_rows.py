"""Rows of a spreadsheet (.xlsx, .xls, .ods), read by a process of its own with limits of memory and time.

What belongs here: which sheet is read, and its cells as a row. What does not: the reading (sheet_child.py),
and the process (limited_rows.py).
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import MAX_BODY_CHARACTERS, MAX_SHEET_FILE_BYTES, MIB
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.column_names import Columns, MissingColumn
from relabel_assets.intake.tables.limited_rows import Parser, parsed_by
from relabel_assets.intake.tables.numbered_rows import NumberedRow
from relabel_assets.intake.text import shown

_CHILD = Path(__file__).with_name("sheet_child.py")
SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")
_MOST_LISTED = 5  # sheets in a message


def sheet_rows(file: BinaryIO, columns: Columns) -> Iterator[tuple[list[str], str] | NumberedRow]:
    """First (header, name) of the first sheet that has the columns; then its rows, by the header's names.

    Rows have the numbers that the spreadsheet shows. A cell is a text, a number or None; dates are texts in
    ISO 8601. Raises SetAside for a file that is no spreadsheet, has a password, is damaged or too large, and
    where no sheet has the columns.
    """
    with _parser(file) as parser:
        header, name = _chosen(parser, columns)
        yield header, name
        own = columns.renamed(header)
        are_texts = [name not in columns.ids | columns.numbers for name in own]
        for number, *cells in parser.rows():
            row: dict[str, Any] = {
                name: _text(cell) if is_text else cell
                for name, is_text, cell in zip_longest(header, are_texts, cells)
                if name
            }
            yield number, row


def _text(cell: Any) -> str | None:
    """A cell of a column of text as people see it: 404 and not 404.0."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return None if cell is None else str(cell)


def _parser(file: BinaryIO) -> AbstractContextManager[Parser]:
    n_bytes = os.fstat(file.fileno()).st_size
    if n_bytes > MAX_SHEET_FILE_BYTES:
        message = (
            f"it has {n_bytes:,} bytes; of a spreadsheet at most {MAX_SHEET_FILE_BYTES // MIB} MiB"
        )
        raise SetAside(f"{message} are read", "Save it as CSV.")
    return parsed_by(
        _CHILD,
        file,
        kind="a spreadsheet",
        when_slow="Save it as CSV.",
        remedy="Save it again as .xlsx, without a password.",
        arguments=(str(MAX_BODY_CHARACTERS),),
    )


def sheet_cells(file: BinaryIO) -> Iterator[tuple[str, list[Any]]]:
    """(name of its sheet, cells) of each row of all sheets, headers among them. Raises SetAside as above."""
    with _parser(file) as parser:
        while "sheet" in (value := parser.next()):
            parser.answer(True)
            yield value["sheet"], value["header"]
            for _, *cells in parser.rows():
                yield value["sheet"], [_text(cell) for cell in cells]


def _chosen(parser: Parser, columns: Columns) -> tuple[list[str], str]:
    """(header, name) of the first sheet that has the columns."""
    faults = list[tuple[str, SetAside]]()
    while "sheet" in (value := parser.next()):
        try:
            columns.usable(value["header"])
        except SetAside as fault:
            faults.append((value["sheet"], fault))
            parser.answer(False)
        else:
            parser.answer(True)
            return [name.strip() for name in value["header"]], value["sheet"]
    if not faults:
        raise SetAside("it has no sheet", "Put the rows in a sheet, with names in its first row.")
    if len(faults) == 1:
        raise faults[0][1]
    kind = MissingColumn if all(isinstance(f, MissingColumn) for _, f in faults) else SetAside
    listed = "; ".join(f"{shown(name)}: {fault.message}" for name, fault in faults[:_MOST_LISTED])
    more = f"; and {len(faults) - _MOST_LISTED} more" if len(faults) > _MOST_LISTED else ""
    raise kind(f"none of its sheets can be used ({listed}{more})", faults[0][1].remedy)
