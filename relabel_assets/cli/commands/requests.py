"""Having the labels made elsewhere: `relabel requests export`, `relabel requests import`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Write requests to a file, and read the responses that were made elsewhere."
)


@app.command("export")
def requests_export(
    corpus: Annotated[str, typer.Option("--corpus", "-c", help="The corpus, by name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, such as requests.jsonl.")],
) -> None:
    """Write every grading request that has no usable answer, in OpenAI's Batch format. Sends nothing."""
    from relabel_assets.cli import output_teacher as terminal_teacher
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.errors import CorpusError
    from relabel_assets.running import runner
    from relabel_assets.teacher.questions import candidate_pairs, grading_questions

    project, warehouse = runner.from_environment()
    corpora = project.corpora()
    (name,) = chosen_corpora([corpus], project.data_path, corpora.names())
    folder = corpora.open(name)
    if folder.teacher_kind == "recorded":
        raise CorpusError(
            f"corpus {name!r} has a recorded teacher, which needs no requests. Set teacher: {{kind: openai}} in its "
            "corpus.yaml to have it graded anew."
        )
    pairs = candidate_pairs(warehouse, name)
    if pairs.is_empty():
        raise CorpusError(
            f"corpus {name!r} has no candidates yet. Make them first: relabel run -c {name} -s +bm25_candidates"
        )
    terminal_teacher.print_export(
        name, project.teacher().export(grading_questions(folder, pairs), corpus=name, out=out)
    )


@app.command("import")
def requests_import(
    files: Annotated[list[Path], typer.Argument(help="Files of responses, in OpenAI's Batch output format.")],
) -> None:
    """Put responses into the ledger, by their custom_id; `relabel run` then grades from them.

    Lines that are torn, foreign or were never asked from here are kept out, counted, and end in exit code 7.
    """
    from relabel_assets.cli import output_teacher as terminal_teacher
    from relabel_assets.errors import TeacherError
    from relabel_assets.running import runner
    from relabel_assets.teacher.batch.files import import_responses
    from relabel_assets.teacher.prices import Price, price_of
    from relabel_assets.teacher.sending.endpoint import base_url_of

    project, _ = runner.from_environment()
    corpora = project.corpora()
    names = set(corpora.names())

    def price(corpus: str, model: str) -> Price | None:
        if corpus not in names:
            return None
        config = corpora.open(corpus).config.teacher
        return price_of(config, model, base_url_of(config))

    found = import_responses(project.teacher().ledger, files, price)
    terminal_teacher.print_intake(found)
    if found.problems:
        raise typer.Exit(TeacherError.exit_code)
