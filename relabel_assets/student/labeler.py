"""The labeler: a student, or its untrained base, that grades pairs.

What belongs here: turning scores into grades. What does not: how an architecture scores a pair
(architectures.py) and training (train.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.cut_points import cut_points, grades_from
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import RelabelError, StudentError
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.intake.visible_text import visible_text
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.architectures import architecture
from relabel_assets.student.calibration import Calibration, expected_grades, fit_calibration
from relabel_assets.student.cascade.cascade import Cascade
from relabel_assets.student.cascade.known_grades import ScoredPairs, rows_by_query
from relabel_assets.student.folder import not_a_student, read_settings
from relabel_assets.student.grader import EvidenceGrader, Grader
from relabel_assets.student.long_documents import with_nearest_passages
from relabel_assets.student.people.people_calibration import PeopleCalibration, ToPeople
from relabel_assets.student.vectors.store import VectorStore
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

_TRIAL = {"text": ["parental leave"], "body": ["Parents may take 480 days of leave."]}


@dataclass(frozen=True)
class Labeler:
    """A grader with its calibration, which gives grade probabilities, and its cut points.

    The cut points, `points`, turn the expected grade into a grade. `cascade` grades pairs of a query
    some of whose grades are known; only a trained late-interaction student has one. With `people`, it
    grades as people do: `calibration` and `points` are still those of its teacher.
    """

    grader: Grader
    calibration: Calibration
    points: list[float]
    cascade: Cascade | None = None
    people: PeopleCalibration | None = None

    @classmethod
    def load(cls, folder: Path | str, *, store: VectorStore | None = None) -> "Labeler":
        """The student saved in `folder`. Raises StudentError where it is damaged.

        Vectors of documents are kept in `store`, and in memory alone without one.

        It grades one pair, because parts of a damaged student may not fit each other.

        >>> Labeler.load("models/none")
        Traceback (most recent call last):
        relabel_assets.errors.StudentError: models/none is not a student: student.json cannot be read ...
        """
        folder = Path(folder)
        settings = read_settings(folder)
        made = architecture(settings.architecture)
        try:
            grader = made.load(folder, settings)
            labeler = cls(
                grader,
                settings.calibration,
                settings.cut_points,
                settings.cascade,
                settings.people,
            )
            if not np.isfinite(grader.scores(_with_all_columns(pl.DataFrame(_TRIAL)))).all():
                raise ValueError("its score of a pair is no number")
        except RelabelError:
            raise
        except INPUT_ERRORS as error:  # libraries raise anything for damaged files
            raise not_a_student(folder, "one of its files", error) from error
        return labeler if store is None else labeler.with_store(store)

    @classmethod
    def untrained(
        cls,
        pairs: pl.DataFrame,
        *,
        config: StudentConfig,
        rubric: Rubric,
        store: VectorStore | None = None,
        progress: Progress = silent,
    ) -> "Labeler":
        """The base model without training, calibrated and cut on the grades of `pairs`: the baseline.

        Vectors of documents are kept in `store`, and in memory alone without one.
        """
        pairs = _with_all_columns(pairs)
        grader = architecture(config.architecture).untrained(config, rubric)
        grader = grader if store is None else grader.with_store(store)
        scores = grader.scores(with_nearest_passages(pairs), progress)
        return cls(grader, *calibrate(scores, pairs["grade"].to_numpy(), rubric.n_grades))

    def grade(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> pl.DataFrame:
        """The grade of each row of `pairs`, in its order.

        `pairs` has the query as `text` (or `query`) and the document as `body` or `title`. Optional
        columns are query_id, doc_id and the document's other columns. Text that a document hides from
        readers is not graded (intake/visible_text.py). The result has query_id, doc_id, grade,
        expected_grade and grade_probs. Raises StudentError for an unusable pair.

        >>> from relabel_assets.prompts.rubric import default_rubric
        >>> titles = ["Parental leave", "Printer setup"]
        >>> pairs = pl.DataFrame({"query": "parental leave", "title": titles, "grade": [3, 0]})
        >>> student = Labeler.untrained(pairs, config=StudentConfig(), rubric=default_rubric())
        >>> student.grade(pairs)["grade"].to_list()
        [3, 0]
        """
        pairs = _with_all_columns(pairs)
        scores = self.scores(pairs, progress=progress)
        calibration, points = self.calibration, self.points
        if self.people:
            calibration, points = self.people.calibration, self.people.cut_points
        return graded(pairs.select("query_id", "doc_id"), scores, calibration, points)

    def scores(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), as for `grade`; to be calibrated.

        >>> Labeler.load("models/people").scores(pairs)  # doctest: +SKIP
        """
        pairs = _without_hidden_text(_with_all_columns(pairs))
        return self.grader.scores(with_nearest_passages(pairs), progress)

    def with_store(self, store: VectorStore) -> "Labeler":
        """The same student, which keeps vectors of documents in `store`.

        >>> Labeler.load("models/people").with_store(VectorStore())  # doctest: +SKIP
        """
        return replace(self, grader=self.grader.with_store(store))

    def as_taught(self) -> "Labeler":
        """The same student with its teacher's calibration, whether or not it has people's.

        >>> Labeler.load("models/people").as_taught().grade(pairs)  # doctest: +SKIP
        """
        return replace(self, people=None)

    def score(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> ScoredPairs:
        """`pairs`, as for `grade`, scored for a cascade: to be graded with any known grades.

        Raises StudentError for an unusable pair, and for a student without a second stage.

        >>> Labeler.load("models/people").score(pairs).grade(known)  # doctest: +SKIP
        """
        grader, cascade = self.stages()
        pairs = _without_hidden_text(_with_all_columns(pairs))
        scores, evidence = grader.scores_and_evidence(with_nearest_passages(pairs), progress)
        return ScoredPairs(
            keys=pairs.select("query_id", "doc_id"),
            rows=rows_by_query(pairs["query_id"]),
            grade_probs=_grade_probs(self.calibration, scores),
            evidence=evidence,
            cascade=cascade,
            to_people=ToPeople(self.calibration, self.people) if self.people else None,
        )

    def stages(self) -> tuple[EvidenceGrader, Cascade]:
        """The two stages of `score`. Raises StudentError for a student without the second."""
        if self.cascade is None or not isinstance(self.grader, EvidenceGrader):
            raise StudentError(
                "this student grades each pair alone, and cannot use known grades. Train one with "
                "`student: {architecture: late_interaction}`: relabel run --select student_model+"
            )
        return self.grader, self.cascade


def graded(
    pairs: pl.DataFrame, scores: NDArray, calibration: Calibration, points: Sequence[float]
) -> pl.DataFrame:
    """`pairs` with the grade, expected_grade and grade_probs of their `scores` (N,).

    >>> calibration, pairs = Calibration(slope=1.0, thresholds=[0.0]), pl.DataFrame({"doc_id": ["d1", "d2"]})
    >>> graded(pairs, np.array([-1.0, 1.0]), calibration, [0.5])["grade"].to_list()
    [0, 1]
    """
    probs = _grade_probs(calibration, scores)
    expected = np.clip(expected_grades(probs), 0, probs.shape[1] - 1)
    return pairs.with_columns(
        grade=pl.Series(grades_from(expected, points), dtype=pl.Int64),
        expected_grade=pl.Series(expected, dtype=pl.Float64),
        grade_probs=pl.Series(probs.tolist(), dtype=pl.List(pl.Float64)),
    )


def _grade_probs(calibration: Calibration, scores: NDArray) -> NDArray:
    """The probability of each grade, (N, n_grades).

    Rounding may put a difference of probabilities just outside its range.
    """
    return np.clip(calibration.grade_probs(scores), 0, 1)


def _with_all_columns(pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with every column that graders read; a text without an id becomes its own id.

    Raises StudentError where a pair has no query, no document or an ambiguous doc_id.
    """
    if not isinstance(pairs, pl.DataFrame):
        raise StudentError(
            f"pairs is a {type(pairs).__name__}, and must be a polars.DataFrame: "
            "polars.DataFrame(pairs)."
        )
    if "text" not in pairs.columns and "query" in pairs.columns:
        pairs = pairs.rename({"query": "text"})
    if "text" not in pairs.columns or not {"body", "title"} & set(pairs.columns):
        raise StudentError(
            "pairs needs the query's words in `text` and the document's in `body` or `title`. "
            f"Its columns: {', '.join(pairs.columns) or 'none'}."
        )
    absent = [name for name in DOCUMENT_COLUMNS if name not in pairs.columns]
    pairs = pairs.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    for name in ("text", "title", "body"):
        if pairs[name].dtype not in (pl.String, pl.Null):
            raise StudentError(f"pairs: {name} is {pairs[name].dtype}, and must be text (String).")
    is_empty = pairs["text"].is_null() | (pairs["title"].is_null() & pairs["body"].is_null())
    if is_empty.any():
        raise StudentError(
            f"pairs: row {is_empty.arg_max()} has no query or no document. Leave such rows out."
        )
    if "query_id" not in pairs.columns:
        pairs = pairs.with_columns(query_id="text")
    document = pl.struct(DOCUMENT_COLUMNS)
    if "doc_id" not in pairs.columns:
        return pairs.with_columns(doc_id=document.hash().cast(pl.String))
    texts = pairs.select("doc_id", document.hash().alias("words")).unique()
    if texts.height > pairs["doc_id"].n_unique():
        repeated = texts.filter(pl.col("doc_id").is_duplicated())["doc_id"][0]
        raise StudentError(
            f"pairs: doc_id {repeated!r} has more than one text. "
            "Give each document an id of its own."
        )
    return pairs


def _without_hidden_text(pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with the visible text of titles and bodies, each text read once."""
    shown: dict[str | None, str | None] = {None: None}
    for name in ("title", "body"):
        texts = pairs[name].to_list()
        shown |= {text: visible_text(text) for text in set(texts) - shown.keys()}
        pairs = pairs.with_columns(pl.Series(name, map(shown.get, texts), dtype=pl.String))
    return pairs


def calibrate(scores: NDArray, grades: NDArray, n_grades: int) -> tuple[Calibration, list[float]]:
    """The calibration of `scores`, and the cut points of its expected grades.

    >>> calibration, points = calibrate(np.array([0.1, 0.2, 0.6, 0.9]), np.array([0, 0, 1, 1]), n_grades=2)
    >>> expected = expected_grades(calibration.grade_probs([0.1, 0.2, 0.6, 0.9]))
    >>> (expected > points[0]).tolist()
    [False, False, True, True]
    """
    calibration = fit_calibration(scores, grades, n_grades)
    expected = expected_grades(calibration.grade_probs(scores))
    return calibration, cut_points(expected, grades, n_grades)
