"""The robustness card of a corpus: its probes, graded by the student and, where it is paid for, the teacher.

What belongs here: who is asked about which probes, and what that costs. What does not: making probes
(student/hardening/probes.py) and the rates (benchmark/probes/false_high.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from relabel_assets.benchmark.probes.false_high import false_high_rows
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import TeacherError
from relabel_assets.labeling.asked_teacher import LiveTeacher
from relabel_assets.progress import Progress, renamed, silent
from relabel_assets.student.hardening.probes import probe_pairs
from relabel_assets.tables.vocabulary import FINISHED_STATUSES
from relabel_assets.teacher.estimate import Estimate
from relabel_assets.teacher.teacher import Teacher

if TYPE_CHECKING:  # torch
    from relabel_assets.student.labeler import Labeler

_PAIR = ["query_id", "doc_id", "grade"]


@dataclass(frozen=True)
class RobustnessCard:
    """Rows of benchmark_report, and what the teacher did about `teacher.probes`.

    The next run asks again about `n_unfinished` probes.
    """

    rows: pl.DataFrame
    metadata: Mapping[str, Any] = field(default_factory=dict)
    n_unfinished: int = 0


@dataclass(frozen=True)
class TeacherProbes:
    """The teacher of the corpus `folder`, asked about the first `teacher.probes` pairs of the card.

    Pairs are ordered by query, so that every probe has its share.
    """

    teacher: Teacher
    folder: CorpusFolder

    def chosen(self, probes: pl.DataFrame) -> pl.DataFrame:
        """The pairs that the teacher is asked about; none where its grades are recorded."""
        is_recorded = self.folder.teacher_kind != "openai"
        return probes.head(0 if is_recorded else self.folder.config.teacher.probes)

    def estimate(self, probes: pl.DataFrame) -> tuple[int, Estimate | None]:
        """How many pairs are chosen, and what is still to be sent about them. Nothing is sent."""
        chosen = self.chosen(probes)
        if chosen.is_empty():
            return 0, None
        live = LiveTeacher(self.teacher, self.folder)
        return chosen.height, live.estimate(chosen.drop("probe"), chosen.height)

    def card(self, probes: pl.DataFrame, progress: Progress = silent) -> RobustnessCard:
        """The teacher's rows. Requests that the ledger answers are not sent again.

        A teacher that cannot be asked costs its own rows. Raises ConfigError for a budget that cannot be
        kept.
        """
        n_grades, n_wanted = self.folder.rubric.n_grades, self.folder.config.teacher.probes
        chosen = self.chosen(probes)
        none = false_high_rows("teacher", chosen.clear().with_columns(grade=0), n_grades)
        if chosen.is_empty():
            is_off = n_wanted == 0 or probes.is_empty()
            why = "none" if is_off else "not asked: the grades of this teacher are recorded"
            return RobustnessCard(none, {"teacher_probes": why})
        live = LiveTeacher(self.teacher, self.folder)
        try:
            labels = live.grade(
                chosen.drop("probe"), renamed(progress, "asking the teacher, probes")
            )
        except TeacherError as error:
            return RobustnessCard(none, {"teacher_probes": f"not asked: {error}"}, chosen.height)
        graded = labels.select("status", "cost_usd", "grade", "query_id").with_columns(
            chosen["probe"]
        )
        counts = dict(graded["status"].value_counts().sort("status").iter_rows())
        return RobustnessCard(
            false_high_rows("teacher", graded, n_grades),
            {
                "teacher_probes": ", ".join(f"{n} {status}" for status, n in counts.items()),
                "teacher_probes_cost_usd": float(graded["cost_usd"].fill_null(0.0).sum()),
            },
            sum(n for status, n in counts.items() if status not in FINISHED_STATUSES),
        )


def probes_of(
    queries: pl.DataFrame, documents: pl.DataFrame, teacher: pl.DataFrame, reference: pl.DataFrame
) -> pl.DataFrame:
    """The probes of the benchmark queries among `queries`; the frames are the rows of their tables."""
    benchmark = queries.filter(pl.col("split") == "benchmark")
    grades = pl.concat([teacher.select(_PAIR), reference.select(_PAIR)], how="vertical_relaxed")
    return probe_pairs(benchmark, documents, grades)


def robustness_card(
    probes: pl.DataFrame, student: "Labeler", teacher: TeacherProbes, progress: Progress = silent
) -> RobustnessCard:
    """The rows of student and teacher about `probes` (see `probes_of`)."""
    if probes.is_empty():
        return teacher.card(probes)
    grades = student.grade(probes.drop("probe"), progress=progress)["grade"]
    n_grades = teacher.folder.rubric.n_grades
    of_student = false_high_rows("student", probes.with_columns(grades), n_grades)
    asked = teacher.card(probes, progress)
    return RobustnessCard(pl.concat([of_student, asked.rows]), asked.metadata, asked.n_unfinished)
