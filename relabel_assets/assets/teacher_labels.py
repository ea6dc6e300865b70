"""The teacher's grade of every candidate, recorded or asked for now; or why there is none."""

from typing import Any

import dagster as dg
import polars as pl

from relabel_assets.benchmark.plots import grade_distribution
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.grades import with_known_pairs
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.errors import Problem
from relabel_assets.graph.forecast import (
    Changes,
    Forecast,
    Trial,
    by_making,
    changes_between,
    cost_note,
)
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.teacher.grading.recorded import grade_recorded
from relabel_assets.teacher.questions import GradingQuestions

_FILE = "teacher_labels.jsonl"
_FINAL = ("ok", "not_recorded")
_PAIR = ["query_id", "doc_id"]


def _settings(corpus: CorpusFolder) -> dict[str, Any]:
    kind, teacher, prompt = corpus.teacher_kind, corpus.config.teacher, None
    if kind == "openai":  # the prompt of a recorded teacher is a note, and may not be a file
        prompt = corpus.optional_text(teacher.prompt)
    return {"kind": kind, "teacher": teacher, "rubric": corpus.rubric, "prompt": prompt}


def _forecast(trial: Trial) -> Forecast:
    """What the ledger answers is made in the copy; the other pairs are counted, with their cost."""
    step, corpus = trial.step, trial.step.corpus
    before, made = step.current_rows(), by_making(trial)
    after = step.current_rows()
    # The copy is made offline: `failed` are the pairs that the ledger does not answer, and no
    # others.
    asked = after.filter(pl.col("status") == "failed").select(_PAIR)
    if corpus.teacher_kind == "recorded" or asked.is_empty():
        return made
    pairs = with_texts(asked, step.read("synthetic_queries"), step.read("seed_docs"))
    questions = GradingQuestions.for_corpus(corpus, pairs)
    load = step.project.teacher().estimate(questions, corpus=corpus.name)
    note = (
        f"the teacher is asked about {asked.height:,} pairs with {load.n_to_send:,} "
        f"requests{cost_note(load)}"
    )
    if trial.unknown:
        return Forecast(None, f"{note} at least; {made.note}", is_complete=False)
    # Whatever the answer, an asked pair's row changes: its request, its attempts or its status.
    n_again = before.join(asked, on=_PAIR, how="semi").height
    others = [rows.join(asked, on=_PAIR, how="anti") for rows in (before, after)]
    answered = changes_between(step.table, *others)
    added = answered.added + asked.height - n_again
    return Forecast(
        Changes(added, answered.changed + n_again, answered.removed), note, is_complete=False
    )


@table_asset(
    pool="teacher",
    code_version="1",
    group="labels",
    kinds={"openai", "polars"},
    settings=_settings,
    files=("teacher_labels",),
    forecast=_forecast,
)
def teacher_labels(step: Step) -> Rows:
    corpus, candidates = step.corpus, step.read("bm25_candidates").select(_PAIR)
    queries, documents = step.read("synthetic_queries"), step.read("seed_docs")
    problems, notices = list[Problem](), list[str]()
    if corpus.teacher_kind == "recorded":
        known = queries["query_id"], documents["doc_id"]
        reading = with_known_pairs(corpus.recorded_labels(), *known, file=_FILE)
        labels = grade_recorded(candidates, reading.frame, corpus.rubric)
        problems = reading.problems
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
        notices = teacher.notices
    statuses = dict(labels["status"].value_counts().sort("status").iter_rows())
    grades = labels["grade"].drop_nulls().value_counts().sort("grade").iter_rows()
    chart = grade_distribution({str(grade): count for grade, count in grades})
    return Rows(
        labels,
        metadata={f"pairs_{status}": count for status, count in statuses.items()}
        | {"cost_usd": labels["cost_usd"].sum(), "notices": "\n".join(notices) or "none"}
        | {"grades": dg.MetadataValue.md(chart)},
        problems=problems,
        n_unfinished=sum(count for status, count in statuses.items() if status not in _FINAL),
    )
