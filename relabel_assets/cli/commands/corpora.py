"""Listing and checking corpus folders: `relabel corpora list`, `relabel corpora check`.

What does not belong here: removing one (corpora_remove.py).
"""

from typing import Annotated

import typer

from relabel_assets.cli.commands.corpora_remove import corpora_remove
from relabel_assets.cli.options import (
    CorpusOption,
    FormatOption,
    OutputFormat,
    chosen_corpora,
)
from relabel_assets.errors import Problem, RelabelError

app = typer.Typer(
    no_args_is_help=True, help="List the corpora, check their folders, and remove one that is gone."
)


@app.command("list")
def corpora_list(
    corpus: CorpusOption = None, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the corpora in RELABEL_DATA, with counts of documents, queries and grades.

    - `relabel corpora list -c support_desk`: one corpus

    - `relabel corpora list --format json | jq -r .corpus`: their names
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.each_corpus import EachCorpus
    from relabel_assets.cli.printing import output_json
    from relabel_assets.running import runner

    project, _ = runner.from_environment()
    corpora = project.corpora()
    names = chosen_corpora(corpus, project.data_path, corpora.names())
    if output_format is OutputFormat.JSON:
        each = EachCorpus()
        for name, record in each.of(names, lambda name: output_json.of_corpus(corpora.open(name))):
            output_json.print_json(name, record)
        output_json.print_failures(each.failures)
    else:
        output.print_corpora(corpora, names)
    output.print_problems(corpora.refused())


@app.command("check")
def corpora_check(
    named: Annotated[
        list[str] | None, typer.Argument(metavar="CORPUS", help="As with --corpus.")
    ] = None,
    corpus: CorpusOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Print every problem of a corpus folder with its file, line and remedy. Exits with 3 if there is one.

    A problem is all that a run would set aside, and every file that nobody reads. Notes say how tables were
    read: delimiter, encoding, sheet and columns.

    - `relabel corpora check -c support_desk`: one corpus

    - `relabel corpora check --format json | jq '.problems[].message'`
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.printing import output_json
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.corpus.check import Checked, check_folder
    from relabel_assets.intake.one_input import for_each_corpus
    from relabel_assets.progress import working_on
    from relabel_assets.running import runner
    from relabel_assets.running.review_problems import review_problems

    is_json = output_format is OutputFormat.JSON
    project, warehouse = runner.from_environment()
    corpora = project.corpora()
    problems = list(corpora.refused())
    output.print_problems(problems)

    def report(name: str, found: Checked) -> None:
        if is_json:
            output_json.print_json(name, output_json.of_check(found))
        else:
            output.print_check(name, found)
        problems.extend(found.problems)

    def on_failure(name: str, error: RelabelError) -> None:
        report(name, Checked([Problem(name, None, str(error), "")]))

    chosen = [*(named or []), *(corpus or [])]
    names = chosen_corpora(chosen, project.data_path, corpora.names())
    show_progress()

    def check(name: str) -> Checked:
        folder = corpora.open(name)
        with working_on(name) as progress:
            found = check_folder(folder, progress)
        found.problems += review_problems(warehouse, folder)
        return found

    for name, found in for_each_corpus(names, check, on_failure):
        report(name, found)
    if problems:
        raise typer.Exit(3)


app.command("remove")(corpora_remove)
