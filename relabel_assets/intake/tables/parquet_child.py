"""A program that reads a Parquet file from stdin and writes its rows to stdout as JSON lines.

What belongs here: reading, in a process of its own: a damaged file may crash its parser or fill the
memory. What does not: starting and watching this process (limited_rows.py), and its limits
(limited_child.py). It imports nothing of this project, so that it starts quickly.

    stdin: the file. arguments: the number of the pipe with answers, characters of a cell.
    stdout: {"columns": [[name, type, is_text], ...]}; the answer is the list of the names that are read;
    then a line [cell, ...] for each row, where a cell that
    Python cannot hold is {"unreadable": reason}; then {"rows": n}. Or {"error": message}.
"""

import json
import resource
import sys

# Bytes of rows that are decoded at once, and their number. Not measured: small beside the limit.
_BATCH_BYTES = 8_000_000
_MAX_BATCH_ROWS = 1000
_GROUPS_LOOKED_AT = 1000
_LONGEST_TYPE = 100  # characters: a message names it, and a type may have a thousand fields inside


def main() -> None:
    answers, max_characters = map(int, sys.argv[1:])
    try:
        _write_rows(answers, max_characters)
    except BrokenPipeError:
        return  # the reader has seen enough
    except MemoryError:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        _write({"error": f"it needs more than {limit // 2**30} GiB of memory"})
    except BaseException as error:
        lines = str(error).splitlines()
        _write({"error": lines[0] if lines else type(error).__name__})
    sys.stdout.flush()


def _write_rows(answers: int, max_characters: int) -> None:
    import pyarrow.parquet as pq

    # Without this buffer a whole row group, perhaps the whole file, is read at once.
    with pq.ParquetFile(sys.stdin.buffer, buffer_size=1_000_000, pre_buffer=False) as file:
        schema = file.schema_arrow
        fields = [
            [field.name, str(field.type)[:_LONGEST_TYPE], _is_text(field.type)] for field in schema
        ]
        _write({"columns": fields})
        sys.stdout.flush()
        with open(answers) as chosen:
            names = json.loads(chosen.readline())
        n_rows = 0
        for batch in file.iter_batches(
            _rows_per_batch(file.metadata), columns=names, use_threads=False
        ):
            columns = [_cells(batch.column(name), max_characters) for name in names]
            for row in zip(*columns, strict=True):
                _write(row)
            n_rows += batch.num_rows
    _write({"rows": n_rows})


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def _rows_per_batch(metadata) -> int:
    """The number of rows that together have about _BATCH_BYTES, from 1 to _MAX_BATCH_ROWS."""
    groups = [metadata.row_group(n) for n in range(min(metadata.num_row_groups, _GROUPS_LOOKED_AT))]
    row_bytes = sum(group.total_byte_size for group in groups) / max(
        1, sum(g.num_rows for g in groups)
    )
    return int(max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // max(1.0, row_bytes))))


def _is_text(kind) -> bool:
    """Whether a column of this type holds text, or values that have one obvious text form."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_null,
        pa.types.is_date,
        pa.types.is_time,
        pa.types.is_timestamp,
    )
    return any(test(kind) for test in tests)


def _cells(column, max_characters: int) -> list:
    """The cells of a column: text, number or None. A longer text is cut one character past the limit."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_temporal(kind):
        return _moments(column)
    if pa.types.is_decimal(kind):
        return [None if value is None else str(value) for value in column.to_pylist()]
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind):
        return column.to_pylist()
    # Bytes that are not UTF-8 must not cost the other rows of the batch.
    texts = column.cast(pa.large_binary()).to_pylist()
    limit = max_characters + 1
    return [
        None if raw is None else raw.decode("utf-8", "surrogateescape")[:limit] for raw in texts
    ]


def _moments(column) -> list:
    """Dates and times in ISO 8601. Python has none outside the years 1 to 9999: {"unreadable": ...}."""
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):
        values = [_moment(cell) for cell in column]
    return [value.isoformat() if hasattr(value, "isoformat") else value for value in values]


def _moment(cell):
    try:
        return cell.as_py()
    except (OverflowError, ValueError):
        return {"unreadable": "a date outside the years 1 to 9999"}


if __name__ == "__main__":
    main()
