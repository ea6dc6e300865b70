"""llama.cpp's server in its words: prompts above --ctx-size, replies that it cannot parse, templates.

third_party/test_llama_cpp.py asks the real server.
"""

from pathlib import Path

import pytest

from relabel_assets_tests.builders import assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.servers.worded_server import (
    Answer,
    Body,
    WordedServer,
    about,
    first_time,
    right_reply,
)

pytestmark = pytest.mark.slow  # a server


def completion(body: Body) -> Body:
    message = {"role": "assistant", "content": right_reply(body)}
    return {
        "choices": [{"finish_reason": "stop", "index": 0, "message": message}],
        "created": 1795771200,
        "model": "qwen3-8b-q4_k_m.gguf",
        "system_fingerprint": "b7062-9b17d74ab",
        "object": "chat.completion",
        "usage": {"completion_tokens": 22, "prompt_tokens": 840, "total_tokens": 862},
        "id": "chatcmpl-l1",
        "timings": {"cache_n": 610, "prompt_n": 230, "prompt_ms": 99.5, "predicted_n": 22},
    }


TOO_LONG = {
    "error": {
        "code": 400,
        "message": "request (2460 tokens) exceeds the available context size (2048 tokens), try "
        "increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 2460,
        "n_ctx": 2048,
    }
}
NO_FIT = {
    "error": {
        "code": 500,
        "message": "The model produced output that does not match the expected peg-native format",
        "type": "server_error",
    }
}
TEMPLATE = {
    "error": {
        "code": 500,
        "message": "Jinja Exception: System role not supported",
        "type": "server_error",
    }
}
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}


def test_llama_cpp_says_when_a_prompt_is_too_long(tmp_path: Path) -> None:
    server = WordedServer(completion, about("<title>Title 1</title>", 400, TOO_LONG))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok", "failed", "ok", "ok"]
        assert "context size (2048 tokens)" in labels["status_reason"][1]
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 4


@pytest.mark.parametrize(("status", "error"), [(500, NO_FIT), (503, LOADING)])
def test_llama_cpp_is_asked_again(status: int, error: Body, tmp_path: Path) -> None:
    with WordedServer(completion, first_time(status, error)).running() as server:
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok"] * 4
        assert_no_wrong_grade(labels, server)
        assert set(server.requests.values()) == {2}


def test_a_template_without_a_system_role_gets_one_message(tmp_path: Path) -> None:
    def renders(body: Body, nth: int) -> Answer | None:
        return (500, {}, TEMPLATE) if body["messages"][0]["role"] == "system" else None

    with WordedServer(completion, renders).running() as server:
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok"] * 4
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 5
