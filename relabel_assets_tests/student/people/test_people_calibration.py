"""The calibration to people: held near the teacher's, never fitted to the query that it grades."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from relabel_assets.student.calibration import Calibration, expected_grades
from relabel_assets.student.people.people_calibration import (
    PeopleCalibration,
    PeopleGrades,
    ToPeople,
    cross_fitted,
    fit_to_people,
)
from relabel_assets.student.people.people_labels import people_pairs
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

TEACHER = Calibration(slope=2.0, thresholds=[-1.0, 0.0, 2.0])


def grades_by(
    thresholds: Sequence[float], n_queries: int, *, slope: float = 2.0, pairs_per_query: int = 8
) -> PeopleGrades:
    """Grades that people with these thresholds give to random scores."""
    draw, n_pairs = np.random.default_rng(1), n_queries * pairs_per_query
    scores = draw.normal(size=n_pairs)
    log_odds = slope * scores + draw.logistic(size=n_pairs)
    grades = (log_odds[:, None] > np.array(thresholds)).sum(axis=1).astype(float)
    return PeopleGrades(scores, grades, [f"q{row // pairs_per_query:03}" for row in range(n_pairs)])


def test_without_a_grade_the_calibration_is_the_teachers() -> None:
    people = grades_by([0.0, 1.0, 3.0], 9)
    fit = fit_to_people(people.without_grades(set(people.queries)), TEACHER)
    assert fit.calibration.slope == pytest.approx(TEACHER.slope)
    assert fit.calibration.thresholds == pytest.approx(TEACHER.thresholds)
    assert (fit.n_queries, fit.n_pairs) == (0, 0)


def test_many_queries_move_it_to_people_and_few_hardly() -> None:
    def first_threshold(n_queries: int) -> float:
        people = grades_by([0.0, 1.0, 3.0], n_queries)
        return fit_to_people(people, TEACHER).calibration.thresholds[0]

    assert first_threshold(1000) == pytest.approx(0.0, abs=0.1)
    assert -1.0 < first_threshold(2) < -0.5 < first_threshold(20) < 0.0


def test_people_may_tell_grades_apart_better_and_in_other_places() -> None:
    people = grades_by([-1.0, 1.0, 1.5], 2000, slope=3.0)
    calibration = fit_to_people(people, TEACHER).calibration
    assert calibration.slope == pytest.approx(3.0, abs=0.2)
    assert calibration.thresholds == pytest.approx([-1.0, 1.0, 1.5], abs=0.15)


def test_pairs_of_one_query_count_less_than_pairs_of_many() -> None:
    spread = grades_by([0.0, 1.0, 3.0], 40, pairs_per_query=1)
    of_one = PeopleGrades(spread.scores, spread.grades, ["q"] * 40)
    moved = [
        fit_to_people(people, TEACHER).calibration.thresholds[0] for people in (spread, of_one)
    ]
    assert TEACHER.thresholds[0] < moved[1] < moved[0]


def test_each_grade_is_as_frequent_among_all_pairs_as_is_expected() -> None:
    people = grades_by([0.0, 1.0, 3.0], 50)
    fit = fit_to_people(people, TEACHER)
    probs = fit.calibration.grade_probs(people.scores)
    given = np.searchsorted(fit.cut_points, expected_grades(probs))
    assert np.bincount(given, minlength=4) == pytest.approx(probs.sum(axis=0), abs=1)


def test_which_pairs_people_were_shown_leaves_the_cut_points_where_they_are() -> None:
    # People see the best half of the pairs alone. Graded or not, all pairs say where to cut.
    people = grades_by([-1.0, 0.0, 2.0], 400)
    shown = np.where(people.scores > 0, people.grades, np.nan)
    fits = [
        fit_to_people(PeopleGrades(people.scores, grades, people.queries), TEACHER)
        for grades in (people.grades, shown)
    ]
    assert fits[1].cut_points == pytest.approx(fits[0].cut_points, abs=0.1)


def test_a_query_is_never_graded_by_a_fit_to_its_own_grades() -> None:
    people = grades_by([0.0, 1.0, 3.0], 12)
    fits = cross_fitted(people, TEACHER, seed=13)
    assert sorted(fits) == people.graded_queries()
    for query in ("q000", "q011"):
        turned = np.where(np.array(people.queries) == query, 3 - people.grades, people.grades)
        others = cross_fitted(PeopleGrades(people.scores, turned, people.queries), TEACHER, seed=13)
        assert others[query] == fits[query]
        assert sum(others[name] != fits[name] for name in fits) > 9  # the other folds learn from it


def test_one_query_has_no_other_to_learn_from() -> None:
    assert cross_fitted(grades_by([0.0, 1.0, 3.0], 1), TEACHER, seed=13) == {}
    assert len(cross_fitted(grades_by([0.0, 1.0, 3.0], 2), TEACHER, seed=13)) == 2


def test_what_the_teacher_is_expected_to_give_becomes_what_people_are() -> None:
    fit = fit_to_people(grades_by([0.0, 1.0, 3.0], 50), TEACHER)
    scores = np.linspace(-4, 4, 9)
    probs = ToPeople(TEACHER, fit).probs(expected_grades(TEACHER.grade_probs(scores)))
    assert probs == pytest.approx(fit.calibration.grade_probs(scores), abs=1e-6)


def test_lists_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit each other"):
        PeopleCalibration(calibration=TEACHER, cut_points=[0.5], n_queries=1, n_pairs=1)


def test_people_pairs_are_of_queries_that_teach_nobody_and_of_people_alone() -> None:
    splits = {"q1": "train", "q2": "dev", "q3": "benchmark", "q4": "label", "q5": "benchmark"}
    queries = pl.DataFrame({"query_id": [*splits], "text": "leave", "split": [*splits.values()]})
    documents = pl.DataFrame({"doc_id": ["a", "b"]}).with_columns(
        pl.lit("text").alias(name) for name in DOCUMENT_COLUMNS
    )
    reference = pl.DataFrame(
        [(query, "a", "ana", 3, "human") for query in ("q1", "q2", "q3", "q4")]
        + [("q3", "a", "ben", 2, "human"), ("q5", "a", "model", 3, "adjudicated")],
        schema=["query_id", "doc_id", "assessor", "grade", "kind"],
        orient="row",
    )
    candidates = pl.DataFrame({"query_id": [*splits] * 2, "doc_id": ["a"] * 5 + ["b"] * 5}).filter(
        pl.col("query_id") != "q4"
    )
    pairs = people_pairs(reference, candidates, queries, documents)
    # Two people's median, rounded down; q4 has no candidates but the one that people graded.
    assert pairs.select("query_id", "doc_id", "grade").rows() == [
        ("q3", "a", 2),
        ("q3", "b", None),
        ("q4", "a", 3),
    ]
