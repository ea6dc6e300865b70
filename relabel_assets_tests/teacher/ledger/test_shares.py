"""One response for several questions: what each of them has of it."""

from pathlib import Path
from typing import Any

import pytest

from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import (
    Line,
    RequestMetadata,
    Response,
    read_line,
    read_start,
    request_line,
    response_line,
)
from relabel_assets.teacher.ledger.report import report
from relabel_assets.teacher.ledger.shares import question_name, shares_of
from relabel_assets.teacher.requests import request_key

KEYS = tuple(f"{digit * 64}" for digit in "abc")
BUNDLE = "d" * 64


def answers_to(*keys: str) -> list[dict[str, Any]]:
    return [{"name": question_name(key), "type": "refusal", "of": key} for key in keys]


def metadata(**changes: Any) -> RequestMetadata:
    known = {"corpus": "demo", "purpose": "grading", "model": "m", "asked_together": KEYS}
    return RequestMetadata(**known | changes)


def line(answers: Any, **changes: Any) -> Line:
    return Line(BUNDLE, metadata(**changes), Response(200, {"answers": answers, "usage": 1}))


@pytest.mark.parametrize("tokens", [0, 1, 2, 3, 100, 101])
def test_shares_of_tokens_add_up_to_the_whole_and_are_nearly_equal(tokens: int) -> None:
    shares = shares_of(line([], prompt_tokens=tokens, completion_tokens=tokens))
    parts = [share.metadata.prompt_tokens for share in shares.values()]
    assert sum(parts) == tokens and max(parts) - min(parts) <= 1
    assert [share.metadata.completion_tokens for share in shares.values()] == parts


def test_shares_of_the_cost_are_equal_and_an_unknown_cost_stays_unknown() -> None:
    shares = shares_of(line([], cost_usd=0.3))
    assert [share.metadata.cost_usd for share in shares.values()] == [pytest.approx(0.1)] * 3
    assert {share.metadata.cost_usd for share in shares_of(line([])).values()} == {None}


def test_an_answer_finds_its_question_by_name_in_any_order() -> None:
    shares = shares_of(line(answers_to(*KEYS[::-1])))
    for key in KEYS:
        assert [answer["of"] for answer in shares[key].response.body["answers"]] == [key]


def test_a_question_without_an_answer_has_none_and_one_with_two_has_both() -> None:
    answers = answers_to(KEYS[0], KEYS[1], KEYS[1], "e" * 64)
    answers += [None, "text", {"name": None}, {"name": 7}, {}]
    counts = [len(share.response.body["answers"]) for share in shares_of(line(answers)).values()]
    assert counts == [1, 2, 0]


def unnamed(*numbers: int) -> list[dict[str, Any]]:
    return [{"type": "refusal", "number": number} for number in numbers]


def test_answers_without_any_name_are_in_the_order_of_the_questions() -> None:
    shares = shares_of(line(unnamed(1, 2, 3)))
    assert [share.response.body["answers"] for share in shares.values()] == [
        unnamed(1),
        unnamed(2),
        unnamed(3),
    ]


@pytest.mark.parametrize(
    "answers",
    [
        unnamed(1, 2),
        unnamed(1, 2, 3, 4),
        [*unnamed(1, 2), None],
        [*unnamed(1, 2), {"name": "other"}],
    ],
)
def test_unnamed_answers_are_nobodys_where_one_is_missing_or_another_has_a_name(
    answers: list[Any],
) -> None:
    shares = shares_of(line(answers))
    assert [share.response.body["answers"] for share in shares.values()] == [[], [], []]


@pytest.mark.parametrize("body", [None, "text", [], {"answers": None}, {"answers": {}}])
def test_a_body_without_answers_stays_whole(body: Any) -> None:
    whole = Line(BUNDLE, metadata(), Response(200, body))
    assert [share.response.body for share in shares_of(whole).values()] == [body] * 3


def test_the_line_of_a_chat_is_its_own_share() -> None:
    alone = line(answers_to(KEYS[0]), asked_together=())
    assert shares_of(alone) == {BUNDLE: alone}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    body = {"model": "m", "input": "a document", "questions": []}
    key = request_key(body)
    ledger = Ledger(tmp_path)
    paid = metadata(prompt_tokens=10, completion_tokens=2, cost_usd=0.3, dialect="decisions")
    failed, answered = Response(503, "busy"), Response(200, {"answers": answers_to(*KEYS[:2])})
    lines = [
        request_line(key, body, metadata(), "/v1/decisions"),
        response_line(key, failed, metadata()),
        request_line(key, body, metadata(), "/v1/decisions"),
        response_line(key, answered, paid),
    ]
    ledger.append("demo", lines)
    return ledger


def test_each_question_is_found_by_its_own_key(ledger: Ledger) -> None:
    for found in (ledger, Ledger(ledger.folder)):
        found.refresh()
        for key in KEYS:
            (answer,) = found.answers(key)
            assert answer.key == key and answer.metadata.n_asked_together == 3
            assert [each["of"] for each in answer.response.body["answers"]] == [key] * (
                key != KEYS[2]
            )
            history = found.history(key)
            assert history.attempts == 2 and history.cost_usd == pytest.approx(0.1)
        assert list(found.answers(BUNDLE)) == []


def test_a_request_for_several_questions_is_one_request(ledger: Ledger) -> None:
    counted = report(ledger, is_thorough=True)
    group = counted.groups["demo", "grading", "m"]
    assert (group.n_requests, group.n_responses, group.n_answers) == (2, 2, 1)
    assert (group.prompt_tokens, group.completion_tokens) == (10, 2)
    assert group.usd == pytest.approx(0.3) and ledger.spend("demo").usd == pytest.approx(0.3)
    assert (counted.problems, counted.unusable, counted.n_unasked) == ([], [], 0)


def test_a_line_keeps_the_keys_of_its_questions_also_where_only_its_start_is_read() -> None:
    raw = response_line(BUNDLE, Response(200, {"answers": []}), metadata())
    for parsed in (read_line(raw), read_start(raw)):
        assert parsed is not None and parsed.question_keys == KEYS


@pytest.mark.parametrize(
    "foreign", [["a" * 64, "a" * 64], ["a"], [7], "a" * 64, {"a" * 64: 1}, [["a" * 64]], [None]]
)
def test_a_list_of_keys_that_is_none_is_ignored(foreign: Any) -> None:
    raw = response_line(BUNDLE, Response(503), metadata(asked_together=foreign))
    parsed = read_line(raw)
    assert parsed is not None and parsed.question_keys == (BUNDLE,)
