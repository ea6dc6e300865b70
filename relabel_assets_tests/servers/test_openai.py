"""OpenAI: what reasoning models refuse, rate limits in words, refusals, prompts that are too long."""

from pathlib import Path

import pytest

from relabel_assets_tests.builders import assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.servers.worded_server import (
    Body,
    WordedServer,
    about,
    first_time,
    refuses,
    right_reply,
)

pytestmark = pytest.mark.slow  # a server


def completion(body: Body) -> Body:
    message = {
        "role": "assistant",
        "content": right_reply(body),
        "refusal": None,
        "annotations": [],
    }
    usage = {
        "prompt_tokens": 812,
        "completion_tokens": 152,
        "total_tokens": 964,
        "prompt_tokens_details": {"cached_tokens": 768, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0},
    }
    return {
        "id": "chatcmpl-D1",
        "object": "chat.completion",
        "created": 1795771200,
        "model": "o4-mini-2025-04-16",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def error(message: str, param: str | None = None, code: str | None = None) -> Body:
    kind = "invalid_request_error" if code != "rate_limit_exceeded" else "tokens"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


TEMPERATURE = error(
    "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value "
    "is supported.",
    "temperature",
    "unsupported_value",
)
LOGPROBS = error("You are not allowed to request logprobs from this model.")
RATE_LIMIT = error(
    "Rate limit reached for o4-mini in organization org-x on tokens per min (TPM): Limit 200000, Used "
    "199201, Requested 964. Please try again in 49ms. Visit "
    "https://platform.openai.com/account/rate-limits to learn more.",
    None,
    "rate_limit_exceeded",
)
TOO_LONG = error(
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 "
    "tokens. Please reduce the length of the messages.",
    "messages",
    "context_length_exceeded",
)


def test_openai_concedes_what_a_reasoning_model_refuses(tmp_path: Path) -> None:
    server = WordedServer(
        completion, refuses("temperature", 400, TEMPERATURE), refuses("logprobs", 403, LOGPROBS)
    )
    with server.running():
        labels = grade(tmp_path, server, make_pairs(6), is_logprobs=True)
        assert labels["status"].to_list() == ["ok"] * 6
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 6 + 2  # each concession costs one request of the run
        grade(tmp_path, server, make_pairs(6), is_logprobs=True)
        assert server.n_requests == 6 + 2


def test_openai_s_rate_limit_is_waited_for(tmp_path: Path) -> None:
    server = WordedServer(completion, first_time(429, RATE_LIMIT))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok"] * 4
        assert_no_wrong_grade(labels, server)
        assert set(server.requests.values()) == {2}


def test_openai_refuses_one_prompt_that_is_too_long(tmp_path: Path) -> None:
    server = WordedServer(completion, about("<title>Title 2</title>", 400, TOO_LONG))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(5))
        assert labels["status"].to_list() == ["ok", "ok", "failed", "ok", "ok"]
        assert "maximum context length is 8192" in labels["status_reason"][2]
        assert server.n_requests == 5


def test_openai_s_spent_quota_stops_the_run(tmp_path: Path) -> None:
    quota = error(
        "You exceeded your current quota, please check your plan and billing details.",
        None,
        "insufficient_quota",
    )
    with WordedServer(completion, lambda body, nth: (429, {}, quota)).running() as server:
        labels = grade(tmp_path, server, make_pairs(40))
        assert labels["status"].to_list() == ["failed"] * 40
        assert "quota" in labels["status_reason"][39] and server.n_requests == 1


def test_a_model_of_openai_refuses_one_pair(tmp_path: Path) -> None:
    def completion_or_refusal(body: Body) -> Body:
        answer = completion(body)
        if "<title>Title 1</title>" in body["messages"][-1]["content"]:
            answer["choices"][0]["message"] |= {
                "content": None,
                "refusal": "I can't help with that.",
            }
        return answer

    with WordedServer(completion_or_refusal).running() as server:
        labels = grade(tmp_path, server, make_pairs(3))
        assert labels["status"].to_list() == ["ok", "refused", "ok"]
        assert "I can't help with that." in labels["status_reason"][1]
        assert server.n_requests == 3
