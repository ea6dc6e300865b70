"""The teacher that a cascade asks about pairs of a file: the corpus' live one, or its recorded grades.

What belongs here: one answer for each pair, the spend of a command, and the settings that answers depend
on. What does not: which pairs are asked about (cascade_engine.py), and asking (teacher/).
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import polars as pl

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import ConfigError
from relabel_assets.progress import Progress, silent
from relabel_assets.teacher.estimate import Estimate
from relabel_assets.teacher.grading.grading import grading_prompt_hash
from relabel_assets.teacher.grading.recorded import grade_recorded
from relabel_assets.teacher.questions import GradingQuestions
from relabel_assets.teacher.sending.endpoint import endpoint_name
from relabel_assets.teacher.teacher import Teacher

# Settings of corpus.yaml's teacher that answers depend on. Others, such as limits and budgets, may be
# changed before a command continues.
_ANSWERS_DEPEND_ON = {
    "model",
    "panel",
    "votes",
    "api",
    "api_version",
    "temperature",
    "seed",
    "is_logprobs",
    "max_completion_tokens",
    "max_document_tokens",
}


class AskedTeacher(Protocol):
    """Answers questions about pairs: text, DOCUMENT_COLUMNS, and ids.

    `query_id` and `doc_id` stand for texts; `own_query_id` and `own_doc_id` are the file's, or null.
    """

    name: str

    @property
    def is_prompt(self) -> bool:
        """Whether answers come while one waits, so that questions may follow from earlier answers."""
        ...

    @property
    def identity(self) -> Mapping[str, object]:
        """What its answers depend on."""
        ...

    def grade(self, pairs: pl.DataFrame, progress: Progress = silent) -> pl.DataFrame:
        """The columns of teacher_labels without corpus for each of `pairs`, in order."""
        ...

    def known(self, pairs: pl.DataFrame, progress: Progress = silent) -> pl.DataFrame:
        """The same of those `pairs` whose answers are paid already. Nothing is sent."""
        ...

    def estimate(self, pairs: pl.DataFrame, n_pairs: int) -> Estimate | None:
        """The cost of asking about `n_pairs`, of which `pairs` are some or all; None if nothing is paid."""
        ...


class LiveTeacher:
    """The corpus' teacher behind an endpoint. One object is one run: its budgets hold for all calls."""

    def __init__(
        self, teacher: Teacher, folder: CorpusFolder, budget_usd: float | None = None
    ) -> None:
        folder.require_teacher()
        self.name, self._teacher, self._folder = folder.config.teacher.model, teacher, folder
        budgets = (budget_usd, folder.config.teacher.run_budget_usd)
        self._limit_usd = min((usd for usd in budgets if usd is not None), default=None)
        self.spent_usd = 0.0

    @property
    def is_prompt(self) -> bool:
        return self._folder.config.teacher.mode == "live"

    @property
    def identity(self) -> Mapping[str, object]:
        config = self._folder.config.teacher
        prompt_hash = grading_prompt_hash(self._folder.grading_prompt, self._folder.rubric)
        settings = config.model_dump(include=_ANSWERS_DEPEND_ON)
        return settings | {"endpoint": endpoint_name(config), "prompt_hash": prompt_hash}

    def grade(self, pairs: pl.DataFrame, progress: Progress = silent) -> pl.DataFrame:
        config = self._folder.config.teacher
        if self._limit_usd is not None:
            left_usd = max(0.0, self._limit_usd - self.spent_usd)
            config = config.model_copy(update={"run_budget_usd": left_usd})
        try:
            return self._answers(pairs, config, progress)
        finally:
            self.spent_usd += self._teacher.spent_usd

    def known(self, pairs: pl.DataFrame, progress: Progress = silent) -> pl.DataFrame:
        offline = self._folder.config.teacher.model_copy(update={"mode": "offline"})
        return self._answers(pairs, offline, progress).filter(pl.col("status") == "ok")

    def _answers(
        self, pairs: pl.DataFrame, config: TeacherConfig, progress: Progress
    ) -> pl.DataFrame:
        return self._teacher.grade(
            pairs,
            corpus=self._folder.name,
            config=config,
            rubric=self._folder.rubric,
            prompt=self._folder.grading_prompt,
            progress=progress,
        )

    def estimate(self, pairs: pl.DataFrame, n_pairs: int) -> Estimate | None:
        questions = GradingQuestions.for_corpus(self._folder, pairs)
        return self._teacher.estimate(
            questions,
            corpus=self._folder.name,
            n_pairs=None if n_pairs == pairs.height else n_pairs,
        )


class RecordedTeacher:
    """The grades in teacher_labels.jsonl: they answer for pairs whose ids are in it."""

    def __init__(self, folder: CorpusFolder) -> None:
        self.name, self._folder = "teacher_labels.jsonl", folder

    @property
    def is_prompt(self) -> bool:
        return True

    @property
    def identity(self) -> Mapping[str, object]:
        grades = self._folder.fingerprint("teacher_labels")
        rubric_hash = self._folder.rubric.content_hash
        digest = hashlib.sha256(f"{grades}{rubric_hash}".encode()).hexdigest()
        return {"recorded": digest}

    @cached_property
    def _recorded(self) -> pl.DataFrame:
        return self._folder.recorded_labels().frame

    def grade(self, pairs: pl.DataFrame, progress: Progress = silent) -> pl.DataFrame:
        own = pairs.select(query_id="own_query_id", doc_id="own_doc_id")
        return grade_recorded(own, self._recorded, self._folder.rubric)

    def known(self, pairs: pl.DataFrame, progress: Progress = silent) -> pl.DataFrame:
        """None: all of its grades are free, so a share of them would mean nothing."""
        return self.grade(pairs.clear())

    def estimate(self, pairs: pl.DataFrame, n_pairs: int) -> Estimate | None:
        return None


def asked_teacher(
    teacher: Teacher, folder: CorpusFolder, budget_usd: float | None = None
) -> LiveTeacher | RecordedTeacher:
    """The teacher of the corpus `folder`. `budget_usd` limits the spend of this command.

    Raises ConfigError for a budget where nothing is paid, and without a teacher.
    """
    folder.require_teacher()
    if folder.teacher_kind != "recorded":
        return LiveTeacher(teacher, folder, budget_usd)
    if budget_usd is not None:
        raise ConfigError(
            f"--budget-usd: the teacher of corpus {folder.name!r} is recorded, and asking it costs "
            "nothing. Leave --budget-usd out."
        )
    return RecordedTeacher(folder)
