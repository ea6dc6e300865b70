"""Replies of the Decisions API: the grade of one question, and the probability of each grade.

What belongs here: the strict parser of one question's answer. What does not: finding the answers of a
question among those of its request (ledger/shares.py), and what happens after an answer that cannot be
parsed (teacher/decision.py).

The probabilities decide, not `score`, which is their mean. An answer must have each level of the
question once, with a probability; they add up to 1. Of equally probable grades the lowest counts, as in
a vote.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from relabel_assets.teacher.grading.grade_replies import GradeReply
from relabel_assets.teacher.replies import ParsedReply, quoted

# How far the sum of the probabilities may be from 1. Not measured: ten probabilities, each rounded to two
# decimals, are up to 0.05 off.
_TOLERANCE = 0.051
_LARGEST = 1 + _TOLERANCE  # of one probability


def read_decision(body: Any, labels: tuple[str, ...]) -> ParsedReply:
    """The parsed answer in `body`, which has those of one question. `labels` are its levels, in order.

    `value` is a GradeReply without a rationale if the status is ok.

    >>> levels = [("bad", 0, 0.25), ("good", 1, 0.75)]
    >>> probabilities = [{"label": a, "value": b, "probability": c} for a, b, c in levels]
    >>> answer = {"type": "score", "score": 0.75, "confidence": 0.75, "probabilities": probabilities}
    >>> read_decision({"answers": [answer]}, ("bad", "good")).value
    GradeReply(grade=1, rationale=None, grade_probs=(0.25, 0.75))
    >>> read_decision({"answers": [{"type": "refusal"}]}, ("bad", "good")).status
    'refused'
    """
    answer = _only_answer(body)
    if isinstance(answer, ParsedReply):
        return answer
    probs = _probabilities(answer.get("probabilities"), labels)
    if probs is None:
        reason = f"not one probability for each of {', '.join(labels)}: {_quoted(answer)}"
        return ParsedReply("unparseable", reason)
    total = math.fsum(probs)
    if abs(total - 1) > _TOLERANCE:
        reason = f"the probabilities add up to {total:.3g}, not 1: {_quoted(answer)}"
        return ParsedReply("unparseable", reason)
    grade = max(range(len(probs)), key=lambda value: (probs[value], -value))
    return ParsedReply("ok", value=GradeReply(grade, None, tuple(prob / total for prob in probs)))


def _only_answer(body: Any) -> Mapping[str, Any] | ParsedReply:
    """The only answer in `body`, a score, or a ParsedReply with the reason why there is none."""
    answers = body.get("answers") if isinstance(body, Mapping) else None
    if not isinstance(answers, list):
        return ParsedReply("unparseable", f"no answers in the response: {_quoted(body)}")
    if len(answers) != 1:
        found = "no answer" if not answers else f"{len(answers)} answers"
        return ParsedReply("unparseable", f"the response has {found} with this question's name")
    (answer,) = answers
    kind = answer.get("type") if isinstance(answer, Mapping) else None
    if kind == "refusal":
        return ParsedReply("refused", "the model declined to answer this question")
    if kind != "score":
        return ParsedReply("unparseable", f"the answer is no score: {_quoted(answer)}")
    return answer


def _probabilities(levels: Any, labels: tuple[str, ...]) -> list[float] | None:
    """The probability of each level in order; None unless each is there once, under its label.

    Values count from 0, or from 1: the API's types do not say, and the labels tell.
    """
    if not isinstance(levels, list) or len(levels) != len(labels):
        return None
    by_value: dict[int, tuple[Any, float]] = {}
    for level in levels:
        if not isinstance(level, Mapping):
            return None
        value, prob = level.get("value"), level.get("probability")
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        if not isinstance(prob, int | float) or isinstance(prob, bool) or not 0 <= prob <= _LARGEST:
            return None
        by_value[value] = level.get("label"), float(prob)
    values = sorted(by_value)
    is_numbered = values in (list(range(len(labels))), list(range(1, len(labels) + 1)))
    if not is_numbered or [by_value[value][0] for value in values] != list(labels):
        return None
    return [by_value[value][1] for value in values]


def why_unusable(body: Any) -> str | None:
    """The reason why the body of a 2xx response has no answers to read; None if it has some.

    >>> why_unusable({"answers": []})
    'no answers in the response: \\'{"answers": []}\\''
    """
    answers = body.get("answers") if isinstance(body, Mapping) else None
    is_usable = isinstance(answers, list) and answers
    return None if is_usable else f"no answers in the response: {_quoted(body)}"


def _quoted(value: Any) -> str:
    return quoted(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
