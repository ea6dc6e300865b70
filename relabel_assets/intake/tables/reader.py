"""The one reader of tables: CSV, TSV, JSON, spreadsheets and Parquet, strict, by the ending of the name.

What belongs here: which reader a file gets, and our names and ids in its rows. What does not: the formats
(one file each), and which columns a thing has (corpus/, labeling/).
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import (
    MAX_ROWS_FILE_BYTES,
    MAX_UNPACKED_IN_ANY_CASE,
    MAX_UNPACKED_TIMES,
)
from relabel_assets.intake.regular_files import numbered_lines, open_regular, open_text
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables import sheet_rows
from relabel_assets.intake.tables.column_names import Columns
from relabel_assets.intake.tables.delimited import delimited_table
from relabel_assets.intake.tables.ids import id_of, number_of_text
from relabel_assets.intake.tables.json_lines import array_rows, is_array, json_rows
from relabel_assets.intake.tables.numbered_rows import NumberedRow, Row, Table
from relabel_assets.intake.tables.parquet_rows import parquet_rows
from relabel_assets.intake.text import shown

# In the order in which messages name them.
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", *sheet_rows.SUFFIXES)
# These are opened as they are: their packing is their format.
PACKED_SUFFIXES = (".parquet", *sheet_rows.SUFFIXES)
_MOST_FORMS = 1000  # of JSON objects whose names are looked up once


def open_table(root: Path, name: str, suffix: str) -> BinaryIO:
    """The file `name` under `root`, opened for `read_table`: unpacked, where packing is not its format.

    Raises SetAside and OSError, as open_regular.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "queries.csv").write_text("query_id,text")
    ...     with open_table(Path(folder), "queries.csv", ".csv") as file:
    ...         file.read()
    b'query_id,text'
    """
    opener = open_regular if suffix in PACKED_SUFFIXES else open_text
    return opener(root, name, max_bytes=MAX_ROWS_FILE_BYTES)


def read_table(file: BinaryIO, suffix: str, columns: Columns) -> Table:
    """The rows of `file`, a regular file that is open, in the format of `suffix` (in lower case).

    Columns have the names that `columns` gives them, ids are texts in NFC, and numbers are numbers. A JSON
    object may lack any column: its row then lacks it. Raises SetAside for a file that cannot be used.

    >>> import io
    >>> QUERIES = Columns({"query_id": ("qid",), "text": ("query",)}, (("text",),), frozenset({"query_id"}))
    >>> table = read_table(io.BytesIO(b'[{"QID": 7.0, "Query": "leave"}]'), ".json", QUERIES)
    >>> list(table.rows), table.taken
    ([(1, {'query_id': '7', 'text': 'leave'})], 'a JSON array')
    """
    if suffix in (".csv", ".tsv"):
        return delimited_table(file, columns, is_tsv=suffix == ".tsv")
    if suffix in sheet_rows.SUFFIXES:
        return _sheet(file, columns)
    if suffix == ".parquet":
        return _parquet(file, columns)
    if suffix == ".json" and is_array(file):
        return Table(_own_names(array_rows(file), columns), "a JSON array")
    file.seek(0)
    return Table(_own_names(json_rows(numbered_lines(file)), columns))


def _sheet(file: BinaryIO, columns: Columns) -> Table:
    parts = sheet_rows.sheet_rows(file, columns)
    header, name = next(parts)
    renamed = columns.taken(header, columns.usable(header))  # type: ignore[arg-type]
    taken = "; ".join(filter(None, (f"sheet {shown(name)}", renamed)))
    rows = _own_names(parts, columns, are_typed=False)  # type: ignore[arg-type]
    return Table(_unpacked(rows, file), taken)


def _parquet(file: BinaryIO, columns: Columns) -> Table:
    header: list[str] = []

    def choose(names: Sequence[str]) -> list[str]:
        own = columns.usable(names)
        header.extend(name for name, our in zip(names, own, strict=True) if our in columns.names)
        return header

    rows = parquet_rows(file, choose)
    first = next(rows, None)  # it calls `choose`
    renamed = columns.taken(header, columns.renamed(header))
    return Table(
        _unpacked(_own_names(_with_first(first, rows), columns, are_typed=False), file), renamed
    )


def _with_first(first: NumberedRow | None, rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
    if first is not None:
        yield first
        yield from rows


def _own_names(
    rows: Iterable[NumberedRow], columns: Columns, *, are_typed: bool = True
) -> Iterator[NumberedRow]:
    """`rows` with our names, ids and numbers. A row whose names are ambiguous costs itself.

    Unless cells `are_typed`, a text may be meant as a number.
    """
    forms = dict[tuple[str, ...], Callable[[dict[str, Any]], Row]]()
    for number, row in rows:
        if isinstance(row, SetAside):
            yield number, row
            continue
        form = tuple(row)
        if form not in forms:
            if len(forms) == _MOST_FORMS:
                forms.clear()
            forms[form] = _renaming(form, columns, are_typed=are_typed)
        yield number, forms[form](row)


def _renaming(
    form: tuple[str, ...], columns: Columns, *, are_typed: bool
) -> Callable[[dict[str, Any]], Row]:
    """The function that gives rows with the names of `form` our names and values."""
    try:
        names = columns.renamed(form)
    except SetAside as fault:
        reason = fault
        return lambda row: SetAside(reason.message, reason.remedy)
    is_renamed = names != list(form)
    ids = [name for name in names if name in columns.ids]
    numbers = [] if are_typed else [name for name in names if name in columns.numbers]

    def row_of(row: dict[str, Any]) -> Row:
        if is_renamed:
            row = dict(zip(names, row.values(), strict=True))
        try:
            for name in ids:
                row[name] = id_of(row[name], name)
        except SetAside as reason:
            return reason
        for name in numbers:
            if isinstance(row[name], str):
                row[name] = number_of_text(row[name])
        return row

    return row_of


def _unpacked(rows: Iterator[NumberedRow], file: BinaryIO) -> Iterator[NumberedRow]:
    """The `rows` of a packed file. Raises SetAside for one that packs far too much text."""
    n_bytes = os.fstat(file.fileno()).st_size
    most = max(MAX_UNPACKED_TIMES * n_bytes, MAX_UNPACKED_IN_ANY_CASE)
    n_characters = 0
    for number, row in rows:
        if not isinstance(row, SetAside):
            n_characters += sum(len(cell) for cell in row.values() if isinstance(cell, str))
        if n_characters > most:
            message = f"it unpacks to more than {most:,} characters, over 100 times its size"
            raise SetAside(message, "Take out rows that repeat others.")
        yield number, row
