"""The error in a body of any shape: codes, message, parameters, status."""

import json

import pytest

from relabel_assets.teacher.error_body import (
    MAX_MESSAGE,
    error_in_answer,
    read_error,
)

CHOICES = {"choices": [{"message": {"content": "x"}}]}


def error(code: object = None, message: str = "m") -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


RAW = json.dumps({"error": {"code": 400, "message": "no system", "status": "INVALID_ARGUMENT"}})
DETAIL = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "not permitted", "input": 13}
# name: (body, codes, message, params, status)
SHAPES = {
    "OpenAI": (
        {"error": {"message": "m", "type": "t", "param": "seed", "code": "c"}},
        ("c", "t"), "m", ("seed",), None,
    ),
    "Google's list": (
        [{"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}],
        ("RESOURCE_EXHAUSTED",), "m", (), 429,
    ),
    "OpenRouter, with the provider's JSON in a text": (
        {"error": {"message": "Provider returned error", "code": 400,
                   "metadata": {"raw": RAW, "provider_name": "Google"}}},
        ("INVALID_ARGUMENT",), "Provider returned error: no system", (), 400,
    ),
    "Azure": (
        {"error": {"message": "m", "param": "prompt", "code": "content_filter", "status": 400,
                   "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        ("content_filter", "ResponsibleAIPolicyViolation"), "m", ("prompt",), 400,
    ),
    "FastAPI, a text": ({"detail": "Not Found"}, (), "Not Found", (), None),
    "FastAPI, a list": (
        {"detail": [DETAIL, {**DETAIL, "loc": ["body", "messages", 0, "role"]}]},
        ("extra_forbidden",), "seed: not permitted: messages.0.role: not permitted",
        ("seed", "messages.0.role"), None,
    ),
    "Mistral, FastAPI's list inside": (
        {"object": "error", "message": {"detail": [DETAIL]}, "type": "invalid_request_error"},
        ("invalid_request_error", "extra_forbidden"), "seed: not permitted", ("seed",), None,
    ),
    "Anthropic": (
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ("error", "overloaded_error"), "Overloaded", (), None,
    ),
    "vLLM, flat": (
        {"object": "error", "message": "m", "type": "BadRequestError", "param": None, "code": 400},
        ("BadRequestError",), "m", (), 400,
    ),
    "vLLM, pydantic's list as Python": (
        {"object": "error", "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'x'}]"},
        (), "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'x'}]", ("seed",), None,
    ),
    "Ollama": ({"error": "model 'x' not found"}, (), "model 'x' not found", (), None),
    "flat": ({"message": "m", "id": "0f"}, (), "m", (), None),
    "flat, with detail": ({"message": "m", "detail": "d"}, (), "m: d", (), None),
    "a code as the error": (
        {"error": "invalid_token", "error_description": "The token expired"},
        (), "invalid_token: The token expired", (), None,
    ),
    "MiniMax": (
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        (), "insufficient balance", (), None,
    ),
    "Cloudflare": ({"success": False, "errors": [{"message": "m"}]}, (), "m", (), None),
    "a number as a text": (error("429"), ("429",), "m", (), 429),
    "a text": ("  plain\ntext ", (), "plain text", (), None),
    "JSON in a text": (json.dumps(error("c")), ("c",), "m", (), None),
    "texts in a list": ({"error": ["x y", "z w"]}, (), "x y: z w", (), None),
    "nothing": (None, (), "", (), None),
    "an empty error": ({"error": {}}, (), "", (), None),
    "a number": (5, (), "", (), None),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_each_servers_shape_is_read(name: str) -> None:
    body, *expected = SHAPES[name]
    told = read_error(body)
    assert [told.codes, told.message, told.params, told.status_code] == expected


@pytest.mark.parametrize("body", ["x" * 999, {"error": "x" * 999}, error(message="x" * 999)])
def test_a_long_message_is_cut(body: object) -> None:
    assert read_error(body).message == "x" * MAX_MESSAGE


@pytest.mark.parametrize("body", ["[" * 9_000, {"error": ["x"] * 9_000}, {"error": [[["x"]]] * 99}])
def test_a_body_without_an_end_costs_little(body: object) -> None:
    assert len(read_error(body).message) <= MAX_MESSAGE


def test_what_the_request_sent_is_no_message() -> None:
    """FastAPI repeats the refused value in `input`."""
    detail = [{"loc": ["body", "seed"], "msg": "no", "input": "the document on temperature"}]
    assert "temperature" not in read_error({"detail": detail}).message


def test_characters_that_act_on_a_terminal_are_shown_and_do_nothing() -> None:
    told = read_error(error("\x1b[2J", "red \x1b[31m\u202e"))
    assert told.codes == ("\\x1b[2J",) and told.message == "red \\x1b[31m\\u202e"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (CHOICES, None),
        ({**CHOICES, **error()}, None),  # it answered all the same
        ({**CHOICES, "message": "m"}, None),
        ({"choices": []}, None),
        ({"answers": [], "message": "m"}, None),
        ({}, None),
        ([], None),
        (None, None),
        ({**CHOICES, "error": None}, None),
        (error(), "m"),
        ({"choices": [], **error()}, "m"),
        ({"choices": None, "base_resp": {"status_msg": "m"}}, "m"),
        ([error()], "m"),
        ({"detail": "m"}, "m"),
        ({"object": "error", "message": "m"}, "m"),
        ({"message": "m", "code": 20012, "data": None}, "m"),
        # a provider that broke off a reply: the text may be half a reply
        ({"choices": [{"error": {"message": "m"}, "message": {"content": "{"}}]}, "m"),
        ({"choices": [{"finish_reason": "error"}], **error()}, "m"),
        ({"choices": [{"finish_reason": "error"}]}, "the provider broke off the reply"),
    ],
)
def test_an_error_inside_a_success_is_found_unless_there_is_an_answer(
    body: object, message: str | None
) -> None:
    told = error_in_answer(body)
    assert (None if told is None else told.message) == message


def test_a_message_of_another_api_is_an_answer_and_no_error() -> None:
    ollama = {"model": "m", "message": {"role": "assistant", "content": "{}"}, "done": True}
    assert error_in_answer(ollama) is None
    assert error_in_answer({"message": "no such model"}) is not None
