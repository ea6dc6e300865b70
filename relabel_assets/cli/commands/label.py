"""Grading a file of pairs with the student: `relabel label`."""

from pathlib import Path
from typing import Annotated

import typer

from relabel_assets.labeling import Engine


def label(
    pairs: Annotated[
        Path,
        typer.Argument(
            help="The pairs: a .parquet, .csv or .jsonl file with the columns `query_id` or `query`, "
            "and `doc_id` or `body`."
        ),
    ],
    corpus: Annotated[
        str, typer.Option("--corpus", "-c", help="The corpus of the student and of the ids.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write: .parquet, .csv or .jsonl.")
    ],
    engine: Annotated[
        Engine,
        typer.Option(
            help="`local`: in this process. `ray`: on a Ray cluster (needs the extra `ray`, see "
            "docs/labeling.md)."
        ),
    ] = Engine.LOCAL,
    address: Annotated[
        str, typer.Option(help="With `ray`: the cluster's address, `auto` or `local`.")
    ] = "auto",
    actors: Annotated[
        int, typer.Option(min=1, help="With `ray`: the number of parallel students.")
    ] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Replace OUT if it is a file that exists.")
    ] = False,
) -> None:
    """Grade every pair of a file with the corpus' current student.

    Each row has a query and a document. The query is an id of the corpus (`query_id`) or a text
    (`query`). The document is an id (`doc_id`) or a text (`body`, optionally with `title`, `author`,
    `path`, `updated_at`, `doc_type`):

        {"query": "parental leave", "body": "Parents may take 480 days."}

        {"query_id": "q17", "doc_id": "policies/leave.md"}

    The output has one row per pair, in the order of the input: row (from 0), query_id, doc_id, status,
    status_reason, grade, expected_grade, grade_probs, model_id, model_hash.

    The whole file is validated before grading starts. A stopped command continues when it is run again.
    Finished rows are in `OUT.parts` until all rows are graded.

    Examples:

        relabel label pairs.parquet -c support_desk -o labels.parquet

        relabel label pairs.csv -c support_desk -o labels.jsonl --engine ray --actors 8
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.labeling.current_student import label_with_current_student
    from relabel_assets.progress import working_on
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    show_progress()
    store = project.vectors()
    with working_on(f"{name} / {out.name}") as progress:
        counts = label_with_current_student(
            pairs,
            out,
            corpus=name,
            warehouse=warehouse,
            home=project.home.path,
            engine=engine,
            address=address,
            n_actors=actors,
            is_forced=force,
            store=store,
            progress=progress,
        )
    output.print_labeled(out, counts, store.counts)
