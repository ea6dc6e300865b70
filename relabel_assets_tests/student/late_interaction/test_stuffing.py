"""The stuffing guard: what it lowers, its limit, and when there is none."""

import numpy as np
import pytest
from numpy.typing import NDArray

from relabel_assets.student.late_interaction.head import Head
from relabel_assets.student.late_interaction.stuffing import StuffingGuard, fit_stuffing_guard

NAMES = ["covered_by_title", "feedback_cosine"]


def honest(n_queries: int = 40) -> tuple[NDArray, NDArray, list[str]]:
    """Ten pairs a query. Relevant ones are high in both features, stuffed ones in the first alone."""
    draw = np.random.default_rng(3)
    grades = np.tile([3, 2, 1, 0, 0, 0, 0, 0, 0, 0], n_queries)
    features = np.stack([grades / 3, grades / 3], axis=1) + draw.normal(
        scale=0.2, size=(len(grades), 2)
    )
    return features, grades, [f"q{row // 10}" for row in range(len(grades))]


def stuffed(n_queries: int = 40) -> tuple[NDArray, list[str]]:
    draw = np.random.default_rng(5)
    features = np.array([1.0, 0.0]) + draw.normal(scale=0.2, size=(n_queries, 2))
    return features, [f"q{row}" for row in range(n_queries)]


def fitted(features: NDArray, grades: NDArray, queries: list[str]) -> StuffingGuard:
    """The guard for a student whose score is the grade."""
    scores = grades.astype(float)
    guard = fit_stuffing_guard(features, grades, queries, scores, *stuffed(), names=NAMES, seed=13)
    assert guard is not None
    return guard


def changed(guard: StuffingGuard, features: NDArray) -> NDArray:
    """Whether the guard changes a high score of each row of `features`."""
    high = np.full(len(features), 9.0)
    return guard.guarded(high, features) != high


def test_guarded_scores_by_hand() -> None:
    head = Head(names=["a"], mean=[0.0], spread=[1.0], weight=[2.0])
    guard = StuffingGuard(head=head, limit=1.0, certain=2.0, floor=-1.0)
    features = np.array([[0.5], [0.55], [1.0], [1.5], [1.5], [0.75]])
    scores = [3.0, 3.0, 3.0, 3.0, -2.0, -1.0]
    # At the limit; 3 - 10 * .1; 3 - 10 * 1, which the floor holds; the floor less 10 * 1; a score
    # below the floor less 10 * 1; a score at the floor.
    assert guard.guarded(scores, features).round(9).tolist() == [3.0, 2.0, -1.0, -11.0, -12.0, -1.0]


def test_stuffed_documents_are_lowered_and_two_in_a_hundred_relevant_ones() -> None:
    features, grades, queries = honest()
    guard = fitted(features, grades, queries)
    fresh = np.array([[1.0, 0.0], [1.1, 0.1], [0.9, -0.1]])
    assert changed(guard, fresh).all()
    assert changed(guard, features[grades == 3]).mean() < 0.06
    of_answers = guard.head.scores(features[grades >= 2])
    assert (of_answers > guard.limit).mean() == pytest.approx(0.02, abs=0.02)


def test_the_limit_is_of_documents_that_answer() -> None:
    features, grades, queries = honest()
    # Grade 1 that looks stuffed would raise the limit if it counted.
    doubtful = features.copy()
    doubtful[grades == 1] += [0.5, -0.5]
    guard = fitted(doubtful, grades, queries)
    assert changed(guard, doubtful[grades == 1]).mean() > 0.3
    assert guard.certain > guard.limit


def test_the_floor_is_the_greatest_score_without_an_answering_grade() -> None:
    features, grades, queries = honest()
    assert fitted(features, grades, queries).floor == 1.0


def test_the_bounds_are_of_guards_that_had_not_seen_the_query() -> None:
    draw = np.random.default_rng(7)
    noise, grades = draw.normal(size=(80, 30)), np.ones(80, dtype=int)
    queries = [f"q{row // 8}" for row in range(80)]
    names = [f"f{column}" for column in range(30)]
    other = draw.normal(size=(20, 30))
    stuffed_queries = [f"q{row // 2}" for row in range(20)]
    guard = fit_stuffing_guard(
        noise, grades, queries, grades.astype(float), other, stuffed_queries, names=names, seed=13
    )
    assert guard is not None
    # On noise, a guard knows its own pairs by heart: all are far below the bounds of the others.
    assert guard.head.scores(noise).max() < guard.limit < guard.certain


def test_without_stuffed_or_relevant_documents_there_is_no_guard() -> None:
    features, grades, queries = honest(2)
    scores, nothing = grades.astype(float), np.empty((0, 2))
    some = {"names": NAMES, "seed": 13}
    assert fit_stuffing_guard(features, grades, queries, scores, nothing, [], **some) is None
    irrelevant = np.zeros_like(grades)
    assert fit_stuffing_guard(features, irrelevant, queries, scores, *stuffed(2), **some) is None


def test_pairs_that_all_answer_have_a_floor() -> None:
    features, grades, queries = honest(10)
    guard = fitted(features, np.full_like(grades, 3), queries)
    assert guard.floor == 3.0
