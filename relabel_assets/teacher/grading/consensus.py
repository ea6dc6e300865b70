"""The consensus of several replies about the same pair: one grade.

What belongs here: the vote and its probabilities. What does not: how many replies must be readable
(grading.py), and parsing them (grade_replies.py).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from relabel_assets.teacher.grading.grade_replies import GradeReply


@dataclass(frozen=True)
class Consensus:
    """The grade of all replies together.

    `expected_grade` is the mean grade by `grade_probs`. Both are None for one reply without logprobs.
    """

    grade: int
    rationale: str | None
    grade_probs: list[float] | None
    expected_grade: float | None


def consensus(replies: Sequence[GradeReply], n_grades: int) -> Consensus:
    """The most frequent grade, with the first rationale for it. At a tie, the lowest grade wins.

    For a document that is not clearly better should not count as better.

    >>> replies = [GradeReply(3, "a"), GradeReply(1, "b"), GradeReply(3, "c"), GradeReply(3, "d")]
    >>> consensus(replies, n_grades=4)
    Consensus(grade=3, rationale='[3 of 4] a', grade_probs=[0.0, 0.25, 0.0, 0.75], expected_grade=2.5)
    """
    votes = Counter(reply.grade for reply in replies)
    grade = min(votes, key=lambda candidate: (-votes[candidate], candidate))
    rationale = next((r.rationale for r in replies if r.grade == grade and r.rationale), None)
    if len(replies) > 1:
        rationale = f"[{votes[grade]} of {len(replies)}] {rationale or ''}".strip()
    probs = _mean_probs(replies, n_grades)
    expected = None if probs is None else sum(grade * prob for grade, prob in enumerate(probs))
    return Consensus(grade, rationale, probs, expected)


def _mean_probs(replies: Sequence[GradeReply], n_grades: int) -> list[float] | None:
    """The mean of the replies' probabilities, or the shares of their votes if a reply has none."""
    probs = [reply.grade_probs for reply in replies if reply.grade_probs is not None]
    if len(probs) == len(replies):
        return [sum(column) / len(probs) for column in zip(*probs, strict=True)]
    if len(replies) == 1:
        return None
    votes = Counter(reply.grade for reply in replies)
    return [votes[grade] / len(replies) for grade in range(n_grades)]
