"""The grade to use of every candidate: of people, else of the teacher, else of the student."""

import dagster as dg
import polars as pl

from relabel_assets.benchmark.plots import grade_distribution
from relabel_assets.benchmark.pool.people_gate import refuse_failed, replacement_gate
from relabel_assets.graph.forecast import Changes, Forecast, Trial
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.labeling.final.label_queries import PairTexts
from relabel_assets.labeling.final.precedence import final_labels as all_labels
from relabel_assets.labeling.final.precedence import grades_knowing, known_grades, people_grades

_PAIR = ["query_id", "doc_id"]


def _forecast(trial: Trial) -> Forecast:
    """At most every row changes: what the student says is unknown before the run."""
    before = trial.step.current_rows().select(_PAIR)
    after = trial.step.read("student_labels").select(_PAIR)
    n_both = before.join(after, on=_PAIR, how="semi").height
    added, removed = after.height - n_both, before.height - n_both
    # The run may add and remove other rows of student_labels first.
    first = trial.earlier.get("student_labels")
    if first is not None and not first.is_complete:
        if first.changes is None:
            return Forecast(None, "the candidates are unknown before the run", is_complete=False)
        added, removed = added + first.changes.added, removed + first.changes.removed
    changes = Changes(added, n_both, removed, is_upper_bound=True)
    return Forecast(changes, "the grades are unknown before the run", is_complete=False)


@table_asset(
    pool="student",
    code_version="1",
    kinds={"pytorch", "polars"},
    settings=lambda corpus: {"gate": corpus.config.gate} if corpus.config.gate.blocking else None,
    forecast=_forecast,
)
def final_labels(step: Step) -> Rows:
    """The final grade of each candidate, with who gave it and how many grades the student knew."""
    from relabel_assets.student import Labeler

    if (settings := step.corpus.config.gate).blocking:
        refuse_failed(replacement_gate(step.read("benchmark_report"), **settings.by_people))
    student = step.read("student_labels")
    teacher = [step.read(name) for name in ("teacher_labels", "asked_labels")]
    known = known_grades(people_grades(step.read("reference_labels")), pl.concat(teacher))
    queries, documents = step.read("synthetic_queries"), step.read("seed_docs")
    texts = PairTexts(student.select(_PAIR), queries, documents)
    store = step.project.vectors()
    model = step.read("student_model").filter("is_current").row(0, named=True)
    labeler = Labeler.load(step.project.home.inside(model["path"]), store=store)
    labels = all_labels(student, grades_knowing(labeler, texts, known, step.progress), known)
    counts = labels.group_by("grade").len().sort("grade").iter_rows()
    by_labeler = labels.group_by("labeler").len().sort("labeler").iter_rows()
    n_knowing = labels.filter((pl.col("labeler") == "student") & (pl.col("n_known") > 0)).height
    chart = grade_distribution({str(grade): count for grade, count in counts})
    return Rows(
        labels,
        metadata={f"by_{labeler}": count for labeler, count in by_labeler}
        | {"by_student_knowing_others": n_knowing, "grades": dg.MetadataValue.md(chart)}
        | store.counts,
    )
