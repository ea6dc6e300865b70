"""Reading the warehouse: `relabel sql`."""

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
        str, typer.Option("--format", "-f", help="table, csv, or json (one object a line).")
    ] = "table",
) -> None:
    """Run SQL on the warehouse, read-only."""
    from relabel_assets import runner, terminal

    _, warehouse = runner.from_environment()
    terminal.print_frame(warehouse.query(query), output_format)
