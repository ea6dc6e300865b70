"""The current student's grade of every candidate."""

import time

import dagster as dg
import polars as pl

from relabel_assets.benchmark.plots import grade_distribution
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.graph.forecast import Changes, Forecast, Trial
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset

_PAIR = ["query_id", "doc_id"]


def _forecast(trial: Trial) -> Forecast:
    """Every row names its student, so a new student changes them all and the same one perhaps none."""
    before = trial.step.current_rows().select(_PAIR)
    after = trial.step.read("bm25_candidates").select(_PAIR)
    n_both = before.join(after, on=_PAIR, how="semi").height
    student = trial.earlier.get("student_model")
    is_new_student = student is not None and student.is_certain_change
    is_bound = not is_new_student or "bm25_candidates" in trial.unknown
    return Forecast(
        Changes(after.height - n_both, n_both, before.height - n_both, is_upper_bound=is_bound),
        "the student's grades are unknown before the run",
        is_complete=False,
    )


@table_asset(
    pool="student",
    code_version="2",
    kinds={"pytorch", "polars"},
    forecast=_forecast,
)
def student_labels(step: Step) -> Rows:
    """The current student's grades of all candidates."""
    from relabel_assets.student import Labeler

    student = step.read("student_model").filter("is_current").row(0, named=True)
    candidates = step.read("bm25_candidates").select(_PAIR)
    pairs = with_texts(candidates, step.read("synthetic_queries"), step.read("seed_docs"))
    store = step.project.vectors()
    labeler = Labeler.load(step.project.home.inside(student["path"]), store=store)
    started = time.perf_counter()
    labels = labeler.grade(pairs, progress=step.progress)
    latency_s = (time.perf_counter() - started) / max(pairs.height, 1)
    counts = labels.group_by("grade").len().sort("grade").iter_rows()
    chart = grade_distribution({str(grade): count for grade, count in counts})
    return Rows(
        labels.with_columns(model_id=pl.lit(student["model_id"]), latency_s=latency_s),
        metadata={"grades": dg.MetadataValue.md(chart), **store.counts},
    )
