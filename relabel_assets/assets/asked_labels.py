"""The teacher's grades of some candidates of each query that only gets labels; the student chooses them."""

import polars as pl

from relabel_assets.corpus.pairs import of_label_queries
from relabel_assets.graph.forecast import Changes, Forecast, Trial, computed_forecast, cost_note
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.labeling.final_labels import people_grades
from relabel_assets.labeling.label_queries import PairTexts, missing, pairs_to_ask, shares
from relabel_assets.labeling.label_teacher import LabelTeacher
from relabel_assets.plural import counted
from relabel_assets.tables.vocabulary import FINISHED_STATUSES

_PAIR = ["query_id", "doc_id"]


def _forecast(trial: Trial) -> Forecast:
    """At most as many new rows as pairs are to be asked about; which they are, the student decides."""
    step, texts = trial.step, _texts(trial.step)
    teacher = LabelTeacher(step.project.teacher(), step.corpus)
    answered = teacher.answered(texts)
    people = people_grades(step.read("reference_labels"))
    known = pl.concat([frame.select(_PAIR) for frame in (people, answered.labels)]).unique()
    n_to_ask = int(missing(_wanted(step, texts), known)["n_missing"].sum())
    if not n_to_ask:
        return computed_forecast(trial)
    before = step.current_rows().select(_PAIR)
    n_after = answered.labels.height + n_to_ask
    changes = Changes(n_after, min(before.height, n_after), before.height, is_upper_bound=True)
    load = teacher.estimate(texts, answered, n_to_ask)
    note = f"the teacher is asked about {counted(n_to_ask, 'pair')}"
    if load is not None:
        note += f" with about {counted(load.n_to_send, 'request')}{cost_note(load)}"
    if {"synthetic_queries", "bm25_candidates"} & {*trial.unknown}:
        return Forecast(None, f"with the candidates as they are, {note}", is_complete=False)
    return Forecast(changes, note, is_complete=False)


@table_asset(
    pool="teacher",
    code_version="1",
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
    model = step.read("student_model").filter("is_current").row(0, named=True)
    chosen = pairs_to_ask(
        lambda: Labeler.load(step.project.home.inside(model["path"]), store=store),
        texts,
        _wanted(step, texts),
        people=people_grades(step.read("reference_labels")),
        free=answered.labels,
        closed=answered.closed,
        progress=step.progress,
    )
    asked = teacher.ask(texts, chosen, answered.spent_usd, step.progress)
    labels = pl.concat([answered.labels, asked])
    statuses = dict(labels["status"].value_counts().sort("status").iter_rows())
    unfinished = {status: n for status, n in statuses.items() if status not in FINISHED_STATUSES}
    return Rows(
        labels,
        metadata={f"pairs_{status}": count for status, count in statuses.items()}
        | {"pairs_of_label_queries": texts.pairs.height, "asked_in_this_run": asked.height}
        | {"cost_usd": labels["cost_usd"].sum()}
        | {"notices": "\n".join(step.project.teacher().notices) or "none"}
        | store.counts,
        n_unfinished=sum(unfinished.values()),
    )


def _texts(step: Step) -> PairTexts:
    """The candidates of the queries that only get labels, with their texts."""
    queries = step.read("synthetic_queries")
    pairs = of_label_queries(step.read("bm25_candidates").select(_PAIR), queries)
    return PairTexts(pairs, queries, step.read("seed_docs"))


def _wanted(step: Step, texts: PairTexts) -> pl.DataFrame:
    config = step.corpus.config
    return shares(texts.pairs, config.labels.ask, config.student.seed)
