"""Reading the labels: `relabel sql`."""

from pathlib import Path
from typing import Annotated

import typer


def sql(
    query: Annotated[
        str,
        typer.Argument(
            help="`select * from labels limit 5`; `show tables` lists what there is, `describe labels` its columns."
        ),
    ],
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

    `docs/sql.md` has twenty worked queries.
    """
    from relabel_assets import runner, terminal

    _, warehouse = runner.from_environment()
    chosen = terminal.output_format(output_format, out)
    frame = warehouse.read_replica(query)
    if out is None:
        terminal.print_frame(frame, chosen)
    else:
        terminal.write_frame(frame, chosen, out)
