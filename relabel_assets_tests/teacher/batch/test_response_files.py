"""Importing response files: answers with their cost, repeated answers, foreign lines."""

import json
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.errors import TeacherError
from relabel_assets.teacher.batch.request_files import AskedLog
from relabel_assets.teacher.batch.response_files import ImportResult, import_responses
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.prices import Price
from relabel_assets_tests.builders import numbered_request
from relabel_assets_tests.faults.teacher_server import good_reply

PRICE = Price(10.0, 10.0, 10.0)  # 720 tokens a reply: 0.0072 USD
KEYS = [numbered_request(number).key for number in range(4)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "ledger")
    AskedLog(ledger, "demo", "grading", "host").record([numbered_request(0), numbered_request(1)])
    AskedLog(ledger, "other", "queries", "host").record([numbered_request(2)])
    return ledger


def response(key: str, grade: int = 2, status: int = 200) -> dict[str, Any]:
    body = {
        "status_code": status,
        "request_id": "r",
        "body": good_reply(grade) if status == 200 else {},
    }
    return {"custom_id": key, "id": "b", "error": None, "response": body}


def take(
    ledger: Ledger, tmp_path: Path, *values: object, price: Price | None = PRICE
) -> ImportResult:
    file = tmp_path / "results.jsonl"
    raws = [
        value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"
        for value in values
    ]
    file.write_bytes(b"".join(raws))
    return import_responses(ledger, [file], lambda corpus, model: price)


def test_responses_go_to_the_corpus_that_asked_with_their_cost(
    ledger: Ledger, tmp_path: Path
) -> None:
    result = take(
        ledger, tmp_path, response(KEYS[0]), response(KEYS[2], 1), response(KEYS[1], status=500)
    )
    assert (result.n_answers, result.n_failures, result.problems) == (2, 1, [])
    assert result.usd == pytest.approx(2 * 0.0072)
    assert ledger.spend("demo").usd == ledger.spend("other").usd == pytest.approx(0.0072)
    (line,) = ledger.answers(KEYS[2])
    assert (line.metadata.corpus, line.metadata.purpose, line.metadata.latency_s) == (
        "other",
        "queries",
        None,
    )
    assert line.response.body == good_reply(1) and line.response.request_id == "r"


def test_a_repeated_answer_counts_once_and_a_new_answer_or_failure_counts(
    ledger: Ledger, tmp_path: Path
) -> None:
    first = response(KEYS[0])
    result = take(
        ledger, tmp_path, first, first, response(KEYS[0], 3), response(KEYS[0], status=500)
    )
    assert (result.n_answers, result.n_known, result.n_failures) == (2, 1, 1)
    result = take(ledger, tmp_path, first, response(KEYS[0], status=500))
    assert (result.n_answers, result.n_known, result.n_failures) == (0, 1, 1)
    assert ledger.history(KEYS[0]).attempts == 4


@pytest.mark.parametrize(
    ("value", "message", "n_unknown"),
    [
        (b'{"custom_id": "', "torn", 0),
        (b"hello\n", "torn", 0),
        ({"custom_id": "short", "response": {}}, "torn", 0),
        ({"custom_id": KEYS[0], "method": "POST", "body": {}}, "a request", 0),
        (
            {"custom_id": KEYS[0], "response": None, "error": None},
            "neither a status nor an error",
            0,
        ),
        (response(KEYS[3]), "no such request", 1),
    ],
)
def test_a_foreign_line_is_left_out_and_its_neighbours_are_imported(
    value: object, message: str, n_unknown: int, ledger: Ledger, tmp_path: Path
) -> None:
    last = (
        [value]
        if isinstance(value, bytes) and not value.endswith(b"\n")
        else [value, response(KEYS[1])]
    )
    result = take(ledger, tmp_path, response(KEYS[0]), b"\n", *last)
    (problem,) = result.problems
    assert problem.line == 3 and message in str(problem)
    assert (result.n_answers, result.n_unknown) == (len(last), n_unknown)


def test_without_a_price_tokens_are_counted_and_dollars_are_not(
    ledger: Ledger, tmp_path: Path
) -> None:
    result = take(ledger, tmp_path, response(KEYS[0]), price=None)
    assert result.usd == 0.0 and ledger.spend("demo").unpriced == {"m": (700, 20)}


def test_more_lines_than_one_flush_are_imported(ledger: Ledger, tmp_path: Path) -> None:
    requests = [numbered_request(number) for number in range(100, 1301)]
    AskedLog(ledger, "demo", "grading", "host").record(requests)
    result = take(ledger, tmp_path, *(response(one.key) for one in requests))
    assert result.n_answers == 1201
    assert all(list(ledger.answers(one.key)) for one in requests)


def test_a_missing_responses_file_is_an_error(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match=r"nowhere.jsonl cannot be read"):
        import_responses(ledger, [tmp_path / "nowhere.jsonl"], lambda corpus, model: None)
