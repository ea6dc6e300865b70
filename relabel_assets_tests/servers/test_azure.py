"""Azure: its key, its content filter, and its rate limit."""

from pathlib import Path

import pytest

from relabel_assets_tests.builders import KEY, assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer
from relabel_assets_tests.servers.worded_server import (
    Body,
    WordedServer,
    about,
    first_time,
    right_reply,
)

pytestmark = pytest.mark.slow  # a server

FILTERS = {"hate": {"filtered": False, "severity": "safe"}}
FILTERED = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content "
        "management policy. Please modify your prompt and retry.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
        },
    }
}
BUSY = {
    "error": {
        "code": "429",
        "message": "Requests to the ChatCompletions_Create Operation have exceeded call rate limit of your "
        "current AIServices S0 pricing tier. Please retry after 1 second.",
    }
}


def completion(body: Body) -> Body:
    choice = {
        "content_filter_results": FILTERS,
        "finish_reason": "stop",
        "index": 0,
        "logprobs": None,
        "message": {"content": right_reply(body), "refusal": None, "role": "assistant"},
    }
    return {
        "id": "chatcmpl-A1",
        "object": "chat.completion",
        "choices": [choice],
        "model": "gpt-4o-2024-11-20",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": FILTERS}],
        "usage": {"completion_tokens": 24, "prompt_tokens": 812, "total_tokens": 836},
    }


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a corpus, with a key in Azure's own variable."""
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    return {"api": "azure", "api_version": "2024-10-21", "model": "my-deployment"}


def root_of(server: TeacherServer) -> str:
    return server.base_url.removesuffix("/v1")


def test_azure_filters_one_prompt(tmp_path: Path, azure: dict[str, str]) -> None:
    server = WordedServer(completion, about("<title>Title 3</title>", 400, FILTERED))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(5), base_url=root_of(server), **azure)
        assert labels["status"].to_list() == ["ok", "ok", "ok", "refused", "ok"]
        assert "content management policy" in labels["status_reason"][3]
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 5


def test_azure_filters_one_reply(tmp_path: Path, azure: dict[str, str]) -> None:
    def completion_or_filter(body: Body) -> Body:
        answer = completion(body)
        if "<title>Title 0</title>" in body["messages"][-1]["content"]:
            answer["choices"][0] |= {"finish_reason": "content_filter", "message": {"content": ""}}
        return answer

    with WordedServer(completion_or_filter).running() as server:
        labels = grade(tmp_path, server, make_pairs(3), base_url=root_of(server), **azure)
        assert labels["status"].to_list() == ["refused", "ok", "ok"]
        assert server.n_requests == 3


def test_azure_s_rate_limit_is_waited_for(tmp_path: Path, azure: dict[str, str]) -> None:
    server = WordedServer(completion, first_time(429, BUSY, retry_after_ms="5"))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(3), base_url=root_of(server), **azure)
        assert labels["status"].to_list() == ["ok"] * 3
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 6
