"""Reading a file of pairs, in chunks of bounded memory: Parquet, CSV or JSON Lines.

What belongs here: rows of text from a file, and which line is wrong. What does not: grading them
(label_file.py).

Rows are read by the standard library and pyarrow's row iterator. Data-frame readers hold a whole
file of a million rows. DuckDB's streaming readers were measured too, on 400,000 rows of 1.3 kB: 560
to 690 MB, with or without a memory limit of 256 MB, where these take 30 to 120 MB. DuckDB also
accepts a CSV line with too many fields, as a file without rows.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from relabel_assets.errors import ConfigError
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS

QUERY, DOCUMENT = "query", "body"
COLUMNS = ("query_id", QUERY, "doc_id", *DOCUMENT_COLUMNS)
FORMATS = (".parquet", ".csv", ".jsonl", ".json")
CHARACTERS_PER_CHUNK = 16_000_000  # bodies of megabytes make shorter chunks
_PARQUET_BYTES = 8_000_000  # of rows decoded at once
_EITHER = (("query_id", QUERY), ("doc_id", DOCUMENT))
Row = dict[str, str | None]


def check(file: Path) -> tuple[int, set[str]]:
    """How many rows `file` has, and which of COLUMNS. Reads all of it, so that line 900,000 is not
    found wrong after hours.

    Raises ConfigError that names file and line.
    """
    if file.suffix.lower() not in FORMATS:
        raise ConfigError(f"{file}: its ending names no format. Endings: {', '.join(FORMATS)}.")
    if not file.is_file():
        raise ConfigError(f"{file} does not exist.")
    if not file.stat().st_size:
        raise ConfigError(f"{file}: it is empty.")
    n_rows, known = 0, set[str]()
    for row in _rows(file):
        n_rows += 1
        known.update(name for name, value in row.items() if value is not None)
    if not n_rows:
        raise ConfigError(f"{file}: there is no row to label.")
    return n_rows, known


def chunks(file: Path, size: int) -> Iterator[pl.DataFrame]:
    """The rows of `file` in order, `size` at a time, with COLUMNS as text; fewer where they are
    long.

    A later call cuts the same chunks.
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


def _rows(file: Path) -> Iterator[Row]:
    readers = {".parquet": _from_parquet, ".csv": _from_csv}
    return readers.get(file.suffix.lower(), _from_json_lines)(file)


def _from_parquet(file: Path) -> Iterator[Row]:
    try:
        # Without a buffer of this size, a whole row group is read at once, which may be the whole
        # file.
        with pq.ParquetFile(file, buffer_size=1_000_000, pre_buffer=False) as source:
            names = [name for name in COLUMNS if name in source.schema_arrow.names]
            _require_columns(file, source.schema_arrow.names)
            for name in names:
                if not _is_text(source.schema_arrow.field(name).type):
                    kind = source.schema_arrow.field(name).type
                    raise ConfigError(f"{file}: {name} is {kind}, and must be text or a number.")
            groups = [
                source.metadata.row_group(group) for group in range(source.metadata.num_row_groups)
            ]
            row_bytes = sum(group.total_byte_size for group in groups) / max(
                1, source.metadata.num_rows
            )
            some = int(max(1, min(1000, _PARQUET_BYTES // max(1.0, row_bytes))))
            for batch in source.iter_batches(some, columns=names):
                columns = [batch.column(name).cast(pa.string()).to_pylist() for name in names]
                for values in zip(*columns, strict=True):
                    yield dict(zip(names, values, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(
            f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}"
        ) from error


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_null,
        pa.types.is_temporal,
    )
    return any(test(kind) for test in tests)


def _from_csv(file: Path) -> Iterator[Row]:
    csv.field_size_limit(1 << 30)
    with file.open(encoding="utf-8-sig", newline="") as content:
        reader = csv.reader(content, strict=True)
        try:
            header = next(reader, [])
            _require_columns(file, header)
            places = [(header.index(name), name) for name in COLUMNS if name in header]
            for values in reader:
                if not values:
                    continue
                if len(values) != len(header):
                    raise ConfigError(
                        f"{file}, line {reader.line_num}: it has {len(values)} fields, "
                        "and the first "
                        f"line {len(header)}. Quote fields that hold a comma or a line end."
                    )
                yield {name: values[place] or None for place, name in places}
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{file}, after line {reader.line_num}: not UTF-8 text. Save the file as UTF-8."
            ) from error
        except csv.Error as error:
            raise ConfigError(f"{file}, line {reader.line_num}: not CSV ({error}).") from error


def _from_json_lines(file: Path) -> Iterator[Row]:
    is_first = True
    with file.open("rb") as content:
        for number, line in enumerate(content, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode("utf-8-sig"))
            except UnicodeDecodeError as error:
                raise ConfigError(
                    f"{file}, line {number}: not UTF-8 text. Save the file as UTF-8."
                ) from error
            except (ValueError, RecursionError) as error:
                raise ConfigError(
                    f"{file}, line {number}: not JSON ({error}). One JSON object a line."
                ) from error
            if not isinstance(value, dict):
                raise ConfigError(
                    f"{file}, line {number}: {type(value).__name__}, and must be a JSON object."
                )
            if is_first:
                _require_columns(file, list(value))
                is_first = False
            yield {
                name: _text(value[name], name, file, number) for name in COLUMNS if name in value
            }


def _text(value: Any, name: str, file: Path, number: int) -> str | None:
    if value is None or isinstance(value, str):
        # A lone surrogate, which JSON can spell, is no text that can be written.
        return None if value is None else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ConfigError(
        f"{file}, line {number}: {name} is {type(value).__name__}, and must be text or a number."
    )


def _require_columns(file: Path, names: Sequence[str]) -> None:
    for either in _EITHER:
        if not set(either) & set(names):
            found = ", ".join(names) or "none"
            raise ConfigError(
                f"{file}: it has neither {either[0]} nor {either[1]}. Its columns: {found}."
            )
