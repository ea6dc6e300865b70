"""Bodies of responses: encodings, and answers that arrive as a stream of events."""

import json
from typing import Any

import pytest

from relabel_assets.teacher.http.response_body import body_text, parse_body
from relabel_assets_tests.faults.teacher_server import chat_body


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_json_is_read_in_every_encoding_that_json_may_have(encoding: str) -> None:
    assert body_text('{"a": "\u00e9"}'.encode(encoding)) == '{"a": "\u00e9"}'


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\xff\xfe", b"\x00", b"\xfe\xff\xd8", bytes(range(256))]
)
def test_bytes_that_are_no_text_are_shown_as_some(content: bytes) -> None:
    assert isinstance(body_text(content), str)


def stream(*events: Any, end: str = "data: [DONE]\n\n") -> str:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + end


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}


WHOLE = (
    chunk(role="assistant", content=""),
    chunk(content='{"rationale": "r",'),
    chunk(content=' "grade": 2}'),
    chunk("stop"),
    {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 700, "completion_tokens": 20}},
)


@pytest.mark.parametrize(
    "text",
    [
        stream(*WHOLE),
        stream(*WHOLE).replace("\n", "\r\n"),
        stream(*WHOLE, end=""),  # some servers send no [DONE]
        ": keep-alive\n\n" + stream(*WHOLE),  # OpenRouter
        stream(*WHOLE).replace("data: ", "event: message\nid: 1\ndata:"),
        stream(chat_body('{"rationale": "r", "grade": 2}')),  # one event with the whole message
    ],
)
def test_a_stream_is_the_answer_that_it_makes_up(text: str) -> None:
    body = parse_body(text)
    assert body["choices"][0]["message"]["content"] == '{"rationale": "r", "grade": 2}'
    assert body["choices"][0]["finish_reason"] == "stop" and body["id"] == "chatcmpl-1"
    assert body["usage"]["prompt_tokens"] == 700


def test_log_probabilities_of_a_stream_are_joined() -> None:
    pieces = [chunk(content="2") for _ in range(2)]
    for number, piece in enumerate(pieces):
        piece["choices"][0]["logprobs"] = {"content": [{"token": str(number), "logprob": -0.1}]}
    (choice,) = parse_body(stream(*pieces))["choices"]
    assert [token["token"] for token in choice["logprobs"]["content"]] == ["0", "1"]


def test_an_error_in_a_stream_is_the_body() -> None:
    """Half a reply before it is no reply."""
    error = {"error": {"code": 502, "message": "provider down"}}
    assert parse_body(stream(WHOLE[1], error)) == error


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "data: hello\n\n",
        "data: 5\n\ndata: [DONE]\n\n",
        "data: [DONE]\n\n",
        ":\n\n",
        stream(*WHOLE[:2], end=""),  # it was cut: the rest may hold another grade
        'data: {"choices": [{"delta": {"content": "2"}}\n\n',
    ],
)
def test_anything_else_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):
        parse_body(text)


@pytest.mark.parametrize(
    "piece",
    [
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None}}]},
        {"choices": [{"delta": {"content": 5}}]},
        {"choices": [{"logprobs": {"content": 5}}]},
        {"choices": [5]},
        {"choices": 5},
        {"error": None},
    ],
)
def test_odd_pieces_add_nothing(piece: dict[str, Any]) -> None:
    body = parse_body(stream(piece, *WHOLE, piece))
    assert body["choices"][0]["message"]["content"] == '{"rationale": "r", "grade": 2}'


def test_of_a_member_that_occurs_twice_neither_is_kept() -> None:
    assert parse_body('{"choices": [1], "id": "a", "choices": [2]}') == {"id": "a"}
    delta = '{"delta": {"content": "1", "role": "r", "content": "2"}, "finish_reason": "stop"}'
    choice = {"message": {"role": "r"}, "finish_reason": "stop"}
    assert parse_body(f'data: {{"choices": [{delta}]}}\n\n') == {"choices": [choice]}
