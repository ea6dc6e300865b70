"""Gemini's OpenAI-compatible address: errors in a list, fields that it does not know, quotas of the day."""

from pathlib import Path
from typing import Any

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
    message = {"content": right_reply(body), "role": "assistant"}
    return {
        "choices": [{"finish_reason": "stop", "index": 0, "message": message}],
        "created": 1795771200,
        "id": "qUkoaZ",
        "model": "gemini-3.5-flash",
        "object": "chat.completion",
        # Thoughts are in the total alone.
        "usage": {"completion_tokens": 24, "prompt_tokens": 790, "total_tokens": 1214},
    }


def error(code: int, message: str, status: str, *details: Any) -> list[Body]:
    return [{"error": {"code": code, "message": message, "status": status, "details": details}}]


UNKNOWN_SEED = error(
    400,
    'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
    "INVALID_ARGUMENT",
    {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [
            {
                "description": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'
            }
        ],
    },
)


def quota(period: str, delay: str) -> list[Body]:
    return error(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "RESOURCE_EXHAUSTED",
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaId": f"GenerateRequestsPer{period}PerProjectPerModel-FreeTier"}],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    )


def test_gemini_concedes_the_seed_that_it_does_not_know(tmp_path: Path) -> None:
    with WordedServer(completion, refuses("seed", 400, UNKNOWN_SEED)).running() as server:
        labels = grade(tmp_path, server, make_pairs(6))
        assert labels["status"].to_list() == ["ok"] * 6
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 7


def test_gemini_s_quota_of_the_minute_is_waited_for(tmp_path: Path) -> None:
    with WordedServer(completion, first_time(429, quota("Minute", "0.01s"))).running() as server:
        labels = grade(tmp_path, server, make_pairs(3))
        assert labels["status"].to_list() == ["ok"] * 3
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 6


def test_gemini_s_quota_of_the_day_stops_the_run(tmp_path: Path) -> None:
    server = WordedServer(completion, lambda body, nth: (429, {}, quota("Day", "34s")))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(40))
        assert labels["status"].to_list() == ["failed"] * 40
        assert "quota" in labels["status_reason"][39] and server.n_requests == 1


def test_gemini_filters_one_reply_and_thinks_too_long_about_another(tmp_path: Path) -> None:
    def odd_completion(body: Body) -> Body:
        answer, prompt = completion(body), body["messages"][-1]["content"]
        if "<title>Title 1</title>" in prompt:
            answer["choices"] = [
                {"finish_reason": "content_filter: SAFETY", "index": 0, "message": {}}
            ]
        if "<title>Title 2</title>" in prompt:
            message = {"role": "assistant"}
            answer["choices"] = [{"finish_reason": "length", "index": 0, "message": message}]
            answer["usage"] = {"completion_tokens": 0, "prompt_tokens": 790, "total_tokens": 1190}
        return answer

    with WordedServer(odd_completion).running() as server:
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok", "refused", "unparseable", "ok"]
        assert "SAFETY" in labels["status_reason"][1]
        assert "teacher.max_completion_tokens" in labels["status_reason"][2]
        assert server.n_requests == 4  # what is cut would be cut again
