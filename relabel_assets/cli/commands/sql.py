"""Reading the labels: `relabel sql`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

_TABLES = """
    select table_name as name, 'table' as kind, estimated_size as about_rows, comment from duckdb_tables() where not internal
    union all
    select view_name, 'view', null, regexp_replace(comment, ' \\[\\w+\\]$', '') from duckdb_views() where not internal
    order by kind, name
"""


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SQL statement; `-` reads it from stdin. Left out: what tables there are.")
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="table, csv, json (one object a line) or parquet (with --out)."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A file to write; its ending (.csv, .json, .jsonl, .parquet) is the format."),
    ] = None,
) -> None:
    """Run SQL on the labels, read-only. It never waits for a run: it reads the replica, `labels.duckdb`.

    - `relabel sql` : which tables and views there are, and what they hold

    - `relabel sql "describe labels"` : the columns of one

    - `relabel sql "select * from latest_benchmark"` : how good each labeler is

    - `relabel sql "select * from label_disagreements limit 5"` : where the student differs from its teacher

    - `relabel sql "select * from labels where grade >= 2" --out labels.parquet`

    The language is DuckDB's. `docs/sql.md` has twenty worked queries.
    """
    from relabel_assets.cli import output_frames as terminal_frames
    from relabel_assets.errors import ConfigError, WarehouseError
    from relabel_assets.running import runner

    _, warehouse = runner.from_environment()
    chosen = terminal_frames.output_format(output_format, out)
    if query is not None:
        query = sys.stdin.read() if query == "-" else query
        if not query.strip():
            raise ConfigError('there is no SQL to run. Try `relabel sql "select * from labels limit 5"`.')
    try:
        frame = warehouse.read_replica(query or _TABLES)
    except WarehouseError as error:
        if any(words in str(error) for words in ("read-only", "disabled by configuration", "through configuration")):
            raise WarehouseError(
                f"{error} `relabel sql` reads the labels and nothing else; --out FILE writes a result. For more, open "
                f"{warehouse.replica} in DuckDB."
            ) from error
        raise
    if out is None:
        terminal_frames.print_frame(frame, chosen)
    else:
        terminal_frames.write_frame(frame, chosen, out)
