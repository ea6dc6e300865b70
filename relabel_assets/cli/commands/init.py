"""A corpus folder out of whatever a user has: `relabel init`."""

from pathlib import Path
from typing import Annotated

import typer

_MODEL = "gpt-4o-mini"


def init(
    name: Annotated[
        str, typer.Argument(help="The corpus: lower case letters, digits and _, at most 64.")
    ],
    source: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="PATH",
            help="A folder of documents at any depth; a table with a row a document; an archive, a mailbox "
            "or another single file; a folder of BEIR or ir_datasets.",
        ),
    ],
    description: Annotated[str | None, typer.Option(help="For corpus.yaml.")] = None,
    model: Annotated[
        str, typer.Option(help="The teacher whose cost is estimated. It is not switched on.")
    ] = _MODEL,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")
    ] = False,
) -> None:
    """Make a corpus folder of your documents, and show what was understood.

    Copies the files into RELABEL_DATA, reads them, and prints counts, samples, what cannot be used and
    why, and what a teacher would cost. Writes a corpus.yaml in which no teacher is switched on: nothing is
    sent to anybody. An existing corpus is never changed.

    Examples:

        relabel init wiki --from ~/exports/confluence.zip

        relabel init support_mail --from archive.mbox --dry-run

        relabel init handbook --from ../handbook/docs --description "The handbook of all staff"
    """
    from relabel_assets.cli.printing import init_output
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.corpus.check import check_folder
    from relabel_assets.corpus.folder import CorpusFolder
    from relabel_assets.corpus.new_corpus.make import copy_files, new_folder
    from relabel_assets.corpus.new_corpus.origin import origin_of
    from relabel_assets.corpus.new_corpus.overview import overview_of
    from relabel_assets.corpus.new_corpus.settings_text import settings_text
    from relabel_assets.progress import working_on
    from relabel_assets.running import runner
    from relabel_assets.teacher.trial_estimate import trial_estimate

    project, _ = runner.from_environment()
    data = Path(project.data_path)
    show_progress()
    with working_on(name) as progress, new_folder(data, name, is_kept=not dry_run) as path:
        origin = origin_of(source)
        unread = copy_files(origin, path, progress)
        folder = CorpusFolder(name, path, cache=project.home.caches / name)
        checked = check_folder(folder, progress)
        overview = overview_of(folder, progress)
        if not origin.is_kept_as_it_is:
            has_reference = overview.counts.n_reference_labels > 0
            text = settings_text(
                name, description or f"From: {source.name}", model, has_reference=has_reference
            )
            (path / "corpus.yaml").write_text(text, encoding="utf-8")
        cost = None
        if folder.teacher_kind == "none":
            cost = trial_estimate(project.teacher(), folder, model)
    init_output.print_new(name, data / name, origin, overview, is_made=not dry_run)
    init_output.print_set_aside([*origin.left_out, *unread, *checked.problems], checked.notes)
    if cost is not None:
        init_output.print_cost(cost, model)
    init_output.print_next(name, overview, is_made=not dry_run, kind=folder.teacher_kind)
