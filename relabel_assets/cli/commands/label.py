"""Grading a file of pairs with the student: `relabel label`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from relabel_assets.labeling import Engine


def _share(text: str) -> float:
    """The share in `--ask`: "10%" or "0.1".

    >>> _share("10%"), _share("0.1")
    (0.1, 0.1)
    """
    number = re.fullmatch(r"(\d*\.?\d+)(%?)", text.strip())
    share = float(number[1]) / (100 if number[2] else 1) if number else 0.0
    if not 0 < share <= 1:
        raise typer.BadParameter(
            f"{text!r} is no share of the pairs. Write 10% or 0.1; without --ask nothing is asked."
        )
    return share


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
    ask: Annotated[
        float | None,
        typer.Option(
            parser=_share,
            metavar="SHARE",
            help="Ask the corpus' teacher about this share of the pairs of each query, such as `10%`.",
        ),
    ] = None,
    budget_usd: Annotated[
        float | None,
        typer.Option(
            min=0, help="With `--ask`: the most US dollars that this command spends on the teacher."
        ),
    ] = None,
    rounds: Annotated[
        int,
        typer.Option(
            min=1,
            max=100,
            help="With `--ask`: ask in so many rounds. The answers of one decide what the next asks about.",
        ),
    ] = 1,
    people: Annotated[
        bool,
        typer.Option(
            "--people/--no-people",
            help="With `--ask`: use the grades that people gave pairs of the corpus. Leave them out for "
            "labels that are to be measured against these grades.",
        ),
    ] = True,
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

        {"query_id": "q17", "doc_id": "policies/leave"}

    The output has one row per pair, in the order of the input: row (from 0), query_id, doc_id, status,
    status_reason, grade, expected_grade, grade_probs, model_id, model_hash.

    With `--ask 10%` the student chooses a tenth of the pairs of each query. The corpus' teacher grades
    these, and the student the rest, knowing these grades. So a file should have all pairs of its queries.
    Before anything is sent, the number of pairs and the estimated dollars are printed. What is known for
    free is used too: grades that people gave, and answers that are in the ledger. Rows get `labeler`
    (people, teacher or student), `n_known` (how many grades of their query the student knew),
    `teacher_status` and `request_key`. A pair without an answer is graded by the student.

    The whole file is validated before grading starts. A stopped command continues when it is run again.
    Finished rows are in `OUT.parts` until all rows are graded. What the teacher answered is in the
    ledger, and is not paid again.

    Examples:

        relabel label pairs.parquet -c support_desk -o labels.parquet

        relabel label pairs.parquet -c support_desk -o labels.parquet --ask 10% --budget-usd 5

        relabel label pairs.csv -c support_desk -o labels.jsonl --engine ray --actors 8
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing import output_teacher
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.errors import ConfigError
    from relabel_assets.labeling import pairs_file
    from relabel_assets.labeling.current_student import Asking, label_with_current_student
    from relabel_assets.progress import working_on
    from relabel_assets.running import runner

    if budget_usd is not None and ask is None:
        raise ConfigError(
            "--budget-usd limits what --ask spends, and nothing is asked. Add --ask 10%."
        )
    if rounds > 1 and ask is None:
        raise ConfigError(f"--rounds {rounds} is for --ask, and nothing is asked. Add --ask 10%.")
    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    show_progress()
    store, cascade = project.vectors(), None
    if ask is not None:
        teacher, folder = project.teacher(), project.corpora().open(name)
        announce = output_teacher.print_asking
        cascade = Asking(ask, teacher, folder, budget_usd, announce, people, rounds)
    if taken := pairs_file.taken(pairs):
        output.print_notes([f"{pairs.name}: {taken}"])
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
            cascade=cascade,
            is_forced=force,
            store=store,
            progress=progress,
        )
    output.print_labeled(out, counts, store.counts)
