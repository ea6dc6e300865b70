"""The `relabel` command: its list of commands, and its exit codes.

What belongs here: the list and the exit codes. What does not: the commands (commands/), computation
(running/ and other packages) and printing (output.py). Commands import modules that load Dagster in
their bodies, so that `--help` is quick.
"""

import os
import sys
from typing import Annotated

import typer

from relabel_assets.cli.commands import (
    corpora,
    estimate,
    label,
    ledger,
    metrics,
    requests,
    run,
    sql,
    upkeep,
)
from relabel_assets.errors import RelabelError

app = typer.Typer(
    name="relabel",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Relevance labels in SQL, and a small model that grades like its large teacher.

A corpus is a folder of documents under `data/`. `relabel run` computes the tables of each corpus:
documents, queries, candidates, teacher labels, student, benchmark.

First steps: `relabel corpora check` validates the folders, `relabel plan` shows the changes of a run,
`relabel run` makes them, and `relabel sql` queries the labels.

`RELABEL_HOME` (default `.relabel`) holds the state, `RELABEL_DATA` (default `data`) the corpora.

Exit codes: 0 success, 1 a corpus failed, 2 wrong arguments, 3 corpus folder, 4 settings, 5 table
contract, 6 warehouse, 7 teacher, 8 student, 130 stopped with Ctrl-C.
""",
)
app.command()(run.run)
app.command()(run.plan)
app.command()(run.report)
app.command()(sql.sql)
app.command()(label.label)
app.add_typer(corpora.app, name="corpora")
app.command()(estimate.estimate)
app.command()(ledger.ledger)
app.add_typer(requests.app, name="requests")
app.command()(upkeep.doctor)
app.command()(upkeep.backup)
app.command()(upkeep.restore)
app.command()(metrics.metrics)
app.command()(run.ui)


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    from relabel_assets.home import Home

    os.environ.setdefault("DAGSTER_HOME", str(Home.from_environment().dagster))
    if debug:
        os.environ["RELABEL_DEBUG"] = "1"


def main() -> None:
    """Run the command. Exits with the code of a RelabelError, after its message, or 130 after Ctrl-C."""
    from rich.console import Console
    from rich.markup import escape

    err = Console(stderr=True)
    try:
        app()
    except RelabelError as error:
        if os.environ.get("RELABEL_DEBUG"):
            raise
        err.print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("Stopped. Finished work is kept; run the same command again to continue.")
        sys.exit(130)


if __name__ == "__main__":
    main()
