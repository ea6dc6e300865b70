"""Looking at the ledger: `relabel ledger`."""

from typing import Annotated

import typer


def ledger(
    verify: Annotated[
        bool, typer.Option("--verify", help="Parse every line and check every key; exit with 7 where one is wrong.")
    ] = False,
) -> None:
    """Say what the ledger of teacher requests holds, what was spent, and which lines cannot be used."""
    from relabel_assets.cli import output_teacher as terminal_teacher
    from relabel_assets.errors import TeacherError
    from relabel_assets.running import runner
    from relabel_assets.teacher.ledger import report as ledger_report

    project, _ = runner.from_environment()
    opened = project.teacher().ledger
    found = ledger_report.report(opened, is_thorough=verify)
    terminal_teacher.print_ledger(opened.folder, found, is_thorough=verify)
    if verify and found.problems:
        raise typer.Exit(TeacherError.exit_code)
