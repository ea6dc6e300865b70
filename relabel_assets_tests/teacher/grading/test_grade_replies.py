"""Parsing a grade from a reply: strictly, with probabilities if the endpoint returns them."""

import math
from typing import Any

import pytest

from relabel_assets.teacher.grading.grade_replies import grade_reply_schema, read_grade
from relabel_assets_tests.faults.teacher_server import chat_body


def finished(reason: str, content: str) -> dict[str, Any]:
    """A response whose reply ended for `reason`."""
    body = chat_body(content)
    body["choices"][0]["finish_reason"] = reason
    return body


@pytest.mark.parametrize(
    ("content", "grade"),
    [
        ('{"rationale": "r", "grade": 2}', 2),
        ('{"grade": "3"}', 3),
        ('{"grade": 1.0, "rationale": null}', 1),
        ('Sure:\n```json\n{"rationale": "r", "grade": 0}\n```', 0),
        ('<think>maybe {"grade": 3}</think>{"grade": 1}', 1),
        ('maybe {"grade": 3}</think>{"grade": 1}', 1),
        ('{"rationale": "two\nlines", "grade": 1,}', 1),
        ('[{"rationale": "r", "grade": 2}]', 2),
        ('{"rationale": ["first", "second"], "grade": 2}', 2),
    ],
)
def test_a_valid_reply_is_parsed_into_its_grade(content: str, grade: int) -> None:
    reply = read_grade(chat_body(content), 4)
    assert (reply.status, reply.value.grade) == ("ok", grade)


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "  ",
        "<think>so</think>",
        '{"grade": "10"}',
        '{"grade": "-1"}',
        '{"grade": [1]}',
        '{"grade": NaN}',
        '{"grade": "1.0"}',
        '{"grade": ""}',
        "3",
        "three",
        '{"grade": 4}',
        '{"grade": -1}',
        '{"grade": true}',
        '{"grade": 1.5}',
        '{"grade": null}',
        "[3]",
        '{"grade": 1, "grade": 2}',
        'it says {"grade": 3} but {"grade": 0}',
        '{"rationale": "x", "grade"',
        "",
        '{"grade": 2, "rationale": 7}',
        '{"grade": 2, "rationale": ["a", 7]}',
        '{"score": 2}',
        "{" * 100_000,
        '{"grade": "two"}',
        '{"grade": 1e400}',
    ],
)
def test_any_other_reply_is_unparseable(content: object) -> None:
    reply = read_grade(chat_body(content), 4)
    assert (reply.status, reply.value) == ("unparseable", None)
    assert reply.reason


@pytest.mark.parametrize(
    "body", [None, [], "text", {}, {"choices": []}, {"choices": "no"}, {"choices": [{}]}]
)
def test_a_body_without_a_message_is_unparseable(body: object) -> None:
    assert read_grade(body, 4).status == "unparseable"


def test_a_refusal_and_a_cut_reply_have_no_grade() -> None:
    refused = read_grade(chat_body('{"grade": 2}', refusal="no"), 4)
    assert (refused.status, refused.value) == ("refused", None)
    cut = read_grade(finished("length", '{"grade": 2}'), 4)
    assert (cut.status, cut.value, cut.is_cut) == ("unparseable", None, True)


def test_reasoning_in_place_of_an_answer_needs_rationale_and_grade() -> None:
    whole = '{"rationale": "r", "grade": 2}'
    assert read_grade(chat_body(None, reasoning_content=whole), 4).value.grade == 2
    assert read_grade(chat_body(None, reasoning_content='{"grade": 2}'), 4).status == "unparseable"


def test_a_rationale_is_one_line_or_none() -> None:
    assert (
        read_grade(chat_body('{"grade": 2, "rationale": " a\\n b "}'), 4).value.rationale == "a b"
    )
    assert read_grade(chat_body('{"grade": 2, "rationale": " "}'), 4).value.rationale is None
    listed = read_grade(chat_body('{"grade": 2, "rationale": ["a", "b"]}'), 4)
    assert listed.value.rationale == "a b"


@pytest.mark.parametrize(
    ("content", "status"), [('{"grade": 1}', "ok"), ('{"grade": 2}', "unparseable")]
)
def test_a_grade_is_one_of_the_rubric(content: str, status: str) -> None:
    assert read_grade(chat_body(content), 2).status == status


def test_the_reason_names_an_invalid_grade_and_the_allowed_ones() -> None:
    reason = read_grade(chat_body('{"grade": 4}'), 4).reason
    assert reason == "'4' is not a grade: grades are whole numbers from 0 to 3"


def test_the_schema_allows_exactly_the_parsed_fields() -> None:
    schema = grade_reply_schema(3)
    assert schema["properties"]["grade"]["enum"] == [0, 1, 2]
    assert set(schema["required"]) == set(schema["properties"]) == {"grade", "rationale"}


def test_probabilities_come_with_the_grade() -> None:
    body = chat_body('{"grade": 2}')
    top = [{"token": "2", "logprob": math.log(0.75)}, {"token": "1", "logprob": math.log(0.25)}]
    tokens = [{"token": '{"grade": '}, {"token": "2", "top_logprobs": top}]
    body["choices"][0]["logprobs"] = {"content": tokens}
    assert read_grade(body, 4).value.grade_probs == pytest.approx((0.0, 0.25, 0.75, 0.0))
    body["choices"][0]["logprobs"] = {"content": [{"token": "other"}]}
    assert read_grade(body, 4).value.grade_probs is None
