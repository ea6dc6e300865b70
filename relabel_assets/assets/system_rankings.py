"""The rankings of the systems in runs/, by each labeler's grades."""

import dagster as dg
import polars as pl

from relabel_assets.benchmark.systems.comparison import ROWS
from relabel_assets.benchmark.systems.ranking_words import nothing_ranked, ranking_markdown
from relabel_assets.benchmark.systems.rankings import DEFAULT_MEASURE
from relabel_assets.corpus.runs.system_files import run_files_of, systems_of_corpus
from relabel_assets.graph.forecast import Changes, Forecast, Trial, computed_forecast
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.labeling.systems.evaluation import evaluate_systems, stated_teachers


def _forecast(trial: Trial) -> Forecast:
    if not run_files_of(trial.step.corpus):
        return Forecast(Changes(0, 0, trial.step.current_rows().height))
    if trial.unknown:
        return Forecast(None, "the grades are unknown before the run", is_complete=False)
    return computed_forecast(trial)


@table_asset(
    code_version="1",
    kinds={"polars"},
    settings=lambda corpus: {
        "teachers": stated_teachers(corpus.config),
        "n_grades": corpus.rubric.n_grades,
    },
    files=("runs",),
    forecast=_forecast,
)
def system_rankings(step: Step) -> Rows:
    """The value and rank of every system by every labeler; none where runs/ has no run."""
    systems = systems_of_corpus(step.corpus, step.progress)
    if systems.runs.frame.is_empty():
        return Rows(pl.DataFrame(schema=ROWS), problems=systems.runs.problems)
    evaluation = evaluate_systems(
        systems,
        step.read,
        n_grades=step.corpus.rubric.n_grades,
        teacher_models=stated_teachers(step.corpus.config),
        progress=step.progress,
    )
    rankings = evaluation.rankings
    shown = nothing_ranked(rankings, len(systems.runs.systems))
    shown = shown or ranking_markdown(rankings, [DEFAULT_MEASURE])
    return Rows(
        rankings.rows,
        metadata={"ranking": dg.MetadataValue.md(shown), "systems": len(systems.runs.systems)},
        problems=evaluation.problems,
    )
