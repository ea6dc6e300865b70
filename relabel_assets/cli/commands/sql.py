"""Querying the labels: `relabel sql`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

_TABLES = """
    select table_name as name, 'table' as kind, estimated_size as about_rows, comment
    from duckdb_tables() where not internal
    union all
    select view_name, 'view', null, regexp_replace(comment, ' \\[\\w+\\]$', '')
    from duckdb_views() where not internal
    order by kind, name
"""


def sql(
    query: Annotated[
        str | None,
        typer.Argument(
            help="One SQL statement, or `-` for stdin. Default: list the tables and views."
        ),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="`table`, `csv`, `json` (one object a line) or `parquet` (with --out). "
            "Default: `table`.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A file to write. Its ending (.csv, .json, .jsonl, .parquet) sets the format.",
        ),
    ] = None,
) -> None:
    """Query the labels in SQL, read-only. Reads the replica, so it never waits for a run.

    - `relabel sql`: list the tables and views

    - `relabel sql "describe labels"`: list the columns of a view

    - `relabel sql "select * from latest_benchmark"`: the benchmark

    - `relabel sql "select * from label_disagreements limit 5"`

    - `relabel sql "select * from labels where grade >= 2" --out labels.parquet`

    The SQL dialect is DuckDB's. `docs/sql.md` has twenty worked queries.
    """
    from relabel_assets.cli import output_frames
    from relabel_assets.errors import ConfigError
    from relabel_assets.running import runner

    _, warehouse = runner.from_environment()
    result_format = output_frames.output_format(output_format, out)
    if query is not None:
        query = sys.stdin.buffer.read().decode("utf-8", "replace") if query == "-" else query
        if not query.strip():
            raise ConfigError(
                'the query is empty. Try `relabel sql "select * from labels limit 5"`.'
            )
    frame = warehouse.read_replica(query or _TABLES)
    if out is None:
        output_frames.print_frame(frame, result_format)
    else:
        output_frames.write_frame(frame, result_format, out)
