"""A program that runs one query on a DuckDB file and writes its result to stdout as an Arrow stream.

What belongs here: the query, in a process of its own: it may crash DuckDB, fill the memory or never
end. What does not: starting and watching this process (query.py), and its limits
(intake/limited_child.py). It imports nothing of this project, so that it starts quickly.

    arguments: the file, its DuckDB settings in JSON, folders whose files the query may read too.
    stdin: the query, in UTF-8.
    stdout: the result. Or stderr: {"error": kind, "message": text}.
"""

import json
import signal
import sys
from typing import Any

# SELECT is every query: from, with, values, describe, show and summarize too. MULTI is a pivot.
_QUERIES = ("SELECT", "EXPLAIN", "MULTI")
# The types of columns that Polars and every output format can hold without changing a value.
_TYPES = """boolean tinyint smallint integer bigint utinyint usmallint uinteger ubigint hugeint
float double decimal varchar enum uuid null date time timestamp timestamp_s timestamp_ms timestamp_ns"""
_PLAIN_TYPES = {*_TYPES.split(), "timestamp with time zone"}
_ROWS_PER_BATCH = 10_000  # not measured


class _Refused(Exception):
    """An error of the query: its kind, which query.py knows, and a message."""


def main() -> None:
    path, settings, *folders = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once, even inside DuckDB
    try:
        _write_result(path, json.loads(settings), folders, sys.stdin.buffer.read().decode())
    except BrokenPipeError:
        return  # the reader has seen enough
    except MemoryError:
        _end("memory", "")
    except _Refused as error:
        _end(*error.args)
    except Exception as error:
        _end("query", f"{type(error).__name__}: {error}")


def _end(kind: str, message: str) -> None:
    json.dump({"error": kind, "message": message}, sys.stderr)
    sys.exit(1)


def _write_result(path: str, settings: dict[str, Any], folders: list[str], sql: str) -> None:
    import duckdb
    import pyarrow as pa

    try:
        con = _opened(path, settings, folders)
    except duckdb.Error as error:
        raise _Refused("opening", str(error)) from error
    try:
        relation = _relation(con, sql)
        names = _distinct(relation.columns)
        reader = relation.to_arrow_reader(_ROWS_PER_BATCH)
        fields = zip(reader.schema, names, strict=True)
        schema = pa.schema([field.with_name(name) for field, name in fields])
        with pa.ipc.new_stream(sys.stdout.buffer, schema) as writer:
            for batch in reader:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
        sys.stdout.buffer.flush()
    except duckdb.OutOfMemoryException as error:
        raise _Refused("memory", str(error)) from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise _Refused("query", str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:  # Arrow's error for a batch that is too large
        raise _Refused("size", str(error)) from error


def _opened(path: str, settings: dict[str, Any], folders: list[str]) -> Any:
    """A connection with these settings, whose SQL can read the files in `folders` and no others."""
    import duckdb

    if not folders:
        return duckdb.connect(path, config=settings)
    # DuckDB takes the folders after it was started, and before it is closed to other files.
    last = ("enable_external_access", "lock_configuration")
    con = duckdb.connect(
        path, config={name: value for name, value in settings.items() if name not in last}
    )
    quoted = ", ".join("'" + folder.replace("'", "''") + "'" for folder in folders)
    con.execute(f"set allowed_directories = [{quoted}]")
    for name in last:
        con.execute(f"set {name} = {settings[name]}")
    return con


def _relation(con: Any, sql: str) -> Any:
    """The result of `sql`, not computed yet. Raises _Refused for anything but one query."""
    kinds = [_kind(statement) for statement in con.extract_statements(sql)]
    relation = con.sql(sql) if len(kinds) == 1 and kinds[0] in _QUERIES else None
    if relation is None:
        raise _Refused("statement", ", ".join(kinds))
    for name, kind in zip(relation.columns, relation.types, strict=True):
        if not _is_plain(kind):
            raise _Refused("type", f"column {name} is {kind}")
    return relation


def _kind(statement: Any) -> str:
    try:
        return str(statement.type).rpartition(".")[2]
    except ValueError:  # a kind that DuckDB's Python package does not know
        return "unknown"


def _is_plain(kind: Any) -> bool:
    """Whether Polars and every output format hold values of this DuckDB type."""
    name = kind.id
    if name in ("list", "array"):
        return _is_plain(kind.children[0][1])
    if name in ("struct", "tuple"):
        return all(_is_plain(member) for _, member in kind.children)
    return name in _PLAIN_TYPES


def _distinct(names: list[str]) -> list[str]:
    """`names`, where a repeated one gets a number."""
    taken: set[str] = set()
    distinct = []
    for name in names:
        unique, number = name, 0
        while unique in taken:
            number += 1
            unique = f"{name}_{number}"
        taken.add(unique)
        distinct.append(unique)
    return distinct


if __name__ == "__main__":
    main()
