"""OpenRouter: errors inside a success, the words of the provider behind it, moderation, reasoning."""

from pathlib import Path
from typing import Any

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
        "reasoning": 'First I thought of {"grade": 3}.',
        "reasoning_details": [{"type": "reasoning.text", "text": "First ...", "index": 0}],
    }
    choice = {
        "finish_reason": "stop",
        "native_finish_reason": "STOP",
        "index": 0,
        "message": message,
    }
    return {
        "id": "gen-1",
        "provider": "Novita",
        "model": "qwen/qwen3-32b",
        "object": "chat.completion",
        "created": 1795771200,
        "choices": [choice],
        "usage": {
            "prompt_tokens": 840,
            "completion_tokens": 310,
            "total_tokens": 1150,
            "cost": 0.00012,
            "completion_tokens_details": {"reasoning_tokens": 280},
        },
    }


def error(code: int, message: str, **metadata: Any) -> Body:
    return {"error": {"message": message, "code": code, "metadata": metadata}, "user_id": "user_1"}


PROVIDER = {
    "code": 502,
    "message": "Provider returned error",
    "metadata": {"raw": "upstream reset"},
}
IN_CHOICE = {
    "id": "gen-2",
    "choices": [{"finish_reason": "error", "message": {"content": '{"rat'}, "error": PROVIDER}],
    "usage": {"prompt_tokens": 840, "completion_tokens": 3, "total_tokens": 843},
}
JSON_MODE = error(
    400,
    "Provider returned error",
    raw='{"error": {"code": 400, "message": "JSON mode is not enabled for models/gemma-3-27b-it", '
    '"status": "INVALID_ARGUMENT"}}',
    provider_name="Google AI Studio",
)
MODERATED = error(
    403,
    'openai/gpt-4o-mini requires moderation. Your input was flagged for "violence". No credits were '
    "charged.",
    reasons=["violence"],
    flagged_input="...",
    provider_name="OpenAI",
)


def test_openrouter_s_error_in_a_choice_is_asked_again(tmp_path: Path) -> None:
    with WordedServer(completion, first_time(200, IN_CHOICE)).running() as server:
        labels = grade(tmp_path, server, make_pairs(5))
        assert labels["status"].to_list() == ["ok"] * 5
        assert_no_wrong_grade(labels, server)
        assert set(server.requests.values()) == {2}


def test_the_words_of_openrouter_s_provider_are_a_concession(tmp_path: Path) -> None:
    with WordedServer(completion, refuses("response_format", 400, JSON_MODE)).running() as server:
        labels = grade(tmp_path, server, make_pairs(5))
        assert labels["status"].to_list() == ["ok"] * 5
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 5 + 2  # json_schema, json_object, text


def test_openrouter_s_moderation_costs_one_pair(tmp_path: Path) -> None:
    server = WordedServer(completion, about("<title>Title 2</title>", 403, MODERATED))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(5))
        assert labels["status"].to_list() == ["ok", "ok", "refused", "ok", "ok"]
        assert "flagged" in labels["status_reason"][2] and server.n_requests == 5


def test_openrouter_s_spent_credits_stop_the_run(tmp_path: Path) -> None:
    credits = error(402, "This request requires more credits, or fewer max_tokens.")
    with WordedServer(completion, lambda body, nth: (402, {}, credits)).running() as server:
        labels = grade(tmp_path, server, make_pairs(40))
        assert labels["status"].to_list() == ["failed"] * 40
        assert "more credits" in labels["status_reason"][39] and server.n_requests == 1
