"""The rules by which an answer of the Decisions API is a grade."""

import json
import math
from typing import Any

import pytest

from relabel_assets.teacher.decisions.decision_replies import read_decision, why_unusable
from relabel_assets.teacher.grading.grade_replies import GradeReply

LABELS = ("bad", "fair", "good")


def answer(*probs: Any, **changes: Any) -> dict[str, Any]:
    levels = [
        {"label": label, "value": value, "probability": prob}
        for value, (label, prob) in enumerate(zip(LABELS, probs, strict=False))
    ]
    return {"type": "score", "name": None, "score": 1.0, "confidence": 0.5} | {
        "probabilities": levels,
        **changes,
    }


def read(*answers: Any) -> Any:
    return read_decision({"answers": list(answers)}, LABELS)


def test_the_most_probable_level_is_the_grade() -> None:
    assert read(answer(0.2, 0.5, 0.3)).value == GradeReply(1, None, (0.2, 0.5, 0.3))


def test_of_equally_probable_levels_the_lowest_is_the_grade() -> None:
    assert read(answer(0.2, 0.4, 0.4)).value.grade == 1
    assert read(answer(0.4, 0.2, 0.4)).value.grade == 0


def test_the_score_does_not_decide() -> None:
    """It is the mean: of a pair that is good or bad it would make a fair one."""
    assert read(answer(0.4, 0.0, 0.6, score=1.2)).value.grade == 2
    assert read(answer(0.4, 0.0, 0.6, score="high")).status == "ok"


@pytest.mark.parametrize("probs", [(0.33, 0.33, 0.33), (0.35, 0.35, 0.35), (0.0, 0.0, 1.0)])
def test_rounded_probabilities_are_scaled_to_add_up_to_one(probs: tuple[float, ...]) -> None:
    scaled = read(answer(*probs)).value.grade_probs
    assert math.fsum(scaled) == pytest.approx(1, abs=1e-12)
    assert scaled == pytest.approx([prob / sum(probs) for prob in probs])


@pytest.mark.parametrize("probs", [(0.3, 0.3, 0.3), (0.4, 0.4, 0.3), (0, 0, 0), (1, 1, 1)])
def test_probabilities_that_do_not_add_up_are_no_answer(probs: tuple[float, ...]) -> None:
    reply = read(answer(*probs))
    assert reply.status == "unparseable" and "add up to" in reply.reason


@pytest.mark.parametrize(
    "levels",
    [
        answer(0.5, 0.5)["probabilities"],  # one is missing
        [
            *answer(0.5, 0.3, 0.2)["probabilities"],
            {"label": "best", "value": 3, "probability": 0.0},
        ],
        [*answer(0.5, 0.3)["probabilities"], {"label": "fair", "value": 1, "probability": 0.2}],
        [
            {**level, "value": level["value"] + 2}
            for level in answer(0.5, 0.3, 0.2)["probabilities"]
        ],
        [
            {**level, "value": 2 - level["value"]}
            for level in answer(0.5, 0.3, 0.2)["probabilities"]
        ],
        [{**level, "value": True} for level in answer(0.5, 0.3, 0.2)["probabilities"]],
        [{**level, "value": -1} for level in answer(0.5, 0.3, 0.2)["probabilities"]],
        [{**level, "value": 10**400} for level in answer(0.5, 0.3, 0.2)["probabilities"]],
        [{**level, "label": "fair"} for level in answer(0.5, 0.3, 0.2)["probabilities"]],
        answer(-0.1, 0.6, 0.5)["probabilities"],
        answer(math.nan, 0.5, 0.5)["probabilities"],
        answer(math.inf, 0.0, 0.0)["probabilities"],
        answer("1", 0, 0)["probabilities"],
        answer(True, 0, 0)["probabilities"],
        answer(None, 0.5, 0.5)["probabilities"],
        answer(10**400, 0, 0)["probabilities"],
        {"0": 0.5, "1": 0.3, "2": 0.2},
        ["bad", "fair", "good"],
        None,
        "0.5 0.3 0.2",
    ],
)
def test_any_other_levels_are_no_answer(levels: Any) -> None:
    reply = read(answer(probabilities=levels))
    assert reply.status == "unparseable" and reply.value is None
    assert reply.reason.startswith("not one probability for each of bad, fair, good: ")
    assert len(reply.reason) < 300


def test_booleans_are_no_values() -> None:
    levels = [
        {"label": label, "value": value, "probability": 0.5}
        for label, value in (("bad", False), ("good", True))
    ]
    reply = read_decision({"answers": [answer(probabilities=levels)]}, ("bad", "good"))
    assert reply.status == "unparseable"


def test_levels_may_count_from_one() -> None:
    levels = [
        {**level, "value": level["value"] + 1} for level in answer(0.1, 0.2, 0.7)["probabilities"]
    ]
    assert read(answer(probabilities=levels)).value == GradeReply(2, None, (0.1, 0.2, 0.7))


def test_levels_may_come_in_any_order() -> None:
    levels = answer(0.1, 0.2, 0.7)["probabilities"][::-1]
    assert read(answer(probabilities=levels)).value.grade_probs == pytest.approx((0.1, 0.2, 0.7))


def test_a_refusal_is_no_failure() -> None:
    reply = read({"type": "refusal", "name": None})
    assert (reply.status, reply.reason) == ("refused", "the model declined to answer this question")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([], "the response has no answer with this question's name"),
        (
            [answer(0.2, 0.5, 0.3), answer(0.5, 0.2, 0.3)],
            "the response has 2 answers with this question's name",
        ),
        ([answer(0.2, 0.5, 0.3)] * 2, "the response has 2 answers with this question's name"),
        ([{"type": "predicate", "probability": 0.9}], "the answer is no score"),
        ([{"type": "choice", "choice": "good"}], "the answer is no score"),
        (["good"], "the answer is no score"),
        ([None], "the answer is no score"),
        ([{"type": ["score"]}], "the answer is no score"),
    ],
)
def test_anything_but_one_score_is_no_answer(answers: list[Any], reason: str) -> None:
    reply = read(*answers)
    assert reply.status == "unparseable" and reply.reason.startswith(reason)


@pytest.mark.parametrize(
    "body", [None, [], "text", 7, {}, {"answers": None}, {"answers": {"a": 1}}]
)
def test_a_body_without_a_list_of_answers_is_no_answer(body: Any) -> None:
    reply = read_decision(body, LABELS)
    assert reply.status == "unparseable" and reply.reason.startswith("no answers in the response")
    assert why_unusable(body) == reply.reason


def test_a_body_with_answers_is_usable() -> None:
    assert why_unusable(json.loads(json.dumps({"answers": [answer(0.2, 0.5, 0.3)]}))) is None
