"""Reading a grade: strictly, and with probabilities where the endpoint gives them."""

import json
import math

import pytest

from relabel_assets.teacher.replies import read_grade
from relabel_assets_tests.faults.teacher_server import chat_body


@pytest.mark.parametrize(
    ("content", "grade"),
    [
        ('{"rationale": "r", "grade": 2}', 2),
        ('{"grade": "3"}', 3),
        ('{"grade": 1.0, "rationale": null}', 1),
        ('Sure:\n```json\n{"rationale": "r", "grade": 0}\n```', 0),
        ('<think>maybe {"grade": 3}</think>{"grade": 1}', 1),
    ],
)
def test_a_grade_is_read(content: str, grade: int) -> None:
    reading = read_grade(chat_body(content), 4)
    assert (reading.status, reading.value.grade) == ("ok", grade)


@pytest.mark.parametrize(
    "content",
    [
        "3", "three", '{"grade": 4}', '{"grade": -1}', '{"grade": true}', '{"grade": 1.5}', '{"grade": null}', "[3]",
        '{"grade": 1, "grade": 2}', 'it says {"grade": 3} but {"grade": 0}', '{"rationale": "x", "grade"', "",
        '{"grade": 2, "rationale": 7}', '{"score": 2}', "{" * 100_000, '{"grade": "two"}', '{"grade": 1e400}',
    ],
)  # fmt: skip
def test_anything_else_is_never_a_grade(content: str) -> None:
    reading = read_grade(chat_body(content), 4)
    assert (reading.status, reading.value) == ("unparseable", None)
    assert reading.reason


@pytest.mark.parametrize("body", [None, [], "text", {}, {"choices": []}, {"choices": "no"}, {"choices": [{}]}])
def test_a_body_without_a_message_is_unparseable(body: object) -> None:
    assert read_grade(body, 4).status == "unparseable"


def test_refusals_are_told_from_failures() -> None:
    assert read_grade(chat_body(None, refusal="no"), 4).status == "refused"
    filtered = chat_body("")
    filtered["choices"][0]["finish_reason"] = "content_filter"
    assert read_grade(filtered, 4).status == "refused"


def test_probabilities_come_from_the_grades_own_token() -> None:
    content = '{"rationale": "2 of 3", "grade": 2}'
    body = chat_body(content)
    tokens = ['{"rationale": "', "2", " of ", "3", '", "grade": ', "2", "}"]
    top = [("2", 0.6), ("1", 0.3), ("x", 0.1)]
    alternatives = [{"token": token, "logprob": math.log(p)} for token, p in top]
    body["choices"][0]["logprobs"] = {"content": [{"token": token, "top_logprobs": alternatives} for token in tokens]}
    value = read_grade(body, 4).value
    assert value.grade_probs == pytest.approx((0.0, 1 / 3, 2 / 3, 0.0))
    assert value.expected_grade == pytest.approx(5 / 3)
    body["choices"][0]["logprobs"] = {"content": json.loads('[{"token": "other"}]')}
    assert read_grade(body, 4).value.grade_probs is None
