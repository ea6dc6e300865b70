"""The output of `relabel export`, `relabel import` and `relabel push`.

What belongs here: sentences. What does not: the commands (export.py, push.py).
"""

from pathlib import Path

from rich.markup import escape

from relabel_assets.cli.console import ERR, OUT
from relabel_assets.exchange.export_file import Exported
from relabel_assets.exchange.import_file import REFERENCE, Import
from relabel_assets.plural import counted

_MOST_SHOWN = 20  # one screen


def print_exported(corpus: str, labeler: str, exported: Exported) -> None:
    """Print what was written, and the rows that were left out."""
    for line in exported.left_out[:_MOST_SHOWN]:
        ERR.print(f"left out: {escape(line)}", highlight=False, soft_wrap=True)
    if len(exported.left_out) > _MOST_SHOWN:
        ERR.print(f"left out: {len(exported.left_out) - _MOST_SHOWN:,} more", highlight=False)
    judgments = counted(exported.n_judgments, "judgment")
    queries = counted(exported.n_queries, "query")
    files = " and ".join(escape(str(file)) for file in exported.files)
    OUT.print(
        f"{judgments} of {queries} by {escape(labeler)}, corpus {corpus}: {files}",
        highlight=False,
        soft_wrap=True,
    )


def print_imported(corpus: str, done: Import, *, is_trial: bool) -> None:
    """Print what was imported, or would be, and what was left out."""
    for problem in done.problems[:_MOST_SHOWN]:
        ERR.print(f"left out: {escape(str(problem))}", highlight=False, soft_wrap=True)
    if len(done.problems) > _MOST_SHOWN:
        ERR.print(f"left out: {len(done.problems) - _MOST_SHOWN:,} more", highlight=False)
    grades = counted(done.n_grades, "grade")
    queries = counted(done.n_queries, "query")
    kind = "reference labels" if done.labeler == REFERENCE else f"labeler {done.labeler}"
    verb = "would be imported" if is_trial else "imported"
    if done.is_known:
        verb = "imported before, nothing changed"
    repeated = f" {done.n_repeated:,} were there twice." if done.n_repeated else ""
    OUT.print(
        f"{corpus}, {kind}: {grades} of {queries} {verb}: {escape(str(done.path))}.{repeated}",
        highlight=False,
        soft_wrap=True,
    )
    if done.is_written:
        OUT.print(f"Next: relabel run -c {corpus}", highlight=False)


def print_pushed(places: list[str], files: list[Path], n_bytes: int, *, has_texts: bool) -> None:
    """Print where a student and labels went, and what of the corpus went with them."""
    for place in places:
        OUT.print(escape(place), highlight=False, soft_wrap=True)
    texts = "with" if has_texts else "without"
    OUT.print(
        f"{counted(len(files), 'file')}, {n_bytes / 1e6:,.1f} MB: queries, document ids and grades, "
        f"{texts} the documents' texts. README.md says what else they tell of the corpus.",
        highlight=False,
        soft_wrap=True,
    )
