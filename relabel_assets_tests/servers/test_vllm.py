"""vLLM: it answers 400 to a prompt above max-model-len, and splits off reasoning."""

from pathlib import Path

import pytest

from relabel_assets_tests.builders import assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.servers.worded_server import (
    Body,
    WordedServer,
    about,
    refuses,
    right_reply,
)

pytestmark = pytest.mark.slow  # a server


def completion(body: Body) -> Body:
    message = {
        "role": "assistant",
        "reasoning_content": "Okay, the query asks ...",
        "content": f"\n\n{right_reply(body)}",
        "tool_calls": [],
    }
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "stop",
        "stop_reason": None,
    }
    return {
        "id": "chatcmpl-v1",
        "object": "chat.completion",
        "created": 1795771200,
        "model": "Qwen/Qwen3-8B",
        "choices": [choice],
        "usage": {
            "prompt_tokens": 860,
            "total_tokens": 1010,
            "completion_tokens": 150,
            "prompt_tokens_details": None,
        },
        "prompt_logprobs": None,
        "kv_transfer_params": None,
    }


def error(message: str) -> Body:
    return {
        "object": "error",
        "message": message,
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    }


TOO_LONG = error(
    "This model's maximum context length is 2048 tokens. However, you requested 2460 tokens (2060 in the "
    "messages, 400 in the completion). Please reduce the length of the messages or completion."
)
NO_SEED = error(
    "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted', "
    "'input': 13}]"
)


def test_vllm_says_when_a_prompt_is_too_long(tmp_path: Path) -> None:
    server = WordedServer(completion, about("<title>Title 1</title>", 400, TOO_LONG))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok", "failed", "ok", "ok"]
        assert "2048 tokens" in labels["status_reason"][1]
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 4  # no other dialect makes it shorter


def test_vllm_concedes_a_field_that_an_older_version_forbids(tmp_path: Path) -> None:
    with WordedServer(completion, refuses("seed", 400, NO_SEED)).running() as server:
        labels = grade(tmp_path, server, make_pairs(4))
        assert labels["status"].to_list() == ["ok"] * 4
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 5


def test_reasoning_that_vllm_s_length_ends_names_the_setting_and_stops_the_run(
    tmp_path: Path,
) -> None:
    def cut(body: Body) -> Body:
        answer = completion(body)
        answer["choices"][0] |= {"finish_reason": "length"}
        answer["choices"][0]["message"] |= {"content": None}
        return answer

    with WordedServer(cut).running() as server:
        labels = grade(tmp_path, server, make_pairs(60), max_concurrency=1)
        assert labels["status"].to_list() == ["unparseable"] * 5 + ["failed"] * 55
        assert "raise teacher.max_completion_tokens" in labels["status_reason"][59]
        assert server.n_requests == 5
