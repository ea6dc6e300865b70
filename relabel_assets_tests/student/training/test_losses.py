"""The losses, worked by hand on three documents of one query."""

from math import exp, log

import pytest
import torch

from relabel_assets.student.training.losses import GradeLoss, ranking_loss

GRADES = torch.tensor([2.0, 0.0, 2.0])


def test_the_ranking_loss_is_the_weighted_mean_over_pairs_that_differ() -> None:
    # Documents 1 and 3 are each better than document 2 by two grades; 1 and 3 are equal and no
    # pair.
    scores = torch.tensor([1.0, 0.0, 5.0])
    expected = (2 * log(1 + exp(-1.0)) + 2 * log(1 + exp(-5.0))) / (2 + 2)
    assert ranking_loss(scores, GRADES).item() == pytest.approx(expected)


def test_a_pair_that_differs_by_more_grades_weighs_more() -> None:
    # Pairs: 3 over 1 (two grades), 3 over 0 (three), 1 over 0 (one).
    scores, grades = torch.tensor([2.0, 1.0, 0.0]), torch.tensor([3.0, 1.0, 0.0])
    one, two = log(1 + exp(-1.0)), log(1 + exp(-2.0))
    assert ranking_loss(scores, grades).item() == pytest.approx((2 * one + 3 * two + one) / 6)


def test_the_wrong_order_costs_more_than_the_right_one() -> None:
    right, wrong = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.0])
    assert ranking_loss(wrong, GRADES) > ranking_loss(right, GRADES)


def test_a_query_whose_grades_are_equal_costs_nothing_and_still_has_a_gradient() -> None:
    scores = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = ranking_loss(scores, torch.tensor([2.0, 2.0]))
    loss.backward()
    assert loss.item() == 0.0
    assert scores.grad is not None
    assert scores.grad.tolist() == [0.0, 0.0]


def test_the_grade_loss_is_the_mean_over_thresholds_below_and_above_the_grade() -> None:
    loss = GradeLoss(3)
    loss.thresholds.data = torch.tensor([0.0, 1.0])
    # Score 2, grade 1: P(grade >= 1) = sigmoid(2 - 0) should be 1, P(grade >= 2) = sigmoid(2 - 1)
    # should be 0.
    reached, not_reached = 1 / (1 + exp(-2.0)), 1 / (1 + exp(-1.0))
    expected = -(log(reached) + log(1 - not_reached)) / 2
    assert loss(torch.tensor([2.0]), torch.tensor([1.0])).item() == pytest.approx(expected)


def test_the_thresholds_of_the_grade_loss_begin_one_apart_and_centred_on_zero() -> None:
    assert GradeLoss(4).thresholds.tolist() == [-1.0, 0.0, 1.0]
