"""Labeling a file of pairs with the student: `relabel label`."""

from pathlib import Path
from typing import Annotated

import typer


def label(
    pairs: Annotated[
        Path,
        typer.Argument(
            help="Parquet, CSV or JSON Lines with `query_id` or `query`, and `doc_id` or `body` (and `title`, `author`, "
            "`path`, `updated_at`, `doc_type`, where there are)."
        ),
    ],
    corpus: Annotated[str, typer.Option("--corpus", "-c", help="Whose student grades, and whose ids these are.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The labels file: .parquet, .csv or .jsonl.")],
) -> None:
    """Grade every pair of a file with the corpus' current student.

    Stop it whenever you like: the same command goes on where it stopped, with every row exactly once.
    """
    from relabel_assets import runner, terminal
    from relabel_assets.commands.graph import show_progress
    from relabel_assets.commands.options import chosen_corpora
    from relabel_assets.core.student import Labeler
    from relabel_assets.core.student.base import weights_identity
    from relabel_assets.errors import StudentError
    from relabel_assets.graph import logged_progress
    from relabel_assets.resources.bulk_labels import label_file

    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    students = warehouse.read("student_model", name).filter("is_current")
    if students.is_empty():
        raise StudentError(f"corpus {name!r} has no student yet. Train one: relabel run -c {name} -s +student_model")
    student = students.row(0, named=True)
    folder = project.home.path / student["path"]
    show_progress()
    counts = label_file(
        pairs,
        out,
        labeler=Labeler.load(folder),
        texts=lambda column, ids: warehouse.texts(name, column, ids),
        model_id=student["model_id"],
        model_hash=weights_identity(str(folder)),
        progress=logged_progress(f"{name} / {out.name}"),
    )
    terminal.print_labeled(out, counts)
