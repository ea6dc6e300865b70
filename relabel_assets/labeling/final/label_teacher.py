"""The teacher of queries that only get labels: what it said already, what it says now, and the cost.

What belongs here: looking up answers, asking within the budget of `labels`, and the estimate. What does
not: which pairs are asked about (label_queries.py), and asking itself (teacher/).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.labeling.asked_teacher import LiveTeacher
from relabel_assets.labeling.final.label_queries import PairTexts, missing, shares
from relabel_assets.progress import Progress, renamed, silent
from relabel_assets.teacher.estimate import Estimate
from relabel_assets.teacher.grading.grading import label_frame
from relabel_assets.teacher.grading.recorded import grade_recorded
from relabel_assets.teacher.teacher import Teacher

_SAMPLE_SIZE = 200  # pairs of an estimate: the standard error of their mean length is some 7 %
_PAIR = ["query_id", "doc_id"]


@dataclass(frozen=True)
class Answered:
    """The answers that cost nothing: rows of teacher_labels with a grade, and what was spent on them.

    `closed` (query_id, doc_id) are pairs about which the teacher cannot be asked.
    """

    labels: pl.DataFrame
    spent_usd: float
    closed: pl.DataFrame


@dataclass(frozen=True)
class Need:
    """What is still to be asked: about `n_to_ask` pairs of `n_pairs`, beside the ones `answered`.

    The number is exact, whichever pairs the student chooses. The `estimate` is by the length of a sample
    of the pairs; None where nothing is paid.
    """

    n_pairs: int
    n_to_ask: int
    answered: Answered
    estimate: Estimate | None


@dataclass(frozen=True)
class LabelTeacher:
    """The teacher of corpus `folder`, live or recorded, asked about queries that only get labels.

    A live teacher's ledger has its earlier answers. Recorded grades are no ledger: they answer for the
    pairs that are chosen, so that a recorded corpus shows what a live one would cost.
    """

    teacher: Teacher
    folder: CorpusFolder

    @property
    def _is_recorded(self) -> bool:
        """Whether nobody is asked. Without a teacher there is no recorded grade either."""
        return self.folder.teacher_kind != "openai"

    @cached_property
    def _recorded(self) -> pl.DataFrame:
        return self.folder.recorded_labels().frame

    def answered(self, texts: PairTexts, progress: Progress = silent) -> Answered:
        """What the ledger has about the pairs of `texts`. Nothing is sent."""
        if self._is_recorded:
            recorded = grade_recorded(texts.pairs, self._recorded, self.folder.rubric)
            closed = recorded.filter(pl.col("status") != "ok").select(_PAIR)
            return Answered(label_frame([]), 0.0, closed)
        offline = LiveTeacher(self.teacher, replace(self.folder, is_offline=True))
        found, spent_usd, n_done = [label_frame([])], 0.0, 0
        for chunk in texts.in_chunks():
            labels = offline.grade(chunk)
            spent_usd += float(labels["cost_usd"].fill_null(0.0).sum())  # of failed pairs too
            found.append(labels.filter(pl.col("status") == "ok"))
            n_done += chunk.height
            progress("looking up the teacher's answers, pairs", n_done, texts.pairs.height)
        return Answered(pl.concat(found), spent_usd, texts.pairs.clear())

    def ask(
        self, texts: PairTexts, pairs: pl.DataFrame, spent_usd: float, progress: Progress = silent
    ) -> pl.DataFrame:
        """Rows of teacher_labels for `pairs` of `texts`, asked within what `labels.budget_usd` leaves.

        Raises ConfigError for a budget that cannot be kept, and TeacherError where nobody can be asked.
        """
        if self._is_recorded:
            return grade_recorded(pairs, self._recorded, self.folder.rubric)
        if pairs.is_empty():
            return label_frame([])
        budget_usd = self.folder.config.labels.budget_usd
        left_usd = None if budget_usd is None else max(0.0, budget_usd - spent_usd)
        live = LiveTeacher(self.teacher, self.folder, left_usd)
        asked = with_texts(pairs, texts.queries, texts.documents)
        return live.grade(asked, renamed(progress, "asking the teacher, pairs"))

    def wanted(self, texts: PairTexts) -> pl.DataFrame:
        """How many grades of each query are to be known, by `labels.ask` (see `shares`)."""
        config = self.folder.config
        return shares(texts.pairs, config.labels.ask, config.student.seed)

    def need(self, texts: PairTexts, people: pl.DataFrame, progress: Progress = silent) -> Need:
        """What is still to be asked about the pairs of `texts`, of which people graded `people`."""
        answered = self.answered(texts, progress)
        known = pl.concat([people.select(_PAIR), answered.labels.select(_PAIR)]).unique()
        unavailable = pl.concat([known, answered.closed])
        open_pairs = texts.pairs.join(unavailable, on=_PAIR, how="anti", maintain_order="left")
        of_query = missing(self.wanted(texts), known).join(
            open_pairs.group_by("query_id").len("n_open"), on="query_id"
        )
        n_to_ask = int(of_query.select(pl.min_horizontal("n_missing", "n_open")).to_series().sum())
        estimate = None
        if n_to_ask and not self._is_recorded:
            sample = open_pairs.sample(min(_SAMPLE_SIZE, open_pairs.height), seed=13, shuffle=True)
            pairs = with_texts(sample, texts.queries, texts.documents)
            estimate = self.estimate(pairs, n_to_ask)
        return Need(texts.pairs.height, n_to_ask, answered, estimate)

    def estimate(self, sample: pl.DataFrame, n_to_ask: int) -> Estimate | None:
        """The cost of asking about `n_to_ask` pairs that are as long as those of `sample`."""
        return LiveTeacher(self.teacher, self.folder).estimate(sample, n_to_ask)
