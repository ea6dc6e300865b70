"""Tables in the terminal and in a pipe: what fits side by side, and what is printed instead if it does not.

What belongs here: the layout of rows of text. What does not: the rows (output.py and its neighbours).

No name is ever cut: a column is at least as wide as its name and its longest word. Rows that are wider
than the terminal become a block each, or a table whose further columns follow below. A pipe gets plain
columns, one line a row, as wide as they are. Where COLUMNS is set, they are made to fit it.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import rich.box
import rich.table
from rich.cells import cell_len
from rich.markup import escape

from relabel_assets.cli.console import OUT, is_plain
from relabel_assets.intake.text import one_line, printable

_READABLE = 18  # characters, not measured: a narrower column would fold most texts

Row = Sequence[str]


class Wide(StrEnum):
    """What becomes of a table that is wider than the terminal."""

    BLOCKS = "a block a row, a line a column"
    CONTINUED = "several tables, each with the first column; no cell is folded"


@dataclass(frozen=True)
class _Look:
    """The characters between two columns, and those at both edges together."""

    gap: int
    edges: int = 0
    has_folded_cells: bool = True


_BOXED, _LIGHT, _PLAIN = _Look(3, 4), _Look(2), _Look(2, has_folded_cells=False)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    title: str = "",
    wide: Wide = Wide.BLOCKS,
    are_named: bool = False,
) -> None:
    """Print rows of text below the names of their columns. `title` is a line above.

    If `are_named`, the first column is a row's name, and the title of its block.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    if title:
        OUT.print(f"[bold]{escape(title)}[/]", highlight=False)
    for look in [_PLAIN] if is_plain() else [_BOXED, _LIGHT]:
        widths = _widths(columns, rows, look, are_whole=wide is Wide.CONTINUED)
        if _total(widths, look) <= OUT.width:
            _print_beside(columns, rows, widths, look)
            return
    if wide is Wide.CONTINUED:
        _print_continued(columns, rows)
    else:
        _print_blocks(columns, rows, are_named=are_named)


def fitting(least: Sequence[int], most: Sequence[int], available: int) -> list[int]:
    """A width for each column between its `least` and `most`, together at most `available` if they can.

    Narrow columns get all they want. The widest share what is left.

    >>> fitting([4, 4, 4], [4, 30, 90], 50)
    [4, 23, 23]
    """
    if sum(most) <= available:
        return list(most)
    widths, left = list(least), available - sum(least)
    while left > 0:
        growing = [i for i in range(len(most)) if widths[i] < most[i]]
        narrowest = min(growing, key=lambda i: widths[i])
        widths[narrowest] += 1
        left -= 1
    return widths


def _widths(
    columns: Sequence[str], rows: Sequence[Row], look: _Look, *, are_whole: bool
) -> list[int]:
    """The widths at which no name is cut, and more where the terminal has room and a cell is longer.

    If `are_whole`, those at which no cell is folded.
    """
    least, most = [], []
    for name, *cells in zip(columns, *rows, strict=True):
        longest = max(cell_len(line) for cell in (name, *cells) for line in _lines(cell, look))
        word = max((cell_len(word) for cell in cells for word in cell.split()), default=0)
        least.append(longest if are_whole else max(cell_len(name), word, min(_READABLE, longest)))
        most.append(longest)
    return fitting(least, most, OUT.width - _total([0] * len(columns), look))


def _total(widths: Sequence[int], look: _Look) -> int:
    return sum(widths) + look.gap * (len(widths) - 1) + look.edges


def _lines(cell: str, look: _Look) -> list[str]:
    return cell.splitlines() or [""] if look.has_folded_cells else [one_line(cell)]


def _print_beside(
    columns: Sequence[str], rows: Sequence[Row], widths: Sequence[int], look: _Look
) -> None:
    if look is _PLAIN:
        _print_plain(columns, rows, widths)
        return
    heads = zip(columns, widths, strict=True)
    is_boxed = look is _BOXED
    table = rich.table.Table(
        *(rich.table.Column(escape(name), width=width, overflow="fold") for name, width in heads),
        box=rich.box.HEAVY_HEAD if is_boxed else rich.box.SIMPLE_HEAD,
        show_edge=is_boxed,
        pad_edge=is_boxed,
        padding=(0, 1) if is_boxed else (0, 1, 0, 0),
    )
    for row in rows:
        table.add_row(*map(escape, row))
    OUT.print(table)


def _print_plain(columns: Sequence[str], rows: Sequence[Row], widths: Sequence[int]) -> None:
    """Print a line a row. An empty cell is a `-`, so that every line has every column."""
    for row in (columns, *rows):
        cells = (one_line(cell) or "-" for cell in row)
        padded = map(_padded, cells, widths)
        sys.stdout.write((" " * _PLAIN.gap).join(padded).rstrip() + "\n")


def _padded(text: str, width: int) -> str:
    """`text` in `width` columns of the terminal; an ellipsis ends a longer one."""
    if cell_len(text) > width:
        while cell_len(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - cell_len(text))


def _print_continued(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Print as many columns as fit, and the others below, each time beside the first column."""
    look = _PLAIN if is_plain() else _LIGHT
    for chosen in _parts(columns, rows, look):
        names, cells = _chosen(columns, rows, chosen)
        widths = _widths(names, cells, look, are_whole=True)
        if _total(widths, look) <= OUT.width:
            _print_beside(names, cells, widths, look)
        else:
            _print_blocks(names, cells, are_named=True)
        sys.stdout.write("\n")


def _parts(columns: Sequence[str], rows: Sequence[Row], look: _Look) -> Iterator[list[int]]:
    """The columns of each part: the first one, and further ones as long as they fit."""
    part = [0]
    for column in range(1, len(columns)):
        longer = [*part, column]
        widths = _widths(*_chosen(columns, rows, longer), look, are_whole=True)
        is_too_wide = _total(widths, look) > OUT.width
        if is_too_wide and len(part) > 1:
            yield part
            longer = [0, column]
        part = longer
    yield part


def _chosen(
    columns: Sequence[str], rows: Sequence[Row], chosen: Sequence[int]
) -> tuple[list[str], list[list[str]]]:
    return [columns[i] for i in chosen], [[row[i] for i in chosen] for row in rows]


def _print_blocks(columns: Sequence[str], rows: Sequence[Row], *, are_named: bool) -> None:
    """Print a block a row with a line a column, for more columns than fit side by side."""
    longest = max(map(cell_len, columns))
    for number, row in enumerate(rows, start=1):
        title = row[0] if are_named else f"row {number}"
        lines = list(zip(columns, row, strict=True))[are_named:]
        if is_plain():
            sys.stdout.write(f"{one_line(title)}\n")
            for name, cell in lines:
                sys.stdout.write(f"  {_padded(name, longest)}  {one_line(cell) or '-'}\n")
        else:
            OUT.rule(escape(title), align="left")
            for name, cell in lines:
                _print_line(name, cell, longest)


def _print_line(name: str, cell: str, name_width: int) -> None:
    """Print a column's name and its cell beside it, or below it if a word would be folded there."""
    word = max(map(cell_len, cell.split()), default=0)
    if name_width + 2 + word > OUT.width:
        OUT.print(f"[bold]{escape(name)}[/]", highlight=False)
        OUT.print(f"  {escape(cell)}", highlight=False, soft_wrap=True)
        return
    line = rich.table.Table.grid(padding=(0, 2, 0, 0))
    line.add_column(style="bold", width=name_width)
    line.add_column(overflow="fold")
    line.add_row(escape(name), escape(cell))
    OUT.print(line)
