"""Odd ways to answer a grading request, of models and servers, each with what is right to make of it.

What belongs here: the bodies. What does not: running them (odd_answers.py), and what a server does over
several requests (odd_scenarios.py).
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from relabel_assets_tests.faults.teacher_server import chat_body, error_body

Response = tuple[
    int, dict[str, str], Any
]  # status, headers, body: str and bytes are sent as they are


class Mode(NamedTuple):
    """`make(grade)` is the response to a request with that right grade.

    `right` has the statuses that are right: ok where the grade can be read without doubt.
    """

    make: Callable[[int], Response]
    right: tuple[str, ...] = ("ok",)


NO_GRADE = ("unparseable", "refused", "failed")


def said(text: str, **message: Any) -> Response:
    return 200, {}, chat_body(text, **message)


def json_of(grade: Any, rationale: str = "because", **members: Any) -> str:
    return json.dumps({"rationale": rationale, "grade": grade, **members})


def other(grade: int) -> int:
    return (grade + 1) % 4


def choice(grade: int, **members: Any) -> Response:
    body = chat_body(json_of(grade))
    body["choices"][0] |= members
    return 200, {}, body


def usage(grade: int, value: Any) -> Response:
    return 200, {}, chat_body(json_of(grade)) | {"usage": value}


def streamed(grade: int) -> Response:
    """Server-sent events, though no stream was asked for."""
    text = json_of(grade)
    deltas = [{"role": "assistant"}, {"content": text[:9]}, {"content": text[9:]}, {}]
    chunks = [
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
        for delta in deltas
    ]
    chunks[-1]["choices"][0]["finish_reason"] = "stop"  # type: ignore[index]
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    return 200, {"x-content": "text/event-stream"}, f"{events}data: [DONE]\n\n"


def two_choices(first: int, second: int) -> Response:
    body = chat_body(json_of(first))
    body["choices"].append(chat_body(json_of(second))["choices"][0])
    return 200, {}, body


def nested(depth: int) -> Response:
    return said('{"rationale": ' + "[" * depth + "]" * depth + ', "grade": 3}')


def tool_call(grade: int) -> Response:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "grade", "arguments": json_of(grade)},
    }
    return 200, {}, chat_body(None, tool_calls=[call])


def thought_parts(grade: int) -> Response:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": json_of(other(grade))}]}
    return 200, {}, chat_body([thinking, {"type": "text", "text": json_of(grade)}])


# What can be read without doubt: every one of these is a grade, and the right one.
READABLE: dict[str, Mode] = {
    "plain": Mode(lambda g: said(json_of(g))),
    "code fence": Mode(lambda g: said(f"```json\n{json_of(g)}\n```")),
    "prose around it": Mode(lambda g: said(f"Sure! Here it is: {json_of(g)} I hope this helps.")),
    "<think> with a draft": Mode(
        lambda g: said(f"<think>Is it {json_of(other(g))}? No.</think>{json_of(g)}")
    ),
    "</think> without a beginning": Mode(
        lambda g: said(f"Is it {json_of(other(g))}? No.\n</think>\n{json_of(g)}")
    ),
    "two </think>": Mode(lambda g: said(f"a</think> hm {json_of(other(g))}</think>{json_of(g)}")),
    "channels of gpt-oss": Mode(
        lambda g: said(
            f"<|channel|>analysis<|message|>{json_of(other(g))}<|end|><|start|>assistant"
            f"<|channel|>final<|message|>{json_of(g)}"
        )
    ),
    "answer in reasoning_content": Mode(lambda g: said("", reasoning_content=json_of(g))),
    "answer in reasoning, content null": Mode(
        lambda g: (200, {}, chat_body(None, reasoning=f"So: {json_of(g)}"))
    ),
    "text in parts": Mode(lambda g: (200, {}, chat_body([{"type": "text", "text": json_of(g)}]))),
    "thoughts in parts": Mode(thought_parts),
    "arguments of a tool call": Mode(tool_call),
    "content is the object itself": Mode(
        lambda g: (200, {}, chat_body({"rationale": "r", "grade": g}))
    ),
    "only message.parsed": Mode(
        lambda g: (200, {}, chat_body(None, parsed={"rationale": "r", "grade": g}))
    ),
    "raw line break in a string": Mode(
        lambda g: said(f'{{"rationale": "first line\nsecond line", "grade": {g}}}')
    ),
    "raw tab in a string": Mode(lambda g: said(f'{{"rationale": "a\tb", "grade": {g}}}')),
    "comma after the last member": Mode(lambda g: said(f'{{"rationale": "r", "grade": {g},}}')),
    "grade as a string": Mode(lambda g: said(json_of(str(g)))),
    "grade as a fraction of zero": Mode(lambda g: said(json_of(float(g)))),
    "further members": Mode(lambda g: said(json_of(g, confidence=0.9, notes=["x"]))),
    "rationale null": Mode(lambda g: said(json.dumps({"rationale": None, "grade": g}))),
    "rationale with a brace": Mode(lambda g: said(json_of(g, rationale='says {"grade": 3}'))),
    "rationale of 1 MiB": Mode(lambda g: said(json_of(g, rationale="long " * 200_000))),
    "lone surrogate": Mode(
        lambda g: (200, {}, json.dumps(chat_body(json_of(g))).replace("because", "\\ud83d"))
    ),
    "NUL and escape sequences": Mode(
        lambda g: said(json_of(g, rationale="\x00\x1b[2J\x1b]0;title\x07"))
    ),
    "spaces before it, 100 kB": Mode(lambda g: said(" " * 100_000 + json_of(g))),
    "byte order mark": Mode(
        lambda g: (200, {}, b"\xef\xbb\xbf" + json.dumps(chat_body(json_of(g))).encode())
    ),
    "UTF-16": Mode(lambda g: (200, {}, json.dumps(chat_body(json_of(g))).encode("utf-16"))),
    "a stream of events": Mode(streamed),
    "usage null": Mode(lambda g: usage(g, None)),
    "usage as a list": Mode(lambda g: usage(g, [1])),
    "usage in strings": Mode(lambda g: usage(g, {"prompt_tokens": "7", "completion_tokens": "x"})),
    "usage of 400 digits": Mode(
        lambda g: usage(g, {"prompt_tokens": 10**400, "completion_tokens": 10**400})
    ),
    "usage below zero": Mode(lambda g: usage(g, {"prompt_tokens": -5, "completion_tokens": -1})),
    "usage with fractions": Mode(
        lambda g: usage(g, {"prompt_tokens": 7.5, "completion_tokens": 1e308})
    ),
    "logprobs of another form": Mode(lambda g: choice(g, logprobs={"tokens": [1], "content": "x"})),
    "finish_reason of another server": Mode(lambda g: choice(g, finish_reason="eos_token")),
    "no id, no model": Mode(
        lambda g: (200, {}, {"choices": chat_body(json_of(g))["choices"], "error": None})
    ),
    "the same choice twice": Mode(lambda g: two_choices(g, g)),
    "HTTP 201": Mode(lambda g: (201, {}, chat_body(json_of(g)))),
    "a list around it": Mode(lambda g: said(f"[{json_of(g)}]")),
    "JSON in a JSON string": Mode(lambda g: said(json.dumps(json_of(g)))),
    "tags around it": Mode(lambda g: said(f"<answer>{json_of(g)}</answer>")),
    "invisible characters around it": Mode(lambda g: said(f"\u200b{json_of(g)}\ufeff")),
    "escapes in a name": Mode(lambda g: said(f'{{"rationale": "r", "gr\\u0061de": {g}}}')),
    "an end of thoughts in the rationale": Mode(
        lambda g: said(json_of(g, rationale=f"</think> {json_of(other(g))}"))
    ),
    "rationale as a list": Mode(lambda g: said(json_of(g, rationale=["a", "b"]))),
    "error empty": Mode(lambda g: (200, {}, chat_body(json_of(g)) | {"error": ""})),
}
# What has no grade, or two: none of these is a grade.
UNREADABLE: dict[str, Mode] = {
    "two choices that differ": Mode(lambda g: two_choices(g, other(g)), NO_GRADE),
    "two objects": Mode(lambda g: said(f"Either {json_of(g)} or {json_of(other(g))}"), NO_GRADE),
    "a quotation, then cut": Mode(
        lambda g: said(f'It says {json_of(other(g))}, so: {{"rationale": "'), NO_GRADE
    ),
    "thoughts without an end": Mode(lambda g: said(f"<think>Maybe {json_of(other(g))}"), NO_GRADE),
    "a draft in reasoning alone": Mode(
        lambda g: said("", reasoning_content=f"Perhaps {json_of(other(g))}, but no."), NO_GRADE
    ),
    "an object in an object": Mode(lambda g: said(f'{{"result": {json_of(g)}}}'), NO_GRADE),
    "the answer to /api/chat": Mode(
        lambda g: (200, {}, {"message": {"content": json_of(g)}, "done": True}), NO_GRADE
    ),
    "the answer to /v1/completions": Mode(
        lambda g: (200, {}, {"choices": [{"text": json_of(g)}]}), NO_GRADE
    ),
    "too high": Mode(lambda g: said(json_of(7)), NO_GRADE),
    "below zero": Mode(lambda g: said(json_of(-1)), NO_GRADE),
    "a fraction": Mode(lambda g: said(json_of(1.5)), NO_GRADE),
    "true": Mode(lambda g: said(json_of(True)), NO_GRADE),
    "a word": Mode(lambda g: said(json_of("three")), NO_GRADE),
    "null": Mode(lambda g: said(json_of(None)), NO_GRADE),
    "a list of grades": Mode(lambda g: said(json_of([g])), NO_GRADE),
    "NaN": Mode(lambda g: said('{"rationale": "r", "grade": NaN}'), NO_GRADE),
    "1e999": Mode(lambda g: said('{"rationale": "r", "grade": 1e999}'), NO_GRADE),
    "5,000 digits": Mode(
        lambda g: said('{"rationale": "r", "grade": ' + "1" * 5000 + "}"), NO_GRADE
    ),
    "grade twice": Mode(
        lambda g: said(f'{{"grade": {other(g)}, "rationale": "r", "grade": {g}}}'), NO_GRADE
    ),
    "score in place of grade": Mode(
        lambda g: said(json.dumps({"rationale": "r", "score": g})), NO_GRADE
    ),
    "prose alone": Mode(lambda g: said(f"I would say {g} out of 3."), NO_GRADE),
    "nested 200,000 deep, in the text": Mode(lambda g: nested(200_000), NO_GRADE),
    "nested 200,000 deep, the body": Mode(
        lambda g: (200, {}, "[" * 200_000 + "]" * 200_000), NO_GRADE
    ),
    "empty": Mode(lambda g: said(""), NO_GRADE),
    "content null": Mode(lambda g: (200, {}, chat_body(None)), NO_GRADE),
    "no choices": Mode(lambda g: (200, {}, {"choices": []}), NO_GRADE),
    "choices null": Mode(lambda g: (200, {}, {"choices": None}), NO_GRADE),
    "no message": Mode(lambda g: (200, {}, {"choices": [{"index": 0}]}), NO_GRADE),
    "a refusal": Mode(
        lambda g: (200, {}, chat_body(None, refusal="I cannot help with that.")), NO_GRADE
    ),
    "content filter": Mode(lambda g: choice(g, finish_reason="content_filter"), NO_GRADE),
    "content_filter: SAFETY": Mode(
        lambda g: choice(g, finish_reason="content_filter: SAFETY"), NO_GRADE
    ),
    "cut at the token limit": Mode(
        lambda g: (200, {}, _finished(chat_body('{"rationale": "so lo'), "length")), NO_GRADE
    ),
    "all tokens spent on reasoning": Mode(
        lambda g: (200, {}, _finished(chat_body("", reasoning_content="hm " * 300), "length")),
        NO_GRADE,
    ),
    "16 MiB of spaces": Mode(lambda g: (200, {}, " " * 16 * 1024 * 1024), NO_GRADE),
    "a login page": Mode(lambda g: (200, {}, "<html><title>Sign in</title></html>"), NO_GRADE),
    "an empty body": Mode(lambda g: (200, {}, ""), NO_GRADE),
    "a JSON string": Mode(lambda g: (200, {}, json.dumps(json_of(g))), NO_GRADE),
    "a JSON list": Mode(lambda g: (200, {}, [chat_body(json_of(g))]), NO_GRADE),
    "an error in HTTP 200": Mode(lambda g: (200, {}, error_body("upstream failed")), NO_GRADE),
    "an error in the choice": Mode(
        lambda g: choice(g, finish_reason="error", error={"code": 502, "message": "upstream"}),
        NO_GRADE,
    ),
    "HTTP 204 without a body": Mode(lambda g: (204, {}, ""), NO_GRADE),
    "bytes that are no text": Mode(lambda g: (200, {}, b"\xff\x00\xfe" * 100), NO_GRADE),
}
MODES = READABLE | UNREADABLE


def _finished(body: dict[str, Any], reason: str) -> dict[str, Any]:
    body["choices"][0]["finish_reason"] = reason
    return body
