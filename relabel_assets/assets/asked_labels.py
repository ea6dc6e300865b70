"""The teacher's grades of some candidates of each query that only gets labels; the student chooses them."""

import polars as pl

from relabel_assets.graph.forecast import Changes, Forecast, Trial, cost_note
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.labeling.final.label_queries import PairTexts, pairs_to_ask
from relabel_assets.labeling.final.label_teacher import LabelTeacher
from relabel_assets.labeling.final.precedence import people_grades
from relabel_assets.plural import counted
from relabel_assets.tables.vocabulary import FINISHED_STATUSES
from relabel_assets.teacher.grading.carried import carried_counts, with_carried


def _forecast(trial: Trial) -> Forecast:
    """At most as many new rows as pairs are to be asked about; which they are, the student decides."""
    step = trial.step
    people = people_grades(step.read("reference_labels"))
    teacher = LabelTeacher(step.project.teacher(), step.corpus)
    need = teacher.need(_texts(step), people, step.progress)
    are_known = not {"synthetic_queries", "bm25_candidates"} & {*trial.unknown}
    if not need.n_to_ask and are_known:
        return Forecast(trial.compute())  # whatever the student is, it chooses nothing
    note = f"the teacher is asked about {counted(need.n_to_ask, 'pair')}"
    if need.estimate is not None:
        n_requests = counted(need.estimate.n_to_send, "request")
        note += f" with about {n_requests}{cost_note(need.estimate)}"
    if not are_known:
        return Forecast(None, f"with the candidates as they are, {note}", is_complete=False)
    n_before, n_after = step.current_rows().height, need.answered.labels.height + need.n_to_ask
    changes = Changes(n_after, min(n_before, n_after), n_before, is_upper_bound=True)
    return Forecast(changes, note, is_complete=False)


@table_asset(
    pool="teacher",
    code_version="2",
    kinds={"openai", "polars"},
    settings=lambda corpus: (
        corpus.teacher_inputs | {"labels": corpus.config.labels, "seed": corpus.config.student.seed}
    ),
    files=("teacher_labels",),
    forecast=_forecast,
)
def asked_labels(step: Step) -> Rows:
    """The teacher's grade of each chosen pair, or why there is none, and the grades it already gave."""
    from relabel_assets.student import Labeler

    texts, store = _texts(step), step.project.vectors()
    teacher = LabelTeacher(step.project.teacher(), step.corpus)
    answered = teacher.answered(texts, step.progress)

    def load() -> Labeler:
        model = step.read("student_model").filter("is_current").row(0, named=True)
        return Labeler.load(step.project.home.inside(model["path"]), store=store)

    chosen = pairs_to_ask(
        load,
        texts,
        teacher.wanted(texts),
        people=people_grades(step.read("reference_labels")),
        free=answered.labels,
        closed=answered.closed,
        progress=step.progress,
    )
    asked = teacher.ask(texts, chosen, answered.spent_usd, step.progress)
    labels = pl.concat([answered.labels, asked])
    labels = with_carried(labels, step.current_rows(), step.read("seed_docs"))
    statuses = dict(labels["status"].value_counts().sort("status").iter_rows())
    unfinished = {status: n for status, n in statuses.items() if status not in FINISHED_STATUSES}
    return Rows(
        labels,
        metadata={f"pairs_{status}": count for status, count in statuses.items()}
        | {"pairs_of_label_queries": texts.pairs.height, "asked_in_this_run": asked.height}
        | carried_counts(labels)
        | {"cost_usd": labels["cost_usd"].sum()}
        | {"notices": "\n".join(step.project.teacher().notices) or "none"}
        | store.counts,
        n_unfinished=sum(unfinished.values()),
    )


def _texts(step: Step) -> PairTexts:
    """The candidates of the queries that only get labels, with their texts."""
    tables = ("bm25_candidates", "synthetic_queries", "seed_docs")
    return PairTexts.of_label_queries(*map(step.read, tables))
