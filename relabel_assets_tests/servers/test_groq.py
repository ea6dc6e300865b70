"""Groq: it validates JSON itself, takes no log probabilities, and says how long to wait."""

from pathlib import Path

import pytest

from relabel_assets_tests.builders import assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.servers.worded_server import (
    Body,
    WordedServer,
    first_time,
    refuses,
    right_reply,
)

pytestmark = pytest.mark.slow  # a server


def completion(body: Body) -> Body:
    message = {"role": "assistant", "content": right_reply(body), "reasoning": "Let me see."}
    return {
        "id": "chatcmpl-g1",
        "object": "chat.completion",
        "created": 1795771200,
        "model": "openai/gpt-oss-20b",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "queue_time": 0.02,
            "prompt_tokens": 830,
            "prompt_time": 0.03,
            "completion_tokens": 60,
            "completion_time": 0.1,
            "total_tokens": 890,
            "total_time": 0.13,
        },
        "x_groq": {"id": "req_01"},
    }


def error(message: str, code: str | None = None, **members: str) -> Body:
    kind = "invalid_request_error" if code != "rate_limit_exceeded" else "tokens"
    return {"error": {"message": message, "type": kind, "code": code, **members}}


LOGPROBS = error("logprobs is not supported with this model")
BAD_JSON = error(
    "Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details.",
    "json_validate_failed",
    failed_generation='{"rationale": "It names grade: 3',
)


def limit(period: str, wait: str) -> Body:
    return error(
        "Rate limit reached for model `openai/gpt-oss-20b` in organization `org_01` service tier "
        f"`on_demand` on {period}: Limit 200000, Used 199500, Requested 890. Please try again in {wait}. "
        "Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing",
        "rate_limit_exceeded",
    )


def test_groq_concedes_log_probabilities(tmp_path: Path) -> None:
    with WordedServer(completion, refuses("logprobs", 400, LOGPROBS)).running() as server:
        labels = grade(tmp_path, server, make_pairs(5), is_logprobs=True)
        assert labels["status"].to_list() == ["ok"] * 5
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 6


def test_groq_s_bad_generation_is_asked_again_in_the_run(tmp_path: Path) -> None:
    with WordedServer(completion, first_time(400, BAD_JSON)).running() as server:
        labels = grade(tmp_path, server, make_pairs(5))
        assert labels["status"].to_list() == ["ok"] * 5
        assert_no_wrong_grade(labels, server)
        assert set(server.requests.values()) == {2}


def test_groq_s_wait_in_words_is_waited_for(tmp_path: Path) -> None:
    busy = limit("tokens per minute (TPM)", "7.5ms")
    with WordedServer(completion, first_time(429, busy)).running() as server:
        labels = grade(tmp_path, server, make_pairs(3))
        assert labels["status"].to_list() == ["ok"] * 3
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 6


def test_groq_s_limit_of_the_day_stops_the_run(tmp_path: Path) -> None:
    spent = limit("tokens per day (TPD)", "7h12m43.2s")
    with WordedServer(completion, lambda body, nth: (429, {}, spent)).running() as server:
        labels = grade(tmp_path, server, make_pairs(40))
        assert labels["status"].to_list() == ["failed"] * 40
        assert "7 h 12 min" in labels["status_reason"][39], labels["status_reason"][39]
        assert server.n_requests == 1
