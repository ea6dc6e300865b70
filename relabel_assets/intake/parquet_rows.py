"""Rows of a Parquet file, read by a process of its own with limits of memory and time.

What belongs here: starting and watching that process. What does not: the reading (parquet_child.py),
and which columns a file must have.
"""

import select
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import (
    GIB,
    MAX_BODY_CHARACTERS,
    PARSER_IDLE_S,
    PARSER_MEMORY_BYTES,
)
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.limited_process import limited_process
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown

_CHILD = Path(__file__).with_name("parquet_child.py")
ParquetRow = dict[str, Any] | SetAside
_REMEDY = "Write the file again."


def parquet_rows(
    file: BinaryIO, wanted: Sequence[str], check_columns: Callable[[Sequence[str]], None]
) -> Iterator[tuple[int, ParquetRow]]:
    """Each row, numbered from 1: its cells in the `wanted` columns that the file has.

    `check_columns` gets the names of all columns, and raises SetAside if they cannot be used.

    A row with a date that Python cannot hold is a SetAside instead. A cell is a text, a number or
    None; dates and times are texts in ISO 8601. Bytes that are not UTF-8 become U+FFFD.

    Raises SetAside for a file that is not Parquet or is damaged, for a column twice, for one that holds
    no text, and for one that needs more memory or time than the limits.
    """
    file.seek(0)
    with limited_process(
        _CHILD,
        (str(MAX_BODY_CHARACTERS), *wanted),
        max_memory=PARSER_MEMORY_BYTES,
        stdin=file.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        child = _Child(process)
        present = child.columns()
        all_names = [name for name, _, _ in present]
        check_columns(all_names)
        for name, kind, is_text in present:
            if name not in wanted:
                continue
            if all_names.count(name) > 1:
                raise SetAside(f"the column {shown(name)} is there twice", "Rename one of them.")
            if not is_text:
                raise SetAside(f"{name} is {kind}, not text or a number", "Write it as text.")
        names = [name for name in wanted if name in all_names]
        for number, cells in enumerate(child.rows(), start=1):
            yield number, _row(names, cells)


def _row(names: list[str], cells: list[Any]) -> ParquetRow:
    for name, cell in zip(names, cells, strict=True):
        if isinstance(cell, dict):
            return SetAside(f"{name} is {cell['unreadable']}", "Correct it.")
    return dict(zip(names, cells, strict=True))


class _Child:
    """The values that the process writes."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self._stdout, self._unread = process.stdout, b""

    def columns(self) -> list[tuple[str, str, bool]]:
        """(name, type, whether it is text or a number) of every column."""
        first = self._next()
        return [(name, kind, is_text) for name, kind, is_text in first["columns"]]

    def rows(self) -> Iterator[list[Any]]:
        """The cells of each row. Raises SetAside unless the process ends well."""
        while isinstance(value := self._next(), list):
            yield value

    def _next(self) -> Any:
        """The next value. Raises SetAside for an error, and if the process ends or is idle."""
        value = parse_json(self._line())
        if isinstance(value, dict) and "error" in value:
            raise SetAside(f"it cannot be read as Parquet: {value['error']}", _REMEDY)
        return value

    def _line(self) -> bytes:
        pieces = [self._unread]
        while b"\n" not in pieces[-1]:
            ready, _, _ = select.select([self._stdout], [], [], PARSER_IDLE_S)
            piece = self._stdout.read1(1 << 20) if ready else b""  # type: ignore[attr-defined]
            if not ready:
                message = f"reading it as Parquet took more than {PARSER_IDLE_S} s"
                raise SetAside(message, "Write it again in smaller row groups.")
            if not piece:
                message = f"its Parquet parser crashed, or needed more than {PARSER_MEMORY_BYTES // GIB} GiB"
                raise SetAside(message, _REMEDY)
            pieces.append(piece)
        line, _, self._unread = b"".join(pieces).partition(b"\n")
        return line
