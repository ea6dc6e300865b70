"""The reader of a pairs file, in chunks of bounded memory: any table that is read for a corpus, too.

What belongs here: rows of text, and errors that name the line. What does not: grading (label_file.py).

Row iterators read the rows, because data-frame readers load the whole file. DuckDB's streaming
readers take 560 to 690 MB on 400,000 rows of 1.3 kB, with or without a memory limit of 256 MB. DuckDB
also accepts a CSV line with too many fields, and then returns no rows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from relabel_assets.errors import ConfigError
from relabel_assets.intake.input_limits import (
    MAX_BODY_CHARACTERS,
    MAX_FIELD_CHARACTERS,
    MAX_QUERY_CHARACTERS,
)
from relabel_assets.intake.one_input import SetAside, problem_of
from relabel_assets.intake.tables.kinds import PAIRS
from relabel_assets.intake.tables.reader import SUFFIXES, open_table, read_table
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

QUERY, DOCUMENT = "query", "body"
COLUMNS = ("query_id", QUERY, "doc_id", *DOCUMENT_COLUMNS)
FORMATS = SUFFIXES
# Bounds the memory of a chunk whose bodies are megabytes long. Typical rows reach the row limit first.
CHARACTERS_PER_CHUNK = 16_000_000
_MAX_CHARACTERS = {QUERY: MAX_QUERY_CHARACTERS, DOCUMENT: MAX_BODY_CHARACTERS}
Row = dict[str, str | None]


def check(file: Path) -> tuple[int, set[str]]:
    """The number of rows of `file`, and its columns of COLUMNS that have a value.

    Reads the whole file, so that an error in line 900,000 shows now and not after hours of grading.
    Raises ConfigError that names file and line.
    """
    if file.suffix.lower() not in FORMATS:
        raise ConfigError(f"{file}: its ending names no format. Endings: {', '.join(FORMATS)}.")
    n_rows, columns = 0, set[str]()
    for row in _rows(file):
        n_rows += 1
        columns.update(name for name, value in row.items() if value is not None)
    if not n_rows:
        raise ConfigError(f"{file}: there is no row to label. Put a row in it for each pair.")
    return n_rows, columns


def chunks(file: Path, size: int) -> Iterator[pl.DataFrame]:
    """Yield the rows of `file` in order, `size` at a time or fewer where they are long.

    Each chunk has all COLUMNS as text. A later call cuts the same chunks.
    """
    rows: list[Row] = []
    n_characters = 0
    for row in _rows(file):
        rows.append(row)
        n_characters += sum(map(len, filter(None, row.values())))
        if len(rows) == size or n_characters >= CHARACTERS_PER_CHUNK:
            yield pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String))
            rows, n_characters = [], 0
    if rows:
        yield pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String))


def taken(file: Path) -> str:
    """What was decided to read `file`: delimiter, encoding, sheet and columns; nothing where that is plain.

    Raises ConfigError for a file that cannot be used.
    """
    try:
        with _opened(file) as opened:
            return read_table(opened, file.suffix.lower(), PAIRS).taken
    except (SetAside, OSError, RuntimeError) as error:
        raise ConfigError(str(problem_of(error, str(file)))) from error


def _rows(file: Path) -> Iterator[Row]:
    """The rows of `file`, read in the format of its ending. Raises ConfigError with file and line."""
    line: int | None = None
    try:
        with _opened(file) as opened:
            is_first = True
            for number, row in read_table(opened, file.suffix.lower(), PAIRS).rows:
                line = number
                if isinstance(row, SetAside):
                    raise row
                if is_first:  # objects of JSON have no header that was checked
                    PAIRS.check(row, list(row))
                    is_first = False
                yield {name: _text(row[name], name) for name in COLUMNS if name in row}
                line = None
    except (SetAside, OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise ConfigError(str(problem_of(error, str(file), line))) from error


def _opened(file: Path) -> BinaryIO:
    """The file that a user named, through any links. Raises SetAside if it cannot be read."""
    path = file.resolve()
    opened = open_table(path.parent, path.name, file.suffix.lower())
    if not opened.peek(1):  # type: ignore[attr-defined]
        opened.close()
        raise SetAside("it is empty", "Put a row in it for each pair.")
    return opened


def _text(value: Any, name: str) -> str | None:
    """A cell as text. Raises SetAside unless it is null, text or a number, within the limits."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise SetAside(
            f"{name} is {type(value).__name__}, not text or a number", "Write it as text."
        )
    limit = _MAX_CHARACTERS.get(name, MAX_FIELD_CHARACTERS)
    if len(value) > limit:
        raise SetAside(f"{name} is too long", f"At most {limit:,} characters are read.")
    return value
