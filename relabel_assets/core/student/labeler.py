"""The labeler: a student, or its untrained base, that grades pairs.

What belongs here: from scores to grades. What does not: how an architecture scores a pair (interaction.py,
cross_encoder.py, decoder.py) and training. Imported only where a model is needed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.core.corpus_config import StudentConfig
from relabel_assets.core.cut_points import cut_points, grades_from
from relabel_assets.core.progress import Progress, silent
from relabel_assets.core.rubric import Rubric
from relabel_assets.core.student import storage
from relabel_assets.core.student.calibration import Calibration, expected_grades, fit_calibration
from relabel_assets.core.student.cross_encoder import CrossEncoder
from relabel_assets.core.student.decoder import Decoder, saved_prompt, student_prompt
from relabel_assets.core.student.interaction import Interaction


class Grader(Protocol):
    """What an architecture does: a number for each pair that ranks."""

    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray: ...


@dataclass(frozen=True)
class Labeler:
    """Grades pairs."""

    grader: Grader
    calibration: Calibration
    points: list[float]

    @classmethod
    def load(cls, folder: Path | str) -> "Labeler":
        """The student saved in `folder`. Raises StudentError where it is not whole."""
        folder = Path(folder)
        settings = storage.read_settings(folder)
        grader: Grader
        if settings.architecture == "cross_encoder":
            grader = CrossEncoder.load(str(folder), settings.max_length, settings.precision)
        elif settings.architecture == "decoder":
            if settings.prompt is None:
                raise storage.not_a_student(folder, storage.SETTINGS, ValueError("no prompt"))
            prompt = saved_prompt(**settings.prompt)
            grader = Decoder.load(str(folder), settings.max_length, prompt, settings.n_grades, settings.precision)
        else:
            grader = Interaction.load(folder, settings)
        return cls(grader, settings.calibration, settings.cut_points)

    @classmethod
    def untrained(
        cls, pairs: pl.DataFrame, *, config: StudentConfig, rubric: Rubric, progress: Progress = silent
    ) -> "Labeler":
        """The base model as it is, calibrated and cut on the train split of `pairs`: what training is measured against.

        An encoder without a trained head grades by late interaction, the best that it can do untrained.
        """
        train = pairs.filter(pl.col("split") == "train")
        grader = _untrained_grader(config, rubric)
        return cls(grader, *calibrate(grader.scores(train, progress), train["grade"].to_numpy(), rubric.n_grades))

    def grade(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> pl.DataFrame:
        """query_id, doc_id, grade, expected_grade and grade_probs of each row of `pairs`, in its order.

        `pairs` has query_id, doc_id, text and the document's columns.
        """
        probs = self.calibration.grade_probs(self.grader.scores(pairs, progress))
        expected = np.clip(expected_grades(probs), 0, probs.shape[1] - 1)
        return pairs.select("query_id", "doc_id").with_columns(
            grade=pl.Series(grades_from(expected, self.points), dtype=pl.Int64),
            expected_grade=pl.Series(expected, dtype=pl.Float64),
            grade_probs=pl.Series(np.clip(probs, 0, 1).tolist(), dtype=pl.List(pl.Float64)),
        )


def calibrate(scores: NDArray, grades: NDArray, n_grades: int) -> tuple[Calibration, list[float]]:
    """The calibration of `scores`, and the cut points of the expected grades that it gives."""
    calibration = fit_calibration(scores, grades, n_grades)
    return calibration, cut_points(expected_grades(calibration.grade_probs(scores)), grades, n_grades)


def _untrained_grader(config: StudentConfig, rubric: Rubric) -> Grader:
    from relabel_assets.core.student.base import base_path

    if config.architecture == "decoder":
        path, prompt = base_path(config.base_model), student_prompt(rubric)
        return Decoder.load(path, config.max_length, prompt, rubric.n_grades, config.precision)
    if config.architecture == "cross_encoder":
        reranker = CrossEncoder.load(base_path(config.base_model), config.max_length, config.precision)
        if not reranker.is_fresh:
            return reranker
    return Interaction.untrained(config)
