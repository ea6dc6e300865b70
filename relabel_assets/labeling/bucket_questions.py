"""The questions to a teacher about one bucket of pairs after another, and their answers.

What belongs here: what is said before the first question, and when a teacher that answers nothing ends
the command. What does not: choosing the pairs (student/cascade/) and who the teacher is
(asked_teacher.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from relabel_assets.errors import ConfigError, TeacherError
from relabel_assets.labeling import PAID_BEFORE
from relabel_assets.labeling.asked_teacher import AskedTeacher
from relabel_assets.labeling.chunk import PairChunk
from relabel_assets.progress import Progress, renamed
from relabel_assets.teacher.estimate import Estimate

_PAIR = ["query_id", "doc_id"]


@dataclass(frozen=True)
class AskingPlan:
    """What is about to be asked of `teacher`: about `n_asked` distinct pairs of `n_rows` rows.

    With `is_exact` false, both it and the `estimate` follow from the first bucket of several. With several
    rounds, the estimate follows from the first, and does not know which answers the ledger has. It is None
    where nothing is paid.
    """

    teacher: str
    n_asked: int
    n_rows: int
    is_exact: bool
    n_rounds: int
    estimate: Estimate | None


@dataclass
class BucketQuestions:
    """The questions of one call about `n_rows` rows, and the answers about the current bucket."""

    teacher: AskedTeacher
    n_rows: int
    n_rounds: int
    announce: Callable[[AskingPlan], None]
    progress: Progress
    _answers: list[pl.DataFrame] = field(default_factory=list)
    _is_announced: bool = False
    _has_answers: bool = False

    def about(
        self, distinct: pl.DataFrame, chunk: PairChunk, n_to_ask: int
    ) -> Callable[[pl.Series], pl.Series]:
        """The function that asks about `n_to_ask` of the `distinct` pairs of a bucket, in rounds.

        It gets whether to ask about each pair (N,), and gives the grades (N,).
        """
        self._answers = []

        def ask(is_asked: pl.Series) -> pl.Series:
            asked = distinct.filter(is_asked)
            if not self._is_announced:
                self.announce(self._plan(asked, chunk, n_to_ask))
                self._is_announced = True
            answers = self.teacher.grade(asked, renamed(self.progress, "asking the teacher, pairs"))
            self._has_answers |= require_answers(answers, has_answers=self._has_answers)
            self._answers.append(_keyed(answers, asked, pl.col("status")))
            by_pair = self._answers[-1].select(*_PAIR, "known")
            keys = distinct.select(_PAIR)
            return keys.join(by_pair, on=_PAIR, how="left", maintain_order="left")["known"]

        return ask

    def _plan(self, asked: pl.DataFrame, chunk: PairChunk, n_to_ask: int) -> AskingPlan:
        """The plan of all chunks. `n_to_ask` pairs of the first, `chunk`, are asked about, `asked` first."""
        is_exact = self.n_rows == chunk.n_rows
        n_asked = round(n_to_ask * self.n_rows / chunk.n_rows)
        if is_exact and self.n_rounds == 1:
            n_asked = asked.height  # fewer than the share, where people graded
        estimate = self.teacher.estimate(asked, n_asked)
        return AskingPlan(
            self.teacher.name, n_asked, self.n_rows, is_exact, self.n_rounds, estimate
        )

    def answers(self, others: pl.DataFrame) -> pl.DataFrame:
        """All answers about the bucket, and those about `others` that were paid before."""
        looking_up = renamed(self.progress, "looking up paid answers, pairs")
        paid = self.teacher.known(others, looking_up)
        return pl.concat([*self._answers, _keyed(paid, paid, pl.lit(PAID_BEFORE))])


def _keyed(answers: pl.DataFrame, pairs: pl.DataFrame, status: pl.Expr) -> pl.DataFrame:
    """`answers` with the ids of `pairs`, and columns named as in the labels of a cascade."""
    return answers.select(
        pairs["query_id"],
        pairs["doc_id"],
        status.cast(pl.String).alias("teacher_status"),
        "request_key",
        pl.col("grade").cast(pl.Int64).alias("known"),
        *(pl.col(name).alias(f"{name}_of_teacher") for name in ("expected_grade", "grade_probs")),
    )


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
