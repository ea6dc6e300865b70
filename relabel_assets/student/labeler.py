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

from relabel_assets.benchmark.cut_points import cut_points, grades_from
from relabel_assets.corpus.config import StudentConfig
from relabel_assets.corpus.pairs import DOCUMENT_COLUMNS
from relabel_assets.errors import StudentError
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student import folder as storage
from relabel_assets.student.calibration import Calibration, expected_grades, fit_calibration
from relabel_assets.student.cross_encoder import CrossEncoder
from relabel_assets.student.decoder.decoder import Decoder, saved_prompt, student_prompt
from relabel_assets.student.late_interaction.student import Interaction


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
        """The base model as it is, calibrated and cut on the grades of `pairs`: what training is measured against.

        An encoder without a trained head grades by late interaction, the best that it can do untrained.
        """
        grader = _untrained_grader(config, rubric)
        return cls(grader, *calibrate(grader.scores(pairs, progress), pairs["grade"].to_numpy(), rubric.n_grades))

    def grade(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> pl.DataFrame:
        """query_id, doc_id, grade, expected_grade and grade_probs of each row of `pairs`, in its order.

        `pairs` has the query as `text` (or `query`), the document as `body` or `title`, and what there is of query_id, doc_id
        and the document's other columns. Raises StudentError where a pair cannot be graded.
        """
        pairs = _with_all_columns(pairs)
        probs = self.calibration.grade_probs(self.grader.scores(pairs, progress))
        expected = np.clip(expected_grades(probs), 0, probs.shape[1] - 1)
        return pairs.select("query_id", "doc_id").with_columns(
            grade=pl.Series(grades_from(expected, self.points), dtype=pl.Int64),
            expected_grade=pl.Series(expected, dtype=pl.Float64),
            grade_probs=pl.Series(np.clip(probs, 0, 1).tolist(), dtype=pl.List(pl.Float64)),
        )


def _with_all_columns(pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with every column that graders read; where there is no id, the text is its own."""
    if not isinstance(pairs, pl.DataFrame):
        raise StudentError(
            f"pairs is a {type(pairs).__name__}, and must be a polars.DataFrame: polars.DataFrame(pairs)."
        )
    if "text" not in pairs.columns and "query" in pairs.columns:
        pairs = pairs.rename({"query": "text"})
    if "text" not in pairs.columns or not {"body", "title"} & set(pairs.columns):
        raise StudentError(
            "pairs needs the query's words in `text` and the document's in `body` or `title`. Its columns: "
            f"{', '.join(pairs.columns) or 'none'}."
        )
    absent = [name for name in DOCUMENT_COLUMNS if name not in pairs.columns]
    pairs = pairs.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    for name in ("text", "title", "body"):
        if pairs[name].dtype not in (pl.String, pl.Null):
            raise StudentError(f"pairs: {name} is {pairs[name].dtype}, and must be text (String).")
    nothing = pairs["text"].is_null() | (pairs["title"].is_null() & pairs["body"].is_null())
    if nothing.any():
        raise StudentError(f"pairs: row {nothing.arg_max()} has no query or no document. Leave such rows out.")
    if "query_id" not in pairs.columns:
        pairs = pairs.with_columns(query_id="text")
    document = pl.struct(DOCUMENT_COLUMNS)
    if "doc_id" not in pairs.columns:
        return pairs.with_columns(doc_id=document.hash().cast(pl.String))
    texts = pairs.select("doc_id", document.hash().alias("words")).unique()
    if texts.height > pairs["doc_id"].n_unique():
        twice = texts.filter(pl.col("doc_id").is_duplicated())["doc_id"][0]
        raise StudentError(f"pairs: doc_id {twice!r} has more than one text. Give each document an id of its own.")
    return pairs


def calibrate(scores: NDArray, grades: NDArray, n_grades: int) -> tuple[Calibration, list[float]]:
    """The calibration of `scores`, and the cut points of the expected grades that it gives."""
    calibration = fit_calibration(scores, grades, n_grades)
    return calibration, cut_points(expected_grades(calibration.grade_probs(scores)), grades, n_grades)


def _untrained_grader(config: StudentConfig, rubric: Rubric) -> Grader:
    from relabel_assets.student.base import base_path

    if config.architecture == "decoder":
        path, prompt = base_path(config.base_model), student_prompt(rubric)
        return Decoder.load(path, config.max_length, prompt, rubric.n_grades, config.precision)
    if config.architecture == "cross_encoder":
        reranker = CrossEncoder.load(base_path(config.base_model), config.max_length, config.precision)
        if not reranker.is_fresh:
            return reranker
    return Interaction.untrained(config)
