"""The `relabel` command: thin, it calls what the assets and the UI call, and prints.

What belongs here: which commands there are, and exit codes. What does not: the commands (commands/), anything that
computes (runner.py, core/) or draws (terminal.py). Modules that load Dagster are imported inside the commands that need
them, so that `--help` is quick.
"""

import os
import sys
from typing import Annotated

import typer

from relabel_assets.cli.commands import corpora, estimate, label, ledger, metrics, requests, sql, upkeep
from relabel_assets.cli.commands import run as graph
from relabel_assets.errors import RelabelError

app = typer.Typer(
    name="relabel",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Relevance labels in SQL, and a small model that grades like the large one that taught it.

A corpus is a folder under `data/` with documents in it. `relabel run` takes each one through the graph: documents,
queries, candidates, teacher's labels, student, benchmark. Every step is a table of the warehouse.

State lives in `RELABEL_HOME` (default `.relabel`); corpora are read from `RELABEL_DATA` (default `data`).

Exit codes: 0 done, 1 a corpus failed, 2 wrong arguments, 3 corpus, 4 settings, 5 contract, 6 warehouse, 7 teacher,
8 student, 130 stopped.
""",
)
app.command()(graph.run)
app.command()(graph.plan)
app.command()(graph.report)
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
app.command()(graph.ui)


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    from relabel_assets.home import Home

    os.environ.setdefault("DAGSTER_HOME", str(Home.from_environment().dagster))
    if debug:
        os.environ["RELABEL_DEBUG"] = "1"


def main() -> None:
    """The entry point: an error of ours ends in its message and exit code, Ctrl-C in 130."""
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
        err.print("Stopped. What was finished is kept; run this again to go on.")
        sys.exit(130)


if __name__ == "__main__":
    main()
