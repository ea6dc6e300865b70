"""The ledger's lines on disk: a stable byte format, and parsing of foreign and torn lines."""

import json

import pytest

from relabel_assets.teacher.ledger import lines
from relabel_assets.teacher.ledger.lines import (
    Line,
    RequestMetadata,
    Response,
    read_line,
    read_start,
    request_line,
    response_line,
)
from relabel_assets.teacher.prices import Price

KEY = "0f" * 32
METADATA = RequestMetadata(
    "demo", "grading", "m", "host:8000", "text max_tokens", "2026-01-01T00:00:00.000+00:00"
)
BILLED = RequestMetadata(*vars(METADATA).values()).of_response(
    {"usage": {"prompt_tokens": 700, "completion_tokens": 20}}, Price(10.0, 50.0, 5.0), 0.5
)
REQUEST_ON_DISK = (
    '{"custom_id":"KEY","method":"POST","url":"/v1/chat/completions","relabel":{"corpus":"demo","purpose":"grading",'
    '"model":"m","endpoint":"host:8000","dialect":"text '
    'max_tokens","at":"2026-01-01T00:00:00.000+00:00"},'
    '"body":{"model":"m","messages":[{"role":"user","content":"é"}]}}\n'
).replace("KEY", KEY)
ANSWER_ON_DISK = (
    '{"custom_id":"KEY","id":"ID","relabel":{"status_code":200,"corpus":"demo","purpose":"grading","model":"m",'
    '"endpoint":"host:8000","dialect":"text '
    'max_tokens","at":"NOW","latency_s":0.5,"prompt_tokens":700,'
    '"completion_tokens":20,"cost_usd":0.008},"error":null,'
    '"response":{"status_code":200,"request_id":"req_1","body":{"choices":[]}}}\n'
).replace("KEY", KEY)
FAILURE_ON_DISK = (
    '{"custom_id":"KEY","id":"ID","relabel":{"status_code":null,"corpus":"demo","purpose":"grading","model":"m",'
    '"endpoint":"host:8000","dialect":"text max_tokens","at":"2026-01-01T00:00:00.000+00:00"},'
    '"error":{"code":"timeout","message":"no complete response within 60 s"},"response":null}\n'
).replace("KEY", KEY)


@pytest.fixture(autouse=True)
def one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    class Id:
        hex = "ID"

    monkeypatch.setattr(lines.uuid, "uuid4", Id)


def test_lines_have_a_stable_byte_format() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "é"}]}
    assert request_line(KEY, body, METADATA).decode() == REQUEST_ON_DISK
    answer = Response(200, {"choices": []}, request_id="req_1")
    assert response_line(KEY, answer, BILLED).decode() == ANSWER_ON_DISK.replace("NOW", BILLED.at)
    failure = Response(error_code="timeout", error_message="no complete response within 60 s")
    assert response_line(KEY, failure, METADATA).decode() == FAILURE_ON_DISK


def test_a_line_parses_back_and_its_start_has_all_fields_except_the_body() -> None:
    answer = Response(200, {"choices": []}, request_id="req_1")
    raw = response_line(KEY, answer, BILLED)
    assert read_line(raw) == Line(KEY, BILLED, answer)
    assert read_start(raw) == Line(KEY, BILLED, Response(200))
    failure = Response(error_code="timeout", error_message="late")
    assert read_start(response_line(KEY, failure, METADATA)) == Line(KEY, METADATA, failure)
    raw = request_line(KEY, {"model": "m"}, METADATA)
    assert read_line(raw) == Line(KEY, METADATA, request_body={"model": "m"})
    assert read_start(raw) == Line(KEY, METADATA)


@pytest.mark.parametrize(
    ("response", "is_answer", "outcome"),
    [
        (Response(200), True, "200"),
        (Response(299), True, "299"),
        (Response(199), False, "199"),
        (Response(300), False, "300"),
        (Response(error_code="connection"), False, "connection"),
        (Response(), False, "none"),
    ],
)
def test_an_answer_is_a_2xx(response: Response, is_answer: bool, outcome: str) -> None:
    assert (response.is_answer, response.outcome) == (is_answer, outcome)
    assert Line(KEY, METADATA, response).is_answer is is_answer
    assert not Line(KEY, METADATA).is_answer and Line(KEY, METADATA).is_request


@pytest.mark.parametrize(
    ("body", "price", "tokens", "usd"),
    [
        (
            {"usage": {"prompt_tokens": 700, "completion_tokens": 20}},
            Price(10.0, 50.0, 5.0),
            (700, 20),
            0.008,
        ),
        ({"usage": {"prompt_tokens": 700, "completion_tokens": 20}}, None, (700, 20), None),
        ({"usage": None}, Price(10.0, 50.0, 5.0), (None, None), None),
        ("<html>", Price(10.0, 50.0, 5.0), (None, None), None),
    ],
)
def test_a_response_is_billed_by_its_usage(
    body: object, price: Price | None, tokens: tuple[int | None, int | None], usd: float | None
) -> None:
    billed = BILLED.of_response(body, price)
    assert (billed.prompt_tokens, billed.completion_tokens, billed.cost_usd) == (*tokens, usd)
    assert billed.latency_s is None and billed.model == "m"


@pytest.mark.parametrize("n_kept", [1, 30, 70, 200, -2, -1])
def test_a_torn_line_is_not_a_line(n_kept: int) -> None:
    raw = response_line(
        KEY, Response(200, {"choices": [{"message": {"content": "x" * 300}}]}), METADATA
    )
    assert read_start(raw[:n_kept]) is None
    if n_kept != -1:  # only the newline is missing: the JSON is whole
        assert read_line(raw[:n_kept]) is None


@pytest.mark.parametrize(
    "value",
    [
        {"custom_id": 5},
        {"custom_id": "short", "response": {}},
        {"custom_id": KEY},
        {"custom_id": KEY, "method": "POST"},
        {"custom_id": KEY, "method": "POST", "body": "text"},
        [],
        None,
    ],
)
def test_foreign_json_is_not_a_line(value: object) -> None:
    assert read_line(json.dumps(value).encode()) is None


def test_members_of_a_wrong_type_are_left_out() -> None:
    relabel = {
        "corpus": 5,
        "model": "m",
        "latency_s": "fast",
        "prompt_tokens": True,
        "cost_usd": 0.5,
    }
    line = read_line(json.dumps({"custom_id": KEY, "relabel": relabel, "response": None}).encode())
    assert line == Line(KEY, RequestMetadata(model="m", cost_usd=0.5), Response())
    line_without_metadata = read_line(
        json.dumps({"custom_id": KEY, "relabel": 3, "response": {"status_code": "200"}}).encode()
    )
    assert line_without_metadata == Line(KEY, RequestMetadata(), Response())


def test_members_in_another_order_are_parsed() -> None:
    raw = (
        json.dumps({"response": {"status_code": 200, "body": 1}, "error": None, "custom_id": KEY})
        + "\n"
    ).encode()
    assert read_start(raw) == read_line(raw) == Line(KEY, RequestMetadata(), Response(200, 1))


def test_a_byte_order_mark_before_a_line_is_ignored() -> None:
    raw = response_line(KEY, Response(200, {"choices": []}), METADATA)
    assert read_start(b"\xef\xbb\xbf" + raw) == read_start(raw)
    assert read_line(b"\xef\xbb\xbf" + raw) == read_line(raw)


@pytest.mark.parametrize("value", [-1, 10**9 + 1, 0.5, True, "700", 10**400, 1e400])
def test_tokens_that_cannot_be_are_unknown(value: object) -> None:
    relabel = {"prompt_tokens": value, "completion_tokens": value}
    raw = json.dumps({"custom_id": KEY, "relabel": relabel, "response": None}).encode()
    line = read_line(raw)
    assert line is not None
    assert (line.metadata.prompt_tokens, line.metadata.completion_tokens) == (None, None)


@pytest.mark.parametrize(("n_deep", "is_read"), [(64, True), (65, False)])
def test_every_body_that_is_received_can_be_read_from_its_line(n_deep: int, is_read: bool) -> None:
    body = json.loads("[" * n_deep + "]" * n_deep)
    line = read_line(response_line(KEY, Response(200, body), METADATA))
    assert (line is not None) is is_read


def test_of_two_bodies_in_a_line_of_another_program_neither_is_read() -> None:
    raw = response_line(KEY, Response(200, {"choices": [1]}), RequestMetadata())
    raw = raw.replace(b'"choices":[1]', b'"choices":[1],"model":"m","choices":[2]')
    line = read_line(raw, is_strict=True)
    assert line is not None and line.response is not None and line.response.body == {"model": "m"}
