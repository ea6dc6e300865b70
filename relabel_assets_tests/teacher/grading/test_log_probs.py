"""Grade probabilities from the log probabilities of a reply's tokens."""

import math

import pytest

from relabel_assets.teacher.grading.log_probs import grade_probs

TOKENS = ['{"rationale": "', "2", " of ", "3", '", "grade": ', "2", "}"]


def logprobs(tokens: list[str], alternatives: list[tuple[object, object]]) -> dict[str, object]:
    """Every token with the same alternatives, as (token, probability)."""
    top = [
        {"token": token, "logprob": math.log(prob) if isinstance(prob, float) else prob}
        for token, prob in alternatives
    ]
    return {"content": [{"token": token, "top_logprobs": top} for token in tokens]}


def test_probabilities_come_from_the_grades_own_token_and_sum_to_one() -> None:
    reply_logprobs = logprobs(TOKENS, [("2", 0.6), ("1", 0.3), ("x", 0.1)])
    for number, token in enumerate(reply_logprobs["content"]):  # type: ignore[arg-type]
        if number != 5:
            token["top_logprobs"] = [{"token": "0", "logprob": 0.0}]
    assert grade_probs(reply_logprobs, 2, 4) == pytest.approx((0.0, 1 / 3, 2 / 3, 0.0))


def test_probabilities_come_from_the_last_grade_because_thoughts_have_drafts() -> None:
    draft = {
        "token": "2",
        "top_logprobs": [
            {"token": "2", "logprob": math.log(0.6)},
            {"token": "1", "logprob": math.log(0.4)},
        ],
    }
    final = {"token": "2", "top_logprobs": [{"token": "2", "logprob": 0.0}]}
    lead = {"token": '{"grade": '}
    thoughts = {"token": "} Yes.</think>"}
    assert grade_probs({"content": [lead, draft, thoughts, lead, final]}, 2, 4) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    "tokens",
    [
        ['{"grade": 2}'],
        ['{"grade"', ":", " ", "2}"],
        ['{"gr', 'ade":', ' "2"', "}"],
        ['{"grade":', "\n2", "\n}"],
        ['{"note": "grade: 1", "grade": ', "2,"],
    ],
)
def test_the_grades_token_is_located_in_any_tokenization(tokens: list[str]) -> None:
    if tokens[0] == '{"grade": 2}':  # one token for the whole reply: its alternatives are replies
        assert grade_probs(logprobs(tokens, [("2", 0.9)]), 2, 4) is None
    else:
        assert grade_probs(logprobs(tokens, [("2", 0.9)]), 2, 4) == (0.0, 0.0, 1.0, 0.0)


def test_spellings_of_a_digit_are_added_up() -> None:
    reply_logprobs = logprobs(
        ['{"grade":', " 2"], [(" 2", 0.4), ("2", 0.2), (' "2"', 0.1), (" 3}", 0.3)]
    )
    assert grade_probs(reply_logprobs, 2, 4) == pytest.approx((0.0, 0.0, 0.7, 0.3))


@pytest.mark.parametrize(
    ("alternatives", "is_clear"),
    [
        ([("2", 0.5)], True),
        ([("2", 0.49), ("x", 0.51)], False),  # mostly not about the grade
        ([("2", 0.49), ("7", 0.51)], False),  # no grade of this rubric
        ([("2", 0.49), ("4", 0.51)], False),  # nor this: 0 to 3
        ([("2", 0.49), ("22", 0.51)], False),
        ([("2", 0.6), ("2", 0.6)], False),  # more than there can be
        ([("2", 0.505), ("1", 0.5)], True),  # rounding
        ([("2", 0.0)], True),  # log 1
        ([("2", 2.0)], False),  # not a probability
        ([("2", "high")], False),
        ([(2, None)], False),
        ([], False),
    ],
)
def test_alternatives_must_be_grades(
    alternatives: list[tuple[object, object]], is_clear: bool
) -> None:
    alternatives = [(token, 0 if prob == 0.0 else prob) for token, prob in alternatives]
    probs = grade_probs(logprobs(['{"grade": ', "2"], alternatives), 2, 4)
    assert (probs is not None) == is_clear
    assert probs is None or sum(probs) == pytest.approx(1)


@pytest.mark.parametrize(
    "reply_logprobs",
    [
        None,
        [],
        {},
        {"content": None},
        {"content": []},
        {"content": ["2"]},
        {"content": [{"token": 2}]},
        {"content": [{"token": '{"grade": '}, {"token": "2"}]},
        {"content": [{"token": '{"grade": '}, {"token": "2", "top_logprobs": [None]}]},
        {"content": [{"token": '{"grade": '}, {"token": "2", "top_logprobs": [{"logprob": 0.0}]}]},
        {"content": [{"token": "other"}]},
        {
            "content": [
                {"token": '{"grade": '},
                {"token": "3", "top_logprobs": [{"token": "3", "logprob": 0.0}]},
            ]
        },
    ],
)
def test_a_reply_without_usable_logprobs_has_no_probabilities(reply_logprobs: object) -> None:
    assert grade_probs(reply_logprobs, 2, 4) is None


@pytest.mark.parametrize(
    "lead",
    [
        '"grade":',
        '"grade" : ',
        '"grade" : " ',
        '"grade"' + " " * 500 + ":" + "\n" * 500 + '"',
        '{ "grade":\t"',
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 10_000])
def test_the_grade_is_found_whatever_the_spaces_and_the_tokens(lead: str, size: int) -> None:
    tokens = [lead[start : start + size] for start in range(0, len(lead), size)]
    assert grade_probs(logprobs([*tokens, "2"], [("2", 1.0)]), 2, 4) == (0, 0, 1, 0)
    assert grade_probs(logprobs([*tokens, "x", "2"], [("2", 1.0)]), 2, 4) is None


@pytest.mark.parametrize("logprob", [-(10**299), float("-inf"), float("nan"), True, "0", None])
def test_a_log_probability_that_cannot_be_computed_counts_as_none(logprob: object) -> None:
    alternatives = [{"token": "2", "logprob": -0.1}, {"token": "1", "logprob": logprob}]
    content = [{"token": '{"grade": '}, {"token": "2", "top_logprobs": alternatives}]
    assert grade_probs({"content": content}, 2, 4) == (0, 0, 1, 0)
