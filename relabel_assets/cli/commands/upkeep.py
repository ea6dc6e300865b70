"""Keeping a home well: `relabel doctor`, `relabel backup`, `relabel restore`."""

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without losing anything.")] = False,
) -> None:
    """Look RELABEL_HOME over: what is wrong, and what to do about it. Exits with 6 where anything is left wrong."""
    from relabel_assets.cli import output as terminal
    from relabel_assets.errors import WarehouseError
    from relabel_assets.running import runner
    from relabel_assets.upkeep.doctor import examine

    project, warehouse = runner.from_environment()
    findings = list(examine(project, warehouse, is_mending=fix))
    terminal.print_findings(findings)
    if any(finding.problem and not finding.is_mended for finding in findings):
        raise typer.Exit(WarehouseError.exit_code)


def backup(out: Annotated[Path, typer.Argument(help="The file to write, such as relabel.tar.gz.")]) -> None:
    """Write warehouse, models, ledger and reports to one file, consistent while runs go on."""
    from relabel_assets.cli import output as terminal
    from relabel_assets.running import runner
    from relabel_assets.upkeep.backup import back_up

    project, warehouse = runner.from_environment()
    terminal.print_backup(out, back_up(project.home, warehouse, out))


def restore(file: Annotated[Path, typer.Argument(help="A file that `relabel backup` wrote.")]) -> None:
    """Put a backup into RELABEL_HOME, which must not hold a warehouse yet."""
    from relabel_assets.cli import output as terminal
    from relabel_assets.running import runner
    from relabel_assets.upkeep import backup as backups

    project, warehouse = runner.from_environment()
    parts = backups.restore(project.home, warehouse, file)
    terminal.OUT.print(f"{project.home.path}: {', '.join(parts)} restored", highlight=False, soft_wrap=True)
