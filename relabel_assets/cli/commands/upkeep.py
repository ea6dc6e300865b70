"""Maintenance of RELABEL_HOME: `relabel doctor`, `relabel backup`, `relabel restore`."""

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Repair the problems that can be repaired safely.")
    ] = False,
) -> None:
    """Check RELABEL_HOME and print each problem with its remedy. Exits with 6 if one remains."""
    from relabel_assets.cli import output
    from relabel_assets.errors import WarehouseError
    from relabel_assets.running import runner
    from relabel_assets.upkeep.doctor import examine

    project, warehouse = runner.from_environment()
    findings = list(examine(project, warehouse, is_fixing=fix))
    output.print_findings(findings)
    if any(finding.problem and not finding.is_fixed for finding in findings):
        raise typer.Exit(WarehouseError.exit_code)


def backup(
    out: Annotated[Path, typer.Argument(help="The file to write, for example relabel.tar.gz.")],
) -> None:
    """Write warehouse, models, ledger and reports to one file. Safe while runs are in progress."""
    from relabel_assets.cli import output
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.progress import working_on
    from relabel_assets.running import runner
    from relabel_assets.upkeep.backup import back_up

    project, warehouse = runner.from_environment()
    show_progress()
    with working_on(out.name) as progress:
        sizes = back_up(project.home, warehouse, out, progress)
    output.print_backup(out, sizes)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `relabel backup` wrote.")],
    max_gb: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1e6,
            help="The most that FILE may unpack to. Default: 50 times its size, and at least 2 GB.",
        ),
    ] = None,
) -> None:
    """Restore a backup into a RELABEL_HOME that has no warehouse yet."""
    from rich.markup import escape

    from relabel_assets.cli import output
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.home import Home
    from relabel_assets.progress import working_on
    from relabel_assets.upkeep.restore import restore as restore_backup

    home = Home.from_environment()  # not created yet: a failed restore leaves nothing
    max_bytes = int(max_gb * 1e9) if max_gb else None
    show_progress()
    with working_on(file.name) as progress:
        parts = restore_backup(home, file, max_bytes=max_bytes, progress=progress)
    output.OUT.print(
        f"{escape(str(home.path))}: {', '.join(parts)} restored",
        highlight=False,
        soft_wrap=True,
    )
