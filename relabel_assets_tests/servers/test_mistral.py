"""Mistral: it takes no field that it does not know, and its reasoning comes in parts."""

from pathlib import Path

import pytest

from relabel_assets_tests.builders import assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.servers.worded_server import (
    Answer,
    Body,
    WordedServer,
    first_time,
    right_reply,
)

pytestmark = pytest.mark.slow  # a server

RATE_LIMIT = {
    "object": "error",
    "message": "Rate limit exceeded",
    "type": "rate_limited",
    "param": None,
    "code": "1300",
}


def completion(body: Body) -> Body:
    message = {"role": "assistant", "tool_calls": None, "content": right_reply(body)}
    return {
        "id": "cmpl-1",
        "created": 1795771200,
        "model": "mistral-small-latest",
        "usage": {"prompt_tokens": 850, "total_tokens": 875, "completion_tokens": 25},
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }


def forbids(body: Body, nth: int) -> Answer | None:
    """One error for all fields of a body that Mistral does not know."""
    extra = [name for name in ("seed", "max_completion_tokens", "logprobs") if name in body]
    details = [
        {
            "type": "extra_forbidden",
            "loc": ["body", name],
            "msg": "Extra inputs are not permitted",
            "input": body[name],
        }
        for name in extra
    ]
    message = {"detail": details}
    error = {"object": "error", "message": message, "type": "invalid_request_error"}
    return (422, {}, error | {"param": None, "code": None}) if extra else None


def test_mistral_names_every_field_at_once_and_all_are_conceded(tmp_path: Path) -> None:
    with WordedServer(completion, forbids).running() as server:
        labels = grade(tmp_path, server, make_pairs(6), is_logprobs=True)
        assert labels["status"].to_list() == ["ok"] * 6
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 7
        assert "max_tokens" in server.bodies[labels["request_key"][0]]


def test_mistral_s_rate_limit_and_magistral_s_thoughts_in_parts(tmp_path: Path) -> None:
    def magistral(body: Body) -> Body:
        answer = completion(body)
        draft = [{"type": "text", "text": 'Perhaps {"rationale": "a draft", "grade": 3}?'}]
        answer["choices"][0]["message"]["content"] = [
            {"type": "thinking", "thinking": draft},
            {"type": "text", "text": right_reply(body)},
        ]
        return answer

    server = WordedServer(magistral, forbids, first_time(429, RATE_LIMIT))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok"] * 4
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 1 + 2 * 4


def test_a_model_s_full_context_is_named(tmp_path: Path) -> None:
    def cut(body: Body) -> Body:
        answer = completion(body)
        if "<title>Title 1</title>" in body["messages"][-1]["content"]:
            answer["choices"][0] |= {
                "finish_reason": "model_length",
                "message": {"content": '{"rati'},
            }
        return answer

    with WordedServer(cut).running() as server:
        labels = grade(tmp_path, server, make_pairs(3))
        assert labels["status"].to_list() == ["ok", "unparseable", "ok"]
        assert server.n_requests == 3
