"""Grading with another tool: `relabel requests export` and `relabel requests import`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Export grading requests to a file, and import the responses of another tool.",
)


@app.command("export")
def requests_export(
    corpus: Annotated[str, typer.Option("--corpus", "-c", help="The corpus, by name.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write, such as requests.jsonl.")
    ],
) -> None:
    """Write the unanswered grading requests to a file in OpenAI's Batch format. Sends nothing.

    They are about all candidates of train, dev and benchmark queries, and about the pairs of label queries
    in `asked_labels`. With `teacher: {mode: offline}`, `relabel run` chooses those and asks nobody.
    """
    import polars as pl

    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing import output_teacher
    from relabel_assets.errors import CorpusError
    from relabel_assets.running import runner
    from relabel_assets.running.candidate_pairs import candidate_pairs, pairs_without_answer
    from relabel_assets.teacher.questions import GradingQuestions
    from relabel_assets.teacher.redaction.redaction import redaction_note

    project, warehouse = runner.from_environment()
    corpora = project.corpora()
    (name,) = chosen_corpora([corpus], project.data_path, corpora.names())
    folder = corpora.open(name)
    folder.require_teacher()
    if folder.teacher_kind == "recorded":
        raise CorpusError(
            f"corpus {name!r} has a recorded teacher, which receives no requests. "
            "Set teacher: {kind: openai} in its corpus.yaml to grade it with a live teacher."
        )
    pairs = candidate_pairs(warehouse, name)
    if pairs.is_empty():
        raise CorpusError(
            f"corpus {name!r} has no candidates yet. Run first: relabel run -c {name} "
            "-s +bm25_candidates"
        )
    asked = pairs_without_answer(warehouse, name)
    questions = GradingQuestions.for_corpus(folder, pl.concat([pairs, asked]))
    written = project.teacher().export(questions, corpus=name, out=out)
    redacted = redaction_note(questions.redaction.counts)
    output_teacher.print_export(name, written, redacted)


@app.command("import")
def requests_import(
    files: Annotated[
        list[Path], typer.Argument(help="Files of responses, in OpenAI's Batch output format.")
    ],
) -> None:
    """Add responses to the ledger, matched by custom_id. `relabel run` then turns them into grades.

    Torn lines, foreign lines and responses to unknown requests are skipped and counted. If there are
    any, the exit code is 7.
    """
    from relabel_assets.cli.each_corpus import EachCorpus
    from relabel_assets.cli.printing import output_teacher
    from relabel_assets.errors import TeacherError
    from relabel_assets.running import runner
    from relabel_assets.teacher.batch.response_files import import_responses
    from relabel_assets.teacher.http.credentials import base_url_of
    from relabel_assets.teacher.prices import Price, price_of

    project, _ = runner.from_environment()
    corpora = project.corpora()
    # A corpus that cannot be opened costs its own responses their price, and no other corpus anything.
    opened = dict(EachCorpus().of(corpora.names(), corpora.open))

    def price(corpus: str, model: str) -> Price | None:
        if corpus not in opened:
            return None
        config = opened[corpus].config.teacher
        return price_of(config, model, base_url_of(config))

    imported = import_responses(project.teacher().ledger, files, price)
    output_teacher.print_import(imported)
    if imported.problems:
        raise typer.Exit(TeacherError.exit_code)
