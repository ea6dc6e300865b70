"""Removing what runs made of a corpus: `relabel corpora remove`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from relabel_assets.upkeep.remove_corpus import Removal


def corpora_remove(
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="The corpus.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove it. Without this nothing is removed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be removed. The default.")
    ] = False,
    with_ledger: Annotated[
        bool,
        typer.Option(help="Remove the teacher's answers too. They were paid for."),
    ] = False,
    keep_folder: Annotated[
        bool,
        typer.Option(
            "--keep-folder",
            help="Also where the folder of the corpus is there. It stays, and a run makes all again.",
        ),
    ] = False,
) -> None:
    """Remove the rows, students, report and partition of a corpus whose folder is gone or renamed.

    Prints what goes and how large it is. Nothing in RELABEL_DATA is removed: no document, no review.

    - `relabel corpora remove old_name`: what would go

    - `relabel corpora remove old_name --yes`: remove it
    """
    from relabel_assets.cli import output
    from relabel_assets.running import runner
    from relabel_assets.upkeep.remove_corpus import refuse_present, removal_of, remove

    project, warehouse = runner.from_environment()
    removal = removal_of(project, warehouse, corpus)
    if not keep_folder:
        refuse_present(project, corpus)
    is_removing = yes and not dry_run
    for line in removal_lines(removal, with_ledger=with_ledger):
        output.OUT.print(line, highlight=False, markup=False, soft_wrap=True)
    if is_removing:
        remove(project, warehouse, removal, with_ledger=with_ledger)
    verdict = "Removed." if is_removing else "Nothing was removed. Add --yes to remove it."
    output.OUT.print(verdict, highlight=False)


def removal_lines(removal: "Removal", *, with_ledger: bool) -> list[str]:
    """What goes, a line each with its size, and what stays."""
    lines = [f"{removal.corpus}: rows of {name}: {n:,}" for name, n in removal.rows.items()]
    files = removal.files | (removal.ledger if with_ledger else {})
    lines += [f"{removal.corpus}: {place}: {n / 1e6:,.1f} MB" for place, n in files.items()]
    if removal.has_partition:
        lines.append(f"{removal.corpus}: its partition in Dagster; the record of runs stays")
    if removal.ledger and not with_ledger:
        size = sum(removal.ledger.values()) / 1e6
        lines.append(
            f"{removal.corpus}: stays: the teacher's answers, {', '.join(removal.ledger)} ({size:,.1f} MB). "
            "--with-ledger removes them too."
        )
    return lines
