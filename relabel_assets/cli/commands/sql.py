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
            help="One SQL statement; `-` reads it from stdin. Default: list the tables and views."
        ),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", help="table, csv, json (one object a line) or parquet (with --out)."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write the result to this file; its ending (.csv, .json, .jsonl, .parquet) "
            "sets the format.",
        ),
    ] = None,
) -> None:
    """Run a read-only SQL query on the labels. It reads the replica, `labels.duckdb`, so it never
    waits for a run.

    - `relabel sql` : the tables and views, with their meaning

    - `relabel sql "describe labels"` : the columns of one table or view

    - `relabel sql "select * from latest_benchmark"` : the benchmark of each labeler

    - `relabel sql "select * from label_disagreements limit 5"` : disagreements with the teacher

    - `relabel sql "select * from labels where grade >= 2" --out labels.parquet`

    The SQL dialect is DuckDB's. `docs/sql.md` has twenty worked queries.
    """
    from relabel_assets.cli import output_frames
    from relabel_assets.errors import ConfigError, WarehouseError
    from relabel_assets.running import runner

    _, warehouse = runner.from_environment()
    result_format = output_frames.output_format(output_format, out)
    if query is not None:
        query = sys.stdin.read() if query == "-" else query
        if not query.strip():
            raise ConfigError(
                'the query is empty. Try `relabel sql "select * from labels limit 5"`.'
            )
    try:
        frame = warehouse.read_replica(query or _TABLES)
    except WarehouseError as error:
        if any(
            words in str(error)
            for words in ("read-only", "disabled by configuration", "through configuration")
        ):
            raise WarehouseError(
                f"{error} `relabel sql` can only read the labels; --out FILE writes a "
                "result. For anything else, open "
                f"{warehouse.replica} in DuckDB."
            ) from error
        raise
    if out is None:
        output_frames.print_frame(frame, result_format)
    else:
        output_frames.write_frame(frame, result_format, out)
