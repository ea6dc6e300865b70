"""The teacher's grade of candidates of train, dev and benchmark queries, or why there is none."""

import dagster as dg
import polars as pl

from relabel_assets.benchmark.plots import grade_distribution
from relabel_assets.corpus.grades.grades import with_known_pairs
from relabel_assets.corpus.pairs import of_other_queries, with_texts
from relabel_assets.errors import Problem
from relabel_assets.graph.forecast import (
    Changes,
    Forecast,
    Trial,
    changes_between,
    computed_forecast,
    cost_note,
)
from relabel_assets.graph.step import Rows, Step, read_as
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.plural import counted
from relabel_assets.tables.vocabulary import FINISHED_STATUSES
from relabel_assets.teacher.grading.carried import carried_counts, with_carried
from relabel_assets.teacher.grading.recorded import grade_recorded
from relabel_assets.teacher.questions import GradingQuestions
from relabel_assets.teacher.redaction.redaction import redaction_note

_PAIR = ["query_id", "doc_id"]


def _forecast(trial: Trial) -> Forecast:
    """The changes by the ledger's answers, and the number and cost of pairs without an answer."""
    step, corpus = trial.step, trial.step.corpus
    corpus.require_teacher()
    before, from_ledger = step.current_rows(), computed_forecast(trial)
    after = step.current_rows()
    # The copy was computed offline, so exactly the pairs without an answer in the ledger are `failed`.
    asked = after.filter(pl.col("status") == "failed").select(_PAIR)
    if corpus.teacher_kind == "recorded" or asked.is_empty():
        return from_ledger
    pairs = with_texts(asked, step.read("synthetic_queries"), step.read("seed_docs"))
    questions = GradingQuestions.for_corpus(corpus, pairs)
    load = step.project.teacher().estimate(questions, corpus=corpus.name)
    note = (
        f"the teacher is asked about {counted(asked.height, 'pair')} "
        f"with {counted(load.n_to_send, 'request')}{cost_note(load)}"
    )
    if redacted := redaction_note(questions.redaction.counts):
        note += f"; {redacted}"
    if trial.unknown:
        return Forecast(None, f"at least {note}; {from_ledger.note}", is_complete=False)
    # The row of an asked pair changes with any answer: its request, its attempts or its status.
    n_again = before.join(asked, on=_PAIR, how="semi").height
    others = [rows.join(asked, on=_PAIR, how="anti") for rows in (before, after)]
    answered = changes_between(step.table, *others)
    added = answered.added + asked.height - n_again
    return Forecast(
        Changes(added, answered.changed + n_again, answered.removed), note, is_complete=False
    )


@table_asset(
    pool="teacher",
    code_version="3",
    kinds={"openai", "polars"},
    settings=lambda corpus: corpus.teacher_inputs,
    files=("teacher_labels",),
    forecast=_forecast,
)
def teacher_labels(step: Step) -> Rows:
    """The teacher's grade of each candidate, or the status and reason of a missing grade.

    Raises ConfigError for a corpus without a teacher: nothing is sent.
    """
    corpus, queries, documents = step.corpus, step.read("synthetic_queries"), step.read("seed_docs")
    corpus.require_teacher()
    candidates = of_other_queries(step.read("bm25_candidates").select(_PAIR), queries)
    problems, notices, redacted = list[Problem](), list[str](), dict[str, int]()
    notes = list[str]()
    if corpus.teacher_kind == "recorded":
        ids = (queries["query_id"], documents["doc_id"])
        file = corpus.file_of("teacher_labels")
        reading = with_known_pairs(corpus.recorded_labels(), *ids, file=file)
        labels = grade_recorded(candidates, reading.frame, corpus.rubric)
        problems, notes = reading.problems, reading.notes
    else:
        teacher = step.project.teacher()
        labels = teacher.grade(
            with_texts(candidates, queries, documents),
            corpus=corpus.name,
            config=corpus.config.teacher,
            rubric=corpus.rubric,
            prompt=corpus.grading_prompt,
            progress=step.progress,
        )
        notices, redacted = teacher.notices, teacher.redacted
    labels = with_carried(labels, step.current_rows(), documents)
    statuses = dict(labels["status"].value_counts().sort("status").iter_rows())
    grades = labels["grade"].drop_nulls().value_counts().sort("grade").iter_rows()
    chart = grade_distribution({str(grade): count for grade, count in grades})
    return Rows(
        labels,
        metadata={f"pairs_{status}": count for status, count in statuses.items()}
        | carried_counts(labels)
        | read_as(notes)
        | {f"redacted_{kind}": n for kind, n in redacted.items()}
        | {"cost_usd": labels["cost_usd"].sum(), "notices": "\n".join(notices) or "none"}
        | {"grades": dg.MetadataValue.md(chart)},
        problems=problems,
        n_unfinished=sum(
            count for status, count in statuses.items() if status not in FINISHED_STATUSES
        ),
    )
