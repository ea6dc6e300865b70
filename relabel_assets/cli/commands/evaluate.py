"""Ranking retrieval systems by the labels of a corpus: `relabel evaluate`."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relabel_assets.cli.options import FormatOption, OutputFormat

if TYPE_CHECKING:
    import polars as pl

    from relabel_assets.benchmark.systems.rankings import Rankings
    from relabel_assets.warehouse.warehouse import Warehouse


class ShownLabeler(StrEnum):
    FINAL = "final"
    STUDENT = "student"
    TEACHER = "teacher"
    REFERENCE = "reference"
    PEOPLE_PPI = "people_ppi"


def evaluate(
    corpus: Annotated[
        str, typer.Option("--corpus", "-c", help="The corpus whose labels are used.")
    ],
    runs: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of TREC run files, one a system, or one such file; .gz is read too. "
            "Default: runs/ of the corpus folder, NAME.run.",
            show_default=False,
        ),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            "-m",
            help="A measure of ir_measures, such as `nDCG@10`, `P(rel=2)@10`, `RR@10` or `AP(rel=2)`. "
            "Repeat for several. Default: nDCG@10.",
        ),
    ] = None,
    labeler: Annotated[
        ShownLabeler,
        typer.Option(
            help="Whose grades order the printed table. `final`: people's, else the teacher's, else the "
            "student's. `people_ppi`: people's graded sample, with the student's grades for the rest. All "
            "are computed."
        ),
    ] = ShownLabeler.FINAL,
    whole_grades: Annotated[
        bool,
        typer.Option(
            "--whole-grades",
            help="nDCG with whole grades as gain. Default: expected grades where the labeler has them.",
        ),
    ] = False,
    fill: Annotated[
        bool,
        typer.Option(
            "--fill",
            help="Have the student grade the documents that a system finds and nobody graded. The column "
            "n_filled counts them.",
        ),
    ] = False,
    related: Annotated[
        list[str] | None,
        typer.Option(
            help="A system that shares the base model or the teacher of the labels. Repeat for several. "
            "RUNS/systems.yaml can say so too: systems: {NAME: {base_model: ..., teacher: ...}}."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A file for all rows: .csv, .json, .jsonl or .parquet.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --out: replace a file that exists.")
    ] = False,
) -> None:
    """Rank retrieval systems by the labels of a corpus, with 95 % intervals.

    A run file has a line for each document that a system found: query id, Q0, document id, rank, score,
    name. The score orders them, as in trec_eval. The file's name is the system's.

    - `relabel evaluate runs/ -c support_desk`

    - `relabel evaluate runs/ -c support_desk -m nDCG@10 -m "P(rel=2)@10" --out rankings.csv`

    - `relabel evaluate runs/ -c support_desk --fill --related my_reranker`

    - `relabel evaluate -c support_desk --format json | jq '.systems[] | select(.rank == 1)'`

    The table says which systems cannot be told apart, counts documents without a grade, and marks systems
    that the labeler may favour. Where there are reference labels, it says how well the orders agree.

    Nothing is written to the warehouse. `relabel run` ranks the runs in runs/ of the corpus folder, in the
    table system_rankings. More: docs/evaluate.md.
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing import output_frames, output_json
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.corpus.runs.system_files import systems_in, systems_of_corpus
    from relabel_assets.labeling.systems.evaluation import evaluate_systems, stated_teachers
    from relabel_assets.labeling.systems.fill import filled_holes
    from relabel_assets.out_file import require_free
    from relabel_assets.progress import working_on
    from relabel_assets.running import runner

    file_format = output_frames.output_format(None, out) if out else ""
    if out:
        require_free(out, is_forced=force)
    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    folder = project.corpora().open(name)
    show_progress()
    with working_on(f"{name} / systems") as progress:
        systems = systems_in(runs, progress) if runs else systems_of_corpus(folder, progress)
        read = partial(_read, warehouse, name)
        filled = None
        if fill:
            home, store = project.home.path, project.vectors()
            filled = filled_holes(systems, read, measure, home, store=store, progress=progress)
        evaluation = evaluate_systems(
            systems,
            read,
            n_grades=folder.rubric.n_grades,
            teacher_models=stated_teachers(folder.config),
            **({"measures": measure} if measure else {}),
            gain="grade" if whole_grades else "expected_grade",
            related=related or (),
            filled=filled,
            progress=progress,
        )
    output.print_problems(evaluation.problems)
    rankings = evaluation.rankings
    if output_format is OutputFormat.JSON:
        record = {
            "systems": rankings.rows.to_dicts(),
            "agreements": rankings.agreements.to_dicts(),
            **output_json.of_problems(evaluation.problems),
        }
        output_json.print_json(name, record)
    else:
        _print(name, rankings, labeler.value, len(systems.runs.systems))
    if out:
        output_frames.write_frame(rankings.rows, file_format, out)


def _read(warehouse: "Warehouse", corpus: str, table: str) -> "pl.DataFrame":
    return warehouse.read(table, corpus)


def _print(corpus: str, rankings: "Rankings", labeler: str, n_systems: int) -> None:
    """Print a table and its sentences for each measure."""
    from rich.markup import escape

    from relabel_assets.benchmark.systems import ranking_words as words
    from relabel_assets.cli.console import OUT
    from relabel_assets.cli.printing.output_tables import Wide, print_table

    if reason := words.nothing_ranked(rankings, n_systems):
        OUT.print(f"[bold]{corpus}[/]: {escape(reason)}", highlight=False)
        return
    for measure in rankings.rows["measure"].unique(maintain_order=True):
        chosen = words.shown_labeler(rankings.rows.filter(measure=measure), labeler)
        columns, cells = words.ranking_table(rankings, measure, chosen)
        title = f"{corpus}: {words.title(rankings, measure, chosen)}"
        print_table(columns, cells, title=title, wide=Wide.CONTINUED)
        for line in words.sentences(rankings, measure, chosen):
            OUT.print(escape(line), highlight=False)
