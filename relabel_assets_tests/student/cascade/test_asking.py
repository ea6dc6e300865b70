"""Which pairs the teacher is asked about, and how many of each query."""

import numpy as np
import pytest

from relabel_assets.student.cascade.asking import choose_pairs, pairs_to_ask
from relabel_assets.student.cascade.residual_process import QueryPairs, ResidualProcess

PROCESS = ResidualProcess(offset=1e-3, similarity=0.6, length=0.05, features=1e-3, noise=0.1)


def two_groups(expected: list[float], std: list[float]) -> QueryPairs:
    """Three equal documents, then two others, unlike these."""
    vectors = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 2)
    return QueryPairs(np.array(expected), np.array(std), vectors, np.zeros((5, 1)))


def test_the_first_pair_is_of_the_largest_group_and_the_second_of_another() -> None:
    first, second = choose_pairs(PROCESS, two_groups([1.0] * 5, [1.0] * 5), n=2)
    assert first in (0, 1, 2)
    assert second in (3, 4)


def test_of_two_groups_of_equal_size_the_one_at_the_top_is_asked_about() -> None:
    vectors = np.eye(2)
    pairs = QueryPairs(np.array([0.5, 2.5]), np.ones(2), vectors, np.zeros((2, 1)))
    assert choose_pairs(PROCESS, pairs, n=1) == [1]


def test_a_pair_that_the_student_is_unsure_of_is_asked_about_before_one_that_it_is_sure_of() -> (
    None
):
    pairs = QueryPairs(np.ones(2), np.array([0.1, 1.0]), np.eye(2), np.zeros((2, 1)))
    assert choose_pairs(PROCESS, pairs, n=1) == [1]


@pytest.mark.parametrize("n", [0, 1, 5, 9])
def test_no_pair_is_asked_about_twice(n: int) -> None:
    chosen = choose_pairs(PROCESS, two_groups([0.1, 1.0, 2.0, 3.0, 0.5], [1.0] * 5), n)
    assert len(chosen) == len(set(chosen)) == min(n, 5)


def test_a_query_without_pairs_is_asked_nothing() -> None:
    none = QueryPairs(np.empty(0), np.empty(0), np.empty((0, 2)), np.empty((0, 1)))
    assert choose_pairs(PROCESS, none, n=3) == []


def test_more_pairs_continue_a_shorter_choice() -> None:
    pairs = two_groups([0.1, 1.0, 2.0, 3.0, 0.5], [0.5, 1.0, 0.7, 0.9, 1.0])
    assert choose_pairs(PROCESS, pairs, n=4)[:2] == choose_pairs(PROCESS, pairs, n=2)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1, 0.25, 0.99, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_each_query_and_the_sum_get_the_share_rounded_down_or_up(share: float, seed: int) -> None:
    n_pairs = np.array([1, 12, 7, 100, 1, 1, 30])
    counts = pairs_to_ask(n_pairs, share, seed)
    assert (np.abs(counts - n_pairs * share) < 1).all()
    assert abs(counts.sum() - n_pairs.sum() * share) < 1
    assert (counts <= n_pairs).all()


def test_the_chance_to_be_rounded_up_is_the_fraction_that_is_left() -> None:
    counts = np.mean([pairs_to_ask([3, 12, 8], 0.1, seed) for seed in range(2000)], axis=0)
    assert counts == pytest.approx([0.3, 1.2, 0.8], abs=0.04)
