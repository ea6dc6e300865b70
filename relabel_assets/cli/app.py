"""The list of commands, and their exit codes.

What belongs here: the list and the exit codes. What does not: the commands (commands/), computation
(running/ and other packages), printing (output.py) and Ctrl-C (supervisor.py). Commands import modules
that load Dagster in their bodies, so that `--help` is quick.
"""

import os
import sys
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from relabel_assets.cli.commands import (
    corpora,
    estimate,
    evaluate,
    export,
    init,
    label,
    ledger,
    metrics,
    push,
    queries,
    requests,
    run,
    sql,
    upkeep,
)
from relabel_assets.cli.commands.reviews import review_app
from relabel_assets.cli.options import VersionOption
from relabel_assets.cli.standard_streams import let_go_of_streams, open_streams
from relabel_assets.cli.supervisor import STOPPED
from relabel_assets.errors import RelabelError

_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h
_CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
_HELP_WIDTH = 110  # characters: the first sentence of every command is shorter

app = typer.Typer(
    name="relabel",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings=_CONTEXT,
    help="""Relevance labels in SQL, and a small model that grades like its large teacher.

A corpus is a folder of documents under `data/`. `relabel run` computes the tables of each corpus:
documents, queries, candidates, teacher labels, student, benchmark.

First steps: `relabel corpora check` validates the folders, `relabel plan` shows the changes of a run,
`relabel run` makes them, and `relabel sql` queries the labels.

`RELABEL_HOME` (default `.relabel`) holds the state, `RELABEL_DATA` (default `data`) the corpora.

Exit codes: 0 success, 1 a corpus failed, 2 wrong arguments, 3 corpus folder, 4 settings, 5 table
contract, 6 warehouse, 7 teacher, 8 student, 70 an unexpected error, 130 stopped with Ctrl-C or SIGTERM.

A corpus that fails does not stop the others. `run` then exits with 1. `plan`, `estimate` and `report`
exit with the code of the failure if one corpus failed, and with 1 if several did.
""",
)
app.command()(init.init)
app.command()(run.run)
app.command()(run.plan)
app.command()(run.report)
app.command()(sql.sql)
app.command()(label.label)
app.command()(evaluate.evaluate)
app.command()(export.export)
app.command("import")(export.import_judgments)
app.command()(push.push)
app.add_typer(corpora.app, name="corpora")
app.add_typer(queries.app, name="queries")
app.command()(estimate.estimate)
app.command()(ledger.ledger)
app.add_typer(requests.app, name="requests")
app.add_typer(review_app.app, name="review")
app.command()(upkeep.doctor)
app.command()(upkeep.backup)
app.command()(upkeep.restore)
app.command()(metrics.metrics)
app.command()(run.ui)


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: VersionOption = False,
) -> None:
    from relabel_assets.home import Home

    if debug:
        os.environ["RELABEL_DEBUG"] = "1"
    os.environ.setdefault("DAGSTER_HOME", str(Home.from_environment().dagster))


def run_command() -> int:
    """Run the command of sys.argv in this process; return its exit code.

    Without --debug no error ends in a traceback.
    """
    from relabel_assets.cli.console import is_debugging

    open_streams()
    _fit_help_to_stdout()
    try:
        code = app(prog_name="relabel", standalone_mode=False) or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = STOPPED
    except _input_errors() as error:
        if is_debugging() and not isinstance(error, TyperException):
            raise
        code = _explain(error)
    let_go_of_streams()
    return code


def _fit_help_to_stdout() -> None:
    """Give a pipe its help without boxes, and wide enough that the line of no command is cut."""
    from relabel_assets.cli.console import OUT, is_plain

    if is_plain():
        app.rich_markup_mode = None
        _CONTEXT["terminal_width"] = min(OUT.width, _HELP_WIDTH)


def _input_errors() -> tuple[type[BaseException], ...]:
    """INPUT_ERRORS. They are imported after an error only: that loads Polars."""
    from relabel_assets.intake.one_input import INPUT_ERRORS

    return INPUT_ERRORS


def _explain(error: BaseException) -> int:
    """Print the message of an error; return its exit code."""
    from rich.markup import escape

    from relabel_assets.cli.console import ERR
    from relabel_assets.intake.unexpected import unexpected

    if isinstance(error, BrokenPipeError):
        return 1  # its reader ended, as in `relabel sql | head`
    if isinstance(error, RelabelError):
        message, code = str(error), error.exit_code
    elif isinstance(error, TyperException):
        message, code = error.format_message(), error.exit_code
        context = getattr(error, "ctx", None)
        if not context or not message:  # the command printed its help
            return code
        if message.startswith("Usage: "):  # the help of a group, which was called without a command
            typer.echo(message)
            return code
        ERR.print(escape(context.get_usage()), highlight=False)
        message += f" Try: {context.command_path} --help"
    else:
        message = f"{unexpected(error)}. Run again with relabel --debug for the traceback."
        code = _UNEXPECTED
    ERR.print(f"[red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    return code
