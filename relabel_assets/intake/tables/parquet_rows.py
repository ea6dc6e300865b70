"""Rows of a Parquet file, read by a process of its own with limits of memory and time.

What belongs here: the columns that are read, and what a cell is. What does not: the reading
(parquet_child.py), the process (limited_rows.py), and which columns a file must have.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import MAX_BODY_CHARACTERS
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.limited_rows import parsed_by
from relabel_assets.intake.text import shown

_CHILD = Path(__file__).with_name("parquet_child.py")
ParquetRow = dict[str, Any] | SetAside


def parquet_rows(
    file: BinaryIO, choose: Callable[[Sequence[str]], Sequence[str]]
) -> Iterator[tuple[int, ParquetRow]]:
    """Each row, numbered from 1: its cells in the columns that are chosen.

    `choose` gets the names of all columns and returns those that are read; it raises SetAside if they
    cannot be used.

    A row with a date that Python cannot hold is a SetAside instead. A cell is a text, a number or
    None; dates and times are texts in ISO 8601. Bytes that are not UTF-8 become U+FFFD.

    Raises SetAside for a file that is not Parquet or is damaged, for a column twice, for one that holds
    no text, and for one that needs more memory or time than the limits.
    """
    with parsed_by(
        _CHILD,
        file,
        kind="Parquet",
        when_slow="Write it again in smaller row groups.",
        remedy="Write the file again.",
        arguments=(str(MAX_BODY_CHARACTERS),),
    ) as parser:
        present = [(name, kind, is_text) for name, kind, is_text in parser.next()["columns"]]
        all_names = [name for name, _, _ in present]
        chosen = set(choose(all_names))
        for name, kind, is_text in present:
            if name in chosen and all_names.count(name) > 1:
                raise SetAside(f"the column {shown(name)} is there twice", "Rename one of them.")
            if name in chosen and not is_text:
                raise SetAside(f"{name} is {kind}, not text or a number", "Write it as text.")
        names = [name for name in all_names if name in chosen]
        parser.answer(names)
        for number, cells in enumerate(parser.rows(), start=1):
            yield number, _row(names, cells)


def _row(names: list[str], cells: list[Any]) -> ParquetRow:
    for name, cell in zip(names, cells, strict=True):
        if isinstance(cell, dict):
            return SetAside(f"{name} is {cell['unreadable']}", "Correct it.")
    return dict(zip(names, cells, strict=True))
