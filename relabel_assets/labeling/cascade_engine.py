"""The engine of a cascade: a teacher grades some pairs of each query, the student the rest.

What belongs here: one bucket of whole queries: which of its pairs are asked about, and its labels. What
does not: making buckets (buckets.py), the teacher (asked_teacher.py), and what a student does with known
grades (student/cascade/).

It may be stopped at any time. The choice of pairs depends on the bucket alone, and the teacher's ledger
has every answer that was paid. So a bucket that is begun again asks the same, and pays nothing twice.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import polars as pl

from relabel_assets.errors import ConfigError, TeacherError
from relabel_assets.labeling.asked_teacher import AskedTeacher
from relabel_assets.labeling.chunk import GradeChunks, PairChunk, gradable, labels_of, write_labels
from relabel_assets.progress import Progress, renamed, silent
from relabel_assets.teacher.estimate import Estimate

if TYPE_CHECKING:  # it loads torch
    from relabel_assets.student.cascade.known_grades import ScoredPairs

_SEED = 13  # decides which queries get one pair more, where a share is no whole number of pairs
_PAIR = ["query_id", "doc_id"]
COLUMNS = ("labeler", "n_known", "teacher_status", "request_key")


class PairScorer(Protocol):
    """The part of a Labeler that a cascade needs."""

    def score(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> "ScoredPairs": ...


@dataclass(frozen=True)
class AskingPlan:
    """What is about to be asked of `teacher`: about `n_asked` distinct pairs of `n_rows` rows.

    With `is_exact` false, both it and the `estimate` follow from the first bucket of several. The
    estimate is None where nothing is paid.
    """

    teacher: str
    n_asked: int
    n_rows: int
    is_exact: bool
    estimate: Estimate | None


def asking(
    labeler: PairScorer,
    teacher: AskedTeacher,
    share: float,
    announce: Callable[[AskingPlan], None] = lambda plan: None,
    progress: Progress = silent,
) -> GradeChunks:
    """The engine that asks `teacher` about `share` of the pairs of each query, in this process.

    A chunk must have all rows of its queries. `announce` is called once, before anything is asked.
    Raises ConfigError or TeacherError where the teacher answers nothing.
    """

    def grade(chunks: Iterable[PairChunk], on_done: Callable[[PairChunk], None]) -> None:
        waiting = list(chunks)  # of some bytes each: their rows are read one after another
        n_rows, is_announced, has_answers = sum(chunk.n_rows for chunk in waiting), False, False
        for chunk in waiting:
            rows = chunk.rows()
            distinct = _distinct(rows)
            scored = labeler.score(distinct, progress=progress)
            is_asked = scored.to_ask(share, _SEED)
            asked = distinct.filter(is_asked)
            if not is_announced and not asked.is_empty():
                announce(_plan(teacher, asked, chunk, n_rows))
                is_announced = True
            answers = teacher.grade(asked, renamed(progress, "asking the teacher, pairs"))
            has_answers |= require_answers(answers, has_answers=has_answers)
            write_labels(chunk.part, _labels(rows, scored, is_asked, answers))
            on_done(chunk)

    return grade


def _distinct(rows: pl.DataFrame) -> pl.DataFrame:
    """Each gradable pair of texts once. A slice of a query is a query of its own."""
    return _with_pair_ids(rows).unique(_PAIR, keep="first", maintain_order=True)


def _with_pair_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """The gradable rows; ids stand for texts and slices, and own ids are the file's."""
    own = rows.with_columns(own_query_id="query_id", own_doc_id="doc_id")
    return gradable(own).with_columns(query_id=pl.format("{}-{}", "query_id", "slice"))


def _plan(teacher: AskedTeacher, asked: pl.DataFrame, chunk: PairChunk, n_rows: int) -> AskingPlan:
    """The plan of all chunks, of which `chunk` is the first and asks about `asked`."""
    n_asked = round(asked.height * n_rows / chunk.n_rows)
    estimate = teacher.estimate(asked, n_asked)
    return AskingPlan(teacher.name, n_asked, n_rows, n_rows == chunk.n_rows, estimate)


def require_answers(answers: pl.DataFrame, *, has_answers: bool) -> bool:
    """Whether there is an answer among `answers`: status and status_reason.

    Raises TeacherError where all requests failed: later the teacher may answer. Raises ConfigError for
    pairs of which none was recorded, unless earlier ones were, as `has_answers` says.
    """
    statuses = set(answers["status"])
    if statuses == {"failed"}:
        raise TeacherError(
            f"the teacher answered none of {answers.height:,} questions, the first because: "
            f"{answers['status_reason'][0]}. Run this again when it answers: what is finished is kept. "
            "Without --ask the student grades alone."
        )
    if statuses == {"not_recorded"} and not has_answers:
        raise ConfigError(
            "this corpus has no teacher to ask: teacher_labels.jsonl has a grade for none of the "
            f"{answers.height:,} pairs chosen, by query_id and doc_id. Set `teacher: {{kind: openai}}` "
            "in corpus.yaml, or leave --ask out."
        )
    return "ok" in statuses


def _labels(
    rows: pl.DataFrame, scored: "ScoredPairs", is_asked: pl.Series, answers: pl.DataFrame
) -> pl.DataFrame:
    """The labels of all `rows`: the teacher's answers, and the student's grades given these."""
    asked = scored.keys.filter(is_asked)
    answers = answers.select(
        asked["query_id"],
        asked["doc_id"],
        pl.col("status").cast(pl.String).alias("teacher_status"),
        "request_key",
        pl.col("grade").cast(pl.Int64).alias("known"),
        *(pl.col(name).alias(f"{name}_of_teacher") for name in ("expected_grade", "grade_probs")),
    )
    answers = scored.keys.join(answers, on=_PAIR, how="left", maintain_order="left")
    graded = scored.grade(answers["known"]).with_columns(answers.drop(_PAIR))
    of_teacher = pl.col("known").is_not_null()
    graded = graded.with_columns(
        labeler=pl.when(of_teacher).then(pl.lit("teacher")).otherwise(pl.lit("student")),
        expected_grade=pl.coalesce("expected_grade_of_teacher", "expected_grade"),
        grade_probs=pl.coalesce("grade_probs_of_teacher", "grade_probs"),
    )
    by_row = _with_pair_ids(rows).select("row", *_PAIR)
    grades = by_row.join(graded, on=_PAIR, how="left", maintain_order="left")
    return labels_of(rows, grades, *COLUMNS)
