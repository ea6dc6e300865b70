"""Anthropic's compatible address and gateways to it: no response format, tokens of the cache apart."""

from pathlib import Path

import pytest

from relabel_assets_tests.builders import assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.servers.worded_server import (
    Body,
    WordedServer,
    first_time,
    long_pairs,
    right_reply,
)

pytestmark = pytest.mark.slow  # a server


def completion(body: Body) -> Body:
    """It takes response_format, and does not follow it."""
    content = f"Here is my assessment:\n\n```json\n{right_reply(body)}\n```"
    message = {"role": "assistant", "content": content}
    return {
        "id": "msg_01X",
        "object": "chat.completion",
        "model": "claude-sonnet-4-5",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 840, "completion_tokens": 40, "total_tokens": 880},
    }


def error(kind: str, message: str) -> Body:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_01"}


NO_SYSTEM = error(
    "invalid_request_error",
    'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not '
    '"system" as an input message role.',
)
CREDIT = error(
    "invalid_request_error",
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade "
    "or purchase credits.",
)


def test_anthropic_ignores_the_format_and_its_prose_is_read(tmp_path: Path) -> None:
    server = WordedServer(completion, first_time(529, error("overloaded_error", "Overloaded")))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok"] * 4
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 8


def test_a_gateway_without_a_system_role_gets_its_text_from_the_user(tmp_path: Path) -> None:
    def has_system(body: Body, nth: int) -> tuple[int, dict[str, str], Body] | None:
        roles = [message["role"] for message in body["messages"]]
        return (400, {}, NO_SYSTEM) if "system" in roles else None

    with WordedServer(completion, has_system).running() as server:
        labels = grade(tmp_path, server, make_pairs(5))
        assert labels["status"].to_list() == ["ok"] * 5
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 6
        (message,) = server.bodies[labels["request_key"][0]]["messages"]
        assert message["role"] == "user" and "You grade how relevant" in message["content"]


def test_tokens_of_the_cache_are_counted_apart_and_no_prompt_is_taken_for_cut(
    tmp_path: Path,
) -> None:
    def cached(body: Body) -> Body:
        n_tokens = sum(len(message["content"]) for message in body["messages"]) // 4
        usage = {"prompt_tokens": 300, "cache_read_input_tokens": n_tokens - 300}
        return completion(body) | {"usage": usage | {"completion_tokens": 40}}

    with WordedServer(cached).running() as server:
        labels = grade(tmp_path, server, long_pairs(4))
        assert labels["status"].to_list() == ["ok"] * 4
        assert_no_wrong_grade(labels, server)


def test_anthropic_s_spent_credit_stops_the_run(tmp_path: Path) -> None:
    with WordedServer(completion, lambda body, nth: (400, {}, CREDIT)).running() as server:
        labels = grade(tmp_path, server, make_pairs(40))
        assert labels["status"].to_list() == ["failed"] * 40
        assert "credit balance" in labels["status_reason"][39] and server.n_requests == 1
