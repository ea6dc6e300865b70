"""Summarizing and verifying the ledger: `relabel ledger`."""

from typing import Annotated

import typer


def ledger(
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Parse every line and check every key. Exits with 7 if a line is wrong.",
        ),
    ] = False,
) -> None:
    """Summarize the ledger of teacher requests: its size, the spend and the unusable lines."""
    from relabel_assets.cli import output_teacher
    from relabel_assets.errors import TeacherError
    from relabel_assets.running import runner
    from relabel_assets.teacher.ledger import report as ledger_report

    project, _ = runner.from_environment()
    teacher_ledger = project.teacher().ledger
    summary = ledger_report.report(teacher_ledger, is_thorough=verify)
    output_teacher.print_ledger(teacher_ledger.folder, summary, is_thorough=verify)
    if verify and summary.problems:
        raise typer.Exit(TeacherError.exit_code)
