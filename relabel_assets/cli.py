"""The `relabel` command: thin, it calls what the assets and the UI call, and prints.

What belongs here: arguments, help and exit codes. What does not: anything that computes (runner.py, core/) or draws
(terminal.py). Modules that load Dagster are imported by the commands that need them, so that `--help` is quick.
"""

import logging
import os
import sys
from typing import Annotated

import typer

from relabel_assets.errors import CorpusError, Problem, RelabelError

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
corpora_app = typer.Typer(
    no_args_is_help=True, help="See which corpora there are, and what is wrong with their folders."
)
app.add_typer(corpora_app, name="corpora")

CorpusOption = Annotated[
    list[str] | None, typer.Option("--corpus", "-c", help="A corpus by name; may be given again. All if left out.")
]
SelectOption = Annotated[
    str | None,
    typer.Option(
        "--select",
        "-s",
        help="Tables, in Dagster's selection syntax: `teacher_labels`, `student_model+`, `+student_labels`.",
    ),
]


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    from relabel_assets.resources.home import Home

    os.environ.setdefault("DAGSTER_HOME", str(Home.from_environment().dagster))
    if debug:
        os.environ["RELABEL_DEBUG"] = "1"


@app.command()
def run(
    corpus: CorpusOption = None,
    select: SelectOption = None,
    force: Annotated[bool, typer.Option("--force", help="Make the rows again even where nothing changed.")] = False,
    next_steps: Annotated[bool, typer.Option("--next-steps", help="End with what to try next.")] = False,
) -> None:
    """Bring every table of every corpus up to date, through Dagster; only what changed is made again."""
    from relabel_assets import runner, terminal

    project, warehouse = runner.from_environment()
    _show_progress()
    corpora = project.corpora()
    terminal.print_problems(corpora.refused())
    names = _chosen(corpus, project.data_path, corpora.names())
    tables = runner.select_tables(select)
    outcomes = []
    for name in names:
        outcome = runner.bring_up_to_date(project, warehouse, name, tables, is_forced=force)
        if outcome:
            terminal.print_outcome(outcome)
            outcomes.append(outcome)
    if not outcomes:
        terminal.OUT.print(f"Nothing to do: {', '.join(names)} up to date.")
    if "benchmark_report" in tables:
        terminal.print_report(project, warehouse, names)
    if next_steps:
        terminal.print_next_steps(names[0])
    failed = [outcome.corpus for outcome in outcomes if not outcome.is_success]
    if failed:
        terminal.ERR.print(f"[red]Failed:[/] {', '.join(failed)}. What was finished is kept; run this again to go on.")
        raise typer.Exit(1)


@app.command()
def plan(corpus: CorpusOption = None, select: SelectOption = None) -> None:
    """Say which tables `relabel run` would make again, and why; change nothing."""
    from relabel_assets import runner, terminal

    project, warehouse = runner.from_environment()
    corpora = project.corpora()
    terminal.print_problems(corpora.refused())
    tables = runner.select_tables(select)
    for name in _chosen(corpus, project.data_path, corpora.names()):
        terminal.print_plan(name, runner.stale_tables(project, warehouse, name, tables))


@app.command()
def report(corpus: CorpusOption = None) -> None:
    """Print the benchmark: teacher, student, the untrained base and BM25 against the reference labels."""
    from relabel_assets import runner, terminal

    project, warehouse = runner.from_environment()
    terminal.print_report(project, warehouse, _chosen(corpus, project.data_path, project.corpora().names()))


@app.command()
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


@corpora_app.command("list")
def corpora_list() -> None:
    """List the corpora in RELABEL_DATA and what each has."""
    from relabel_assets import runner, terminal

    project, _ = runner.from_environment()
    corpora = project.corpora()
    terminal.print_corpora(corpora, _chosen(None, project.data_path, corpora.names()))
    terminal.print_problems(corpora.refused())


@corpora_app.command("check")
def corpora_check(
    corpus: Annotated[list[str] | None, typer.Argument(help="Corpora by name; all if left out.")] = None,
) -> None:
    """Say what is wrong with each corpus folder: file, line and remedy. Exits with 3 where anything is."""
    from relabel_assets import runner, terminal

    project, _ = runner.from_environment()
    corpora = project.corpora()
    problems = list(corpora.refused())
    terminal.print_problems(problems)
    for name in _chosen(corpus, project.data_path, corpora.names()):
        try:
            found = corpora.check(name)
        except RelabelError as error:
            found = [Problem(name, None, str(error), "")]
        terminal.print_check(name, found)
        problems += found
    if problems:
        raise typer.Exit(3)


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000) -> None:
    """Open the graph in the Dagster UI, with RELABEL_HOME as its home."""
    from relabel_assets import runner

    project, _ = runner.from_environment()
    os.environ.update(RELABEL_HOME=project.home_path, RELABEL_DATA=project.data_path)
    # dagster dev keeps its own sockets and logs in the working directory's temporary folder: start it in the home.
    os.chdir(project.home_path)
    module = ["-m", "relabel_assets.definitions", "-h", "127.0.0.1", "-p", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "dagster", "dev", *module])


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


def _chosen(asked: list[str] | None, data_path: str, names: list[str]) -> list[str]:
    """The corpora asked for, or all. Raises CorpusError where there is none, or one that is not there."""
    if not names:
        raise CorpusError(f"no corpus in {data_path}. Make a folder there with documents in it, or set RELABEL_DATA.")
    unknown = sorted(set(asked or []) - set(names))
    if unknown:
        raise CorpusError(f"no corpus {', '.join(unknown)} in {data_path}. There: {', '.join(names)}.")
    return sorted(set(asked)) if asked else names


def _show_progress() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("relabel_assets.progress")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
