"""The labeler: from scores to grades, and the frames of pairs that it accepts."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student.calibration import Calibration
from relabel_assets.student.labeler import Labeler, calibrate
from relabel_assets.student.people.people_calibration import PeopleCalibration
from relabel_assets_tests.student.tiny_models import pairs


class FixedScores:
    """Scores the rows of a frame by its column `score`."""

    def scores(self, pairs: pl.DataFrame, progress: Any = None) -> NDArray:
        return pairs["score"].to_numpy()

    def save(self, folder: Path) -> dict[str, Any]:
        return {}


def scored(*scores: float) -> pl.DataFrame:
    return pl.DataFrame(
        {"query": "leave", "title": [f"t{n}" for n in range(len(scores))], "score": scores}
    )


# Two grades; P(grade 1 | score) is the logistic function of the score, so the expected grade is it
# too.
LOGISTIC = Calibration(slope=1.0, thresholds=[0.0])


class LengthScores(FixedScores):
    """Scores a pair by the characters of its title and body."""

    def scores(self, pairs: pl.DataFrame, progress: Any = None) -> NDArray:
        text = pl.concat_str(pl.col("title", "body").fill_null(""))
        return pairs.select(text.str.len_chars()).to_series().to_numpy().astype(float)


def test_text_that_a_document_hides_is_not_graded() -> None:
    titles = ["HR", "HR<p hidden>leave</p>", None, None]
    bodies = [None, None, "Ask.", "Ask.<!-- leave -->"]
    pairs = pl.DataFrame({"query": "leave", "title": titles, "body": bodies})
    expected = Labeler(LengthScores(), LOGISTIC, [0.5]).grade(pairs)["expected_grade"].to_list()
    assert expected[0] == expected[1]
    assert expected[2] == expected[3]
    assert expected[0] != expected[2]


def test_an_expected_grade_at_a_cut_point_gets_the_lower_grade() -> None:
    labels = Labeler(FixedScores(), LOGISTIC, [0.5]).grade(scored(0.0, 1e-9, -1e-9))
    assert labels["expected_grade"][0] == 0.5
    assert labels["grade"].to_list() == [0, 1, 0]


def test_two_equal_cut_points_skip_the_grade_between() -> None:
    calibration = Calibration(slope=1.0, thresholds=[0.0, 0.0])
    labels = Labeler(FixedScores(), calibration, [1.0, 1.0]).grade(scored(-1.0, 0.0, 1.0))
    assert labels["grade"].to_list() == [0, 0, 2]


def test_probabilities_and_expected_grades_by_hand() -> None:
    labels = Labeler(FixedScores(), LOGISTIC, [0.5]).grade(scored(np.log(3.0)))
    assert labels["grade_probs"].to_list()[0] == pytest.approx([0.25, 0.75])
    assert labels["expected_grade"].to_list() == pytest.approx([0.75])


def test_extreme_scores_stay_within_the_grades() -> None:
    calibration = Calibration(slope=50.0, thresholds=[-1.0, 0.0, 1.0])
    labels = Labeler(FixedScores(), calibration, [0.5, 1.5, 2.5]).grade(scored(-1e9, 1e9))
    assert labels["expected_grade"].to_list() == [0.0, 3.0]
    assert labels["grade"].to_list() == [0, 3]
    assert labels["grade_probs"].explode().is_between(0, 1).all()


def test_calibrated_grades_have_the_frequencies_of_the_training_grades() -> None:
    scores, grades = np.arange(10.0), np.array([0] * 6 + [1] * 3 + [3])
    labeler = Labeler(FixedScores(), *calibrate(scores, grades, 4))
    assert labeler.grade(scored(*scores))["grade"].to_list() == grades.tolist()


@pytest.fixture(scope="module")
def base() -> Labeler:
    return Labeler.untrained(pairs(), config=StudentConfig(), rubric=default_rubric())


def test_ids_are_not_needed_and_do_not_change_a_grade(base: Labeler) -> None:
    with_ids, without = (
        base.grade(pairs()),
        base.grade(pairs().select("title", "body", query="text")),
    )
    assert without["expected_grade"].to_list() == with_ids["expected_grade"].to_list()
    assert without["query_id"].to_list() == pairs()["text"].to_list()
    assert without["doc_id"].n_unique() == pairs()["doc_id"].n_unique()


TEXTS = pairs().select("title", "body", query="text")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (TEXTS.to_dicts(), "a list, and must be a polars.DataFrame"),
        (TEXTS.drop("query"), "columns: title, body"),
        (TEXTS.drop("title", "body"), "columns: text"),
        (TEXTS.with_columns(query=pl.lit(1)), "text is Int32"),
        (
            TEXTS.with_columns(query=pl.when(pl.int_range(pl.len()) != 2).then("query")),
            "row 2 has no query",
        ),
        (pairs().with_columns(doc_id=pl.lit("d0")), "doc_id 'd0' has more than one text"),
    ],
)
def test_an_invalid_frame_is_refused_with_a_reason(base: Labeler, frame: Any, message: str) -> None:
    with pytest.raises(StudentError, match=message):
        base.grade(frame)


def test_a_frame_without_rows_has_no_grades(base: Labeler) -> None:
    assert base.grade(pairs().clear()).height == 0


def test_a_student_that_is_calibrated_to_people_grades_as_they_do_until_it_is_asked_not_to() -> (
    None
):
    stricter = Calibration(slope=1.0, thresholds=[2.0])
    people = PeopleCalibration(calibration=stricter, cut_points=[0.6], n_queries=9, n_pairs=90)
    labeler = Labeler(FixedScores(), LOGISTIC, [0.5], people=people)
    labels = labeler.grade(scored(1.0, 2.2, 3.0))
    assert labels["grade"].to_list() == [0, 0, 1]
    assert labels["expected_grade"][1] == pytest.approx(1 / (1 + np.exp(-0.2)))
    assert labeler.as_taught().grade(scored(1.0, 2.2, 3.0))["grade"].to_list() == [1, 1, 1]
