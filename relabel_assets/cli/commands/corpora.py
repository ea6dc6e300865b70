"""Listing and checking corpus folders: `relabel corpora list`, `relabel corpora check`."""

from typing import Annotated

import typer

from relabel_assets.cli.options import chosen_corpora
from relabel_assets.errors import Problem, RelabelError
from relabel_assets.intake.one_input import for_each_corpus

app = typer.Typer(no_args_is_help=True, help="List the corpora, and check their folders.")


@app.command("list")
def corpora_list() -> None:
    """List the corpora in RELABEL_DATA, with counts of documents, queries and grades."""
    from relabel_assets.cli import output
    from relabel_assets.running import runner

    project, _ = runner.from_environment()
    corpora = project.corpora()
    output.print_corpora(corpora, chosen_corpora(None, project.data_path, corpora.names()))
    output.print_problems(corpora.refused())


@app.command("check")
def corpora_check(
    corpus: Annotated[
        list[str] | None, typer.Argument(help="Corpora, by name. Default: all.")
    ] = None,
) -> None:
    """Print every problem of a corpus folder with its file, line and remedy. Exits with 3 if there is one."""
    from relabel_assets.cli import output
    from relabel_assets.running import runner

    project, _ = runner.from_environment()
    corpora = project.corpora()
    problems = list(corpora.refused())
    output.print_problems(problems)

    def report(name: str, found: list[Problem]) -> None:
        output.print_check(name, found)
        problems.extend(found)

    def on_failure(name: str, error: RelabelError) -> None:
        report(name, [Problem(name, None, str(error), "")])

    names = chosen_corpora(corpus, project.data_path, corpora.names())
    for name, found in for_each_corpus(names, corpora.check, on_failure):
        report(name, found)
    if problems:
        raise typer.Exit(3)
