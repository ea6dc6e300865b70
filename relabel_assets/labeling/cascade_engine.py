"""The engine of a cascade: people and a teacher graded some pairs of each query, the student the rest.

What belongs here: one bucket of whole queries: which of its pairs are asked about, and its labels. What
does not: making buckets (buckets.py), the teacher (asked_teacher.py), and what a student does with known
grades (student/cascade/).

It may be stopped at any time. The choice of pairs follows from the bucket, from people's grades and, in
rounds, from the answers so far. The teacher's ledger has every answer that was paid. So a bucket that is
begun again asks the same, and pays nothing twice. What the ledger has of other pairs is looked up after the
choice: before it, the answers of a bucket that is begun again would change what is asked.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.labeling.asked_teacher import AskedTeacher
from relabel_assets.labeling.bucket_questions import AskingPlan, BucketQuestions
from relabel_assets.labeling.chunk import GradeChunks, PairChunk, gradable, labels_of, write_labels
from relabel_assets.labeling.people_known import PeoplesGrades
from relabel_assets.progress import Progress, silent

if TYPE_CHECKING:  # it loads torch
    from relabel_assets.student.cascade.known_grades import ScoredPairs

_SEED = 13  # decides which queries get one pair more, where a share is no whole number of pairs
_PAIR = ["query_id", "doc_id"]
COLUMNS = ("labeler", "n_known", "teacher_status", "request_key")


class PairScorer(Protocol):
    """The part of a Labeler that a cascade needs."""

    def score(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> "ScoredPairs": ...


def asking(
    labeler: PairScorer,
    teacher: AskedTeacher,
    share: float,
    announce: Callable[[AskingPlan], None] = lambda plan: None,
    people: PeoplesGrades | None = None,
    n_rounds: int = 1,
    progress: Progress = silent,
) -> GradeChunks:
    """The engine that asks `teacher` about `share` of the pairs of each query, in this process.

    A chunk must have all rows of its queries. `announce` is called once, before anything is asked. Grades
    of `people` are known from the start. With several rounds, the answers of one decide what the next asks
    about. Raises ConfigError or TeacherError where the teacher answers nothing.
    """
    from relabel_assets.student.cascade.rounds import ask_in_rounds

    def grade(chunks: Iterable[PairChunk], on_done: Callable[[PairChunk], None]) -> None:
        waiting = list(chunks)  # of some bytes each: their rows are read one after another
        questions = BucketQuestions(
            teacher, sum(chunk.n_rows for chunk in waiting), n_rounds, announce, progress
        )
        for chunk in waiting:
            rows = chunk.rows()
            distinct = _distinct(rows)
            scored = labeler.score(distinct, progress=progress)
            of_people = _of_people(people, rows, distinct)
            asked = ask_in_rounds(
                scored,
                share,
                questions.about(distinct, chunk, int(scored.counts(share, _SEED).sum())),
                seed=_SEED,
                known=of_people,
                n_rounds=n_rounds,
            )
            is_open = ~asked.is_asked & of_people.is_null()
            answers = questions.answers(distinct.filter(is_open))
            write_labels(chunk.part, _labels(rows, scored, of_people, answers))
            on_done(chunk)

    return grade


def _of_people(
    people: PeoplesGrades | None, rows: pl.DataFrame, distinct: pl.DataFrame
) -> pl.Series:
    """The grade that people gave each of the `distinct` pairs of `rows`, (N,): null elsewhere.

    Of several rows of one pair, with other ids, the median counts, rounded down.
    """
    keys = distinct.select(_PAIR)
    if people is None:
        return pl.Series("known", [None] * keys.height, dtype=pl.Int64)
    by_row = _with_pair_ids(rows).select("row", *_PAIR).join(people.of(rows), on="row")
    known = median_grades(by_row).rename({"grade": "known"})
    return keys.join(known, on=_PAIR, how="left", maintain_order="left")["known"]


def _distinct(rows: pl.DataFrame) -> pl.DataFrame:
    """Each gradable pair of texts once. A slice of a query is a query of its own."""
    return _with_pair_ids(rows).unique(_PAIR, keep="first", maintain_order=True)


def _with_pair_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """The gradable rows; ids stand for texts and slices, and own ids are the file's."""
    own = rows.with_columns(own_query_id="query_id", own_doc_id="doc_id")
    return gradable(own).with_columns(query_id=pl.format("{}-{}", "query_id", "slice"))


def _labels(
    rows: pl.DataFrame, scored: "ScoredPairs", of_people: pl.Series, answers: pl.DataFrame
) -> pl.DataFrame:
    """The labels of all `rows`: grades of people, the teacher's, and the student's that knows these."""
    answers = scored.keys.join(answers, on=_PAIR, how="left", maintain_order="left")
    of_teacher = answers["known"]
    known = of_people.zip_with(of_people.is_not_null(), of_teacher)
    graded = scored.grade(known).with_columns(answers.drop(*_PAIR, "known"))
    labeler = (
        pl.when(of_people.is_not_null())
        .then(pl.lit("people"))
        .when(of_teacher.is_not_null())
        .then(pl.lit("teacher"))
        .otherwise(pl.lit("student"))
    )
    graded = graded.with_columns(
        labeler=labeler,
        expected_grade=pl.coalesce("expected_grade_of_teacher", "expected_grade"),
        grade_probs=pl.coalesce("grade_probs_of_teacher", "grade_probs"),
    )
    by_row = _with_pair_ids(rows).select("row", *_PAIR)
    grades = by_row.join(graded, on=_PAIR, how="left", maintain_order="left")
    return labels_of(rows, grades, *COLUMNS)
