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
    force: Annotated[
        bool, typer.Option("--force", help="With --out: replace a file that exists.")
    ] = False,
) -> None:
    """Query the labels in SQL, read-only. Reads the replica, so it never waits for a run.

    - `relabel sql`: list the tables and views

    - `relabel sql "describe labels"`: list the columns of a view

    - `relabel sql "select * from latest_benchmark"`: the benchmark

    - `relabel sql "select * from label_disagreements limit 5"`

    - `relabel sql "select * from labels where grade >= 2" --out labels.parquet`

    A terminal gets a table. What is wider becomes a block a row. A pipe gets plain columns, a line a row:

        relabel sql "select labeler, grade from labels" | sort | uniq -c

    The SQL dialect is DuckDB's. `docs/sql.md` has twenty worked queries.
    """
    # Neither Dagster nor Polars is imported here: the query starts first.
    from relabel_assets.cli.printing import output_frames
    from relabel_assets.errors import ConfigError
    from relabel_assets.home import Home
    from relabel_assets.out_file import require_free
    from relabel_assets.warehouse.reading import read_labels

    result_format = output_frames.output_format(output_format, out)
    if out is not None:
        require_free(out, is_forced=force)
    if query is not None:
        query = sys.stdin.buffer.read().decode("utf-8", "replace") if query == "-" else query
        if not query.strip():
            raise ConfigError(
                'the query is empty. Try `relabel sql "select * from labels limit 5"`.'
            )
    frame = read_labels(Home.from_environment().warehouse, query or _TABLES)
    if out is None:
        output_frames.print_frame(frame, result_format)
    else:
        output_frames.write_frame(frame, result_format, out)
