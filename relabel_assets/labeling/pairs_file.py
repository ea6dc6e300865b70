"""The reader of a pairs file, in chunks of bounded memory: Parquet, CSV or JSON Lines.

What belongs here: rows of text, and errors that name the line. What does not: grading (label_file.py).

The standard library and pyarrow's row iterator read the rows, because data-frame readers load the
whole file. Measured on 400,000 rows of 1.3 kB: these take 30 to 120 MB. DuckDB's streaming readers
take 560 to 690 MB, with or without a memory limit of 256 MB. DuckDB also accepts a CSV line with
too many fields, and then returns no rows.
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
# Bounds the memory of a chunk whose bodies are megabytes long. Typical rows reach the row limit first.
CHARACTERS_PER_CHUNK = 16_000_000
# Bytes of Parquet rows that are decoded at once. Not measured: small beside a chunk's memory.
_PARQUET_BYTES = 8_000_000
_MAX_PARQUET_ROWS = 1000  # decoded at once, however short they are; not measured
_ID_OR_TEXT = (("query_id", QUERY), ("doc_id", DOCUMENT))
Row = dict[str, str | None]


def check(file: Path) -> tuple[int, set[str]]:
    """The number of rows of `file`, and its columns of COLUMNS that have a value.

    Reads the whole file, so that an error in line 900,000 shows now and not after hours of grading.
    Raises ConfigError that names file and line.
    """
    if file.suffix.lower() not in FORMATS:
        raise ConfigError(f"{file}: its ending names no format. Endings: {', '.join(FORMATS)}.")
    if not file.is_file():
        raise ConfigError(f"{file} does not exist.")
    if not file.stat().st_size:
        raise ConfigError(f"{file}: it is empty.")
    n_rows, columns = 0, set[str]()
    for row in _rows(file):
        n_rows += 1
        columns.update(name for name, value in row.items() if value is not None)
    if not n_rows:
        raise ConfigError(f"{file}: there is no row to label.")
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


def _rows(file: Path) -> Iterator[Row]:
    """Yield the rows of `file`, read in the format of its ending."""
    readers = {".parquet": _from_parquet, ".csv": _from_csv}
    return readers.get(file.suffix.lower(), _from_json_lines)(file)


def _from_parquet(file: Path) -> Iterator[Row]:
    """Yield the rows of a Parquet file. Raises ConfigError that names the file."""
    try:
        # Without this buffer a whole row group, perhaps the whole file, is read at once.
        with pq.ParquetFile(file, buffer_size=1_000_000, pre_buffer=False) as source:
            names = [name for name in COLUMNS if name in source.schema_arrow.names]
            _require_columns(file, source.schema_arrow.names)
            for name in names:
                kind = source.schema_arrow.field(name).type
                if not _is_text(kind):
                    raise ConfigError(f"{file}: {name} is {kind}, and must be text or a number.")
            for batch in source.iter_batches(_rows_per_batch(source.metadata), columns=names):
                columns = [batch.column(name).cast(pa.string()).to_pylist() for name in names]
                for values in zip(*columns, strict=True):
                    yield dict(zip(names, values, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(
            f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}"
        ) from error


def _rows_per_batch(metadata: pq.FileMetaData) -> int:
    """The number of rows that together have about _PARQUET_BYTES, from 1 to _MAX_PARQUET_ROWS."""
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    row_bytes = sum(group.total_byte_size for group in groups) / max(1, metadata.num_rows)
    return int(max(1, min(_MAX_PARQUET_ROWS, _PARQUET_BYTES // max(1.0, row_bytes))))


def _is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text, or values that have one obvious text form."""
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
    """Yield the rows of a CSV file with a header. Raises ConfigError that names file and line."""
    csv.field_size_limit(1 << 30)  # Python's own limit, 128 KiB, is less than a long document
    with file.open(encoding="utf-8-sig", newline="") as content:
        reader = csv.reader(content, strict=True)
        try:
            header = next(reader, [])
            _require_columns(file, header)
            indices = [(header.index(name), name) for name in COLUMNS if name in header]
            for values in reader:
                if not values:
                    continue
                if len(values) != len(header):
                    raise ConfigError(
                        f"{file}, line {reader.line_num}: it has {len(values)} fields, and the "
                        f"first line {len(header)}. Quote fields that hold a comma or a line end."
                    )
                yield {name: values[index] or None for index, name in indices}
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{file}, after line {reader.line_num}: not UTF-8 text. Save the file as UTF-8."
            ) from error
        except csv.Error as error:
            raise ConfigError(f"{file}, line {reader.line_num}: not CSV ({error}).") from error


def _from_json_lines(file: Path) -> Iterator[Row]:
    """Yield the rows of a JSON Lines file. Raises ConfigError that names file and line."""
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
    """A JSON value as text. Raises ConfigError unless it is null, text or a number."""
    if value is None or isinstance(value, str):
        # JSON can spell a lone surrogate, which UTF-8 cannot encode.
        return None if value is None else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ConfigError(
        f"{file}, line {number}: {name} is {type(value).__name__}, and must be text or a number."
    )


def _require_columns(file: Path, names: Sequence[str]) -> None:
    """Raises ConfigError where `names` lack both the id and the text of query or document."""
    for id_column, text_column in _ID_OR_TEXT:
        if not {id_column, text_column} & set(names):
            raise ConfigError(
                f"{file}: it has neither {id_column} nor {text_column}. "
                f"Its columns: {', '.join(names) or 'none'}."
            )
