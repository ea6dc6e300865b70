"""Summarizing and verifying the ledger: `relabel ledger`."""

from typing import Annotated

import typer

from relabel_assets.cli.options import CorpusOption, chosen_corpora


def ledger(
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Parse every line and check every key. Exits with 7 if a line is wrong.",
        ),
    ] = False,
    corpus: CorpusOption = None,
) -> None:
    """Summarize the ledger of teacher requests: its size, the spend and the unusable lines.

    - `relabel ledger -c support_desk`: the requests of one corpus

    - `relabel ledger --verify`: read every line
    """
    from relabel_assets.cli.printing import output_teacher
    from relabel_assets.errors import TeacherError
    from relabel_assets.running import runner
    from relabel_assets.teacher.ledger import report as ledger_report

    project, _ = runner.from_environment()
    teacher_ledger = project.teacher().ledger
    chosen = None
    if corpus:  # a folder of the ledger outlives its corpus
        folders = {
            file.relative_to(teacher_ledger.folder).parts[0] for file in teacher_ledger.files()
        }
        known = sorted({*folders, *project.corpora().names()})
        chosen = chosen_corpora(corpus, project.data_path, known)
    summary = ledger_report.report(teacher_ledger, is_thorough=verify, corpora=chosen)
    output_teacher.print_ledger(teacher_ledger.folder, summary, is_thorough=verify)
    if verify and summary.problems:
        raise typer.Exit(TeacherError.exit_code)
