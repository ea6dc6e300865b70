"""The consensus of several replies."""

import pytest

from relabel_assets.teacher.grading.consensus import consensus
from relabel_assets.teacher.grading.grade_replies import GradeReply


@pytest.mark.parametrize(
    ("votes", "grade"),
    [
        ([2], 2),
        ([2, 1], 1),  # tied: a document that is not clearly better does not pass for better
        ([1, 2], 1),
        ([3, 3, 0], 3),
        ([0, 3, 3], 3),
        ([3, 0, 1], 0),  # all split
        ([3, 3, 1, 1, 0], 1),
        ([0, 3, 3, 2, 2, 3], 3),
    ],
)
def test_the_most_frequent_grade_wins_and_ties_go_to_the_lowest(
    votes: list[int], grade: int
) -> None:
    assert consensus([GradeReply(vote, None) for vote in votes], 4).grade == grade


def test_the_rationale_is_the_first_one_of_that_grade() -> None:
    replies = [GradeReply(0, "no"), GradeReply(3, None), GradeReply(3, "yes"), GradeReply(3, "so")]
    assert consensus(replies, 4).rationale == "[3 of 4] yes"
    assert consensus([GradeReply(2, None), GradeReply(2, None)], 4).rationale == "[2 of 2]"


def test_a_single_reply_is_unchanged() -> None:
    single = consensus([GradeReply(2, "because")], 4)
    assert (single.rationale, single.grade_probs, single.expected_grade) == ("because", None, None)
    sure = consensus([GradeReply(2, None, (0.0, 0.25, 0.75, 0.0))], 4)
    assert (sure.rationale, sure.grade_probs) == (None, [0.0, 0.25, 0.75, 0.0])
    assert sure.expected_grade == pytest.approx(1.75)


def test_probabilities_are_the_mean_of_the_replies() -> None:
    replies = [GradeReply(0, None, (1.0, 0.0)), GradeReply(1, None, (0.25, 0.75))]
    assert consensus(replies, 2).grade_probs == [0.625, 0.375]
    assert consensus(replies, 2).expected_grade == pytest.approx(0.375)


def test_without_probabilities_of_every_reply_the_vote_shares_are_used() -> None:
    replies = [GradeReply(0, None, (0.9, 0.1, 0.0, 0.0)), *[GradeReply(2, None)] * 3]
    label = consensus(replies, 4)
    assert label.grade_probs == [0.25, 0.0, 0.75, 0.0]
    assert label.expected_grade == pytest.approx(1.5)
