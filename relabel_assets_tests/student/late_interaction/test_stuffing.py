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


def test_a_penalty_by_hand() -> None:
    head = Head(names=["a"], mean=[0.0], spread=[1.0], weight=[2.0])
    guard = StuffingGuard(head=head, limit=1.0)
    # 3 * (2 * 1.5 - 1), and nothing at the limit and below.
    assert guard.penalty(np.array([[1.5], [0.5], [-3.0]])).tolist() == [6.0, 0.0, 0.0]


def test_stuffed_documents_are_lowered_and_three_in_a_hundred_relevant_ones() -> None:
    features, grades, queries = honest()
    guard, penalties = fit_stuffing_guard(
        features, grades, queries, *stuffed(), names=NAMES, seed=13
    )
    assert guard is not None
    fresh = np.array([[1.0, 0.0], [1.1, 0.1], [0.9, -0.1]])
    assert (guard.penalty(fresh) > 1).all()
    answers = grades >= 2
    assert np.mean(penalties[answers] > 0) == pytest.approx(0.03, abs=0.01)
    assert np.mean(guard.penalty(features[grades == 3]) > 0) < 0.1


def test_the_limit_is_of_documents_that_answer() -> None:
    features, grades, queries = honest()
    guard, _ = fit_stuffing_guard(features, grades, queries, *stuffed(), names=NAMES, seed=13)
    # Grade 1 that looks stuffed would raise the limit if it counted.
    doubtful = features.copy()
    doubtful[grades == 1] += [0.5, -0.5]
    other, _ = fit_stuffing_guard(doubtful, grades, queries, *stuffed(), names=NAMES, seed=13)
    assert guard is not None
    assert other is not None
    share = np.mean(other.penalty(doubtful[grades == 1]) > 0)
    assert share > 0.3


def test_penalties_are_of_guards_that_had_not_seen_the_query() -> None:
    draw = np.random.default_rng(7)
    noise, grades = draw.normal(size=(80, 30)), np.ones(80, dtype=int)
    queries = [f"q{row // 8}" for row in range(80)]
    names = [f"f{column}" for column in range(30)]
    other = draw.normal(size=(20, 30))
    stuffed_queries = [f"q{row // 2}" for row in range(20)]
    guard, penalties = fit_stuffing_guard(
        noise, grades, queries, other, stuffed_queries, names=names, seed=13
    )
    assert guard is not None
    # On noise, a guard knows its own pairs by heart: all are far below the limit of the others.
    assert (penalties > 0).sum() == 3  # 3 % of 80, rounded up
    assert not np.allclose(guard.penalty(noise), penalties)


def test_without_stuffed_or_relevant_documents_there_is_no_guard() -> None:
    features, grades, queries = honest(2)
    nothing = np.empty((0, 2))
    for arguments in (
        (features, grades, queries, nothing, []),
        (features, np.zeros_like(grades), queries, *stuffed(2)),
    ):
        guard, penalties = fit_stuffing_guard(*arguments, names=NAMES, seed=13)
        assert guard is None
        assert penalties.tolist() == [0.0] * len(features)
