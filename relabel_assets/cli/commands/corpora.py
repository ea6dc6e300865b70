"""Looking at the corpus folders: `relabel corpora list`, `relabel corpora check`."""

from typing import Annotated

import typer

from relabel_assets.cli.options import chosen_corpora
from relabel_assets.errors import Problem, RelabelError

app = typer.Typer(no_args_is_help=True, help="See which corpora there are, and what is wrong with their folders.")


@app.command("list")
def corpora_list() -> None:
    """List the corpora in RELABEL_DATA and what each has."""
    from relabel_assets.cli import output as terminal
    from relabel_assets.running import runner

    project, _ = runner.from_environment()
    corpora = project.corpora()
    terminal.print_corpora(corpora, chosen_corpora(None, project.data_path, corpora.names()))
    terminal.print_problems(corpora.refused())


@app.command("check")
def corpora_check(
    corpus: Annotated[list[str] | None, typer.Argument(help="Corpora by name; all if left out.")] = None,
) -> None:
    """Say what is wrong with each corpus folder: file, line and remedy. Exits with 3 where anything is."""
    from relabel_assets.cli import output as terminal
    from relabel_assets.running import runner

    project, _ = runner.from_environment()
    corpora = project.corpora()
    problems = list(corpora.refused())
    terminal.print_problems(problems)
    for name in chosen_corpora(corpus, project.data_path, corpora.names()):
        try:
            found = corpora.check(name)
        except RelabelError as error:
            found = [Problem(name, None, str(error), "")]
        terminal.print_check(name, found)
        problems += found
    if problems:
        raise typer.Exit(3)
