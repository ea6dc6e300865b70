"""Labeling a file of pairs with the student: `relabel label`."""

from pathlib import Path
from typing import Annotated

import typer

from relabel_assets.labeling import Engine


def label(
    pairs: Annotated[
        Path,
        typer.Argument(
            help="Parquet, CSV or JSON Lines with `query_id` or `query`, and `doc_id` or "
            "`body` (and `title`, `author`, "
            "`path`, `updated_at`, `doc_type`, where there are)."
        ),
    ],
    corpus: Annotated[
        str, typer.Option("--corpus", "-c", help="Whose student grades, and whose ids these are.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The labels file: .parquet, .csv or .jsonl.")
    ],
    engine: Annotated[
        Engine,
        typer.Option(help="local: here; ray: on a Ray cluster (extra `ray`, docs/labeling.md)."),
    ] = Engine.LOCAL,
    address: Annotated[
        str, typer.Option(help="ray: the cluster's address, `auto` or `local`.")
    ] = "auto",
    actors: Annotated[int, typer.Option(min=1, help="ray: how many students grade at once.")] = 1,
) -> None:
    """Grade every pair of a file with the corpus' current student.

    A pair is a query, as `query_id` of the corpus or as a text in `query`, and a document, as
    `doc_id` or as `body`:

        {"query": "parental leave", "title": "Leave", "body": "Parents may take ..."}

        {"query_id": "q17", "doc_id": "policies/leave.md"}

    The file is read through before anything is graded, so a wrong line is named at once. Its labels
    come in its order: row (from 0), query_id, doc_id, status, status_reason, grade, expected_grade,
    grade_probs, model_id, model_hash.

    Stop it whenever you like: the same command goes on where it stopped, with every row exactly
    once. Until all rows are there they are in `OUT.parts`, which another file of pairs or another
    student will not be mixed into.

        relabel label pairs.parquet -c support_desk -o labels.parquet

        relabel label pairs.csv -c support_desk -o labels.jsonl --engine ray --address auto --actors 8
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.commands.run import show_progress
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.graph.table_asset import logged_progress
    from relabel_assets.labeling.current_student import label_with_current_student
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    show_progress()
    counts = label_with_current_student(
        pairs,
        out,
        corpus=name,
        warehouse=warehouse,
        home=project.home.path,
        engine=engine,
        address=address,
        n_actors=actors,
        progress=logged_progress(f"{name} / {out.name}"),
    )
    output.print_labeled(out, counts)
