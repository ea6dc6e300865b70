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
    engine: Annotated[
        str, typer.Option(help="local: here; ray: on a Ray cluster (extra `ray`, docs/labeling.md).")
    ] = "local",
    address: Annotated[str, typer.Option(help="ray: the cluster's address, `auto` or `local`.")] = "auto",
    actors: Annotated[int, typer.Option(min=1, help="ray: how many students grade at once.")] = 1,
) -> None:
    """Grade every pair of a file with the corpus' current student.

    Stop it whenever you like: the same command goes on where it stopped, with every row exactly once.
    """
    from relabel_assets import runner, terminal
    from relabel_assets.commands.graph import show_progress
    from relabel_assets.commands.options import chosen_corpora
    from relabel_assets.core.student import Labeler
    from relabel_assets.core.student.base import weights_identity
    from relabel_assets.errors import ConfigError, StudentError
    from relabel_assets.graph import logged_progress
    from relabel_assets.resources.bulk_labels import in_process, label_file
    from relabel_assets.resources.ray_labels import on_ray

    if engine not in ("local", "ray"):
        raise ConfigError(f"--engine {engine!r} is not known. Engines: local, ray.")
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
        engine=on_ray(folder, address=address, n_actors=actors)
        if engine == "ray"
        else in_process(Labeler.load(folder)),
        texts=lambda column, ids: warehouse.texts(name, column, ids),
        model_id=student["model_id"],
        model_hash=weights_identity(str(folder)),
        progress=logged_progress(f"{name} / {out.name}"),
    )
    terminal.print_labeled(out, counts)
