"""Ollama: it cuts prompts that are longer than its context, and says so by the tokens in usage alone."""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.errors import TeacherError
from relabel_assets.prompts.teacher_prompts import queries_prompt
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.report import observed_usage
from relabel_assets.teacher.queries.query_writer import write_queries
from relabel_assets.teacher.questions import QueryQuestions
from relabel_assets.teacher.requests import estimate_prompt_tokens
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import (
    IMPATIENT,
    assert_no_wrong_grade,
    grade,
    make_config,
    make_pairs,
)
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import good_reply
from relabel_assets_tests.servers.worded_server import (
    Body,
    WordedServer,
    long_pairs,
    refuses,
    right_reply,
)
from relabel_assets_tests.teacher.batch import batch_grading

pytestmark = pytest.mark.slow  # a server

NO_MODEL = {
    "error": {
        "message": 'model "llama3.2" not found, try pulling it first',
        "type": "not_found_error",
        "param": None,
        "code": None,
    }
}


def tokens_of(body: Body) -> int:
    """The tokens of a prompt in English: a fifth more than its words and marks."""
    text = " ".join(message["content"] for message in body["messages"])
    return round(1.2 * len(re.findall(r"\w+|[^\w\s]", text)))


def ollama(context: int, kept: Callable[[int], int]) -> Callable[[Body], Body]:
    """An Ollama with a context of so many tokens, that keeps `kept(context)` of a longer prompt.

    A model that reads the end of a prompt alone grades it wrong.
    """

    def completion(body: Body) -> Body:
        n_tokens, content = tokens_of(body), right_reply(body)
        if n_tokens > context:
            n_tokens = kept(context)
            content = re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 4), content)
        message = {"role": "assistant", "content": content}
        usage = {"prompt_tokens": n_tokens, "completion_tokens": 22, "total_tokens": n_tokens + 22}
        return {
            "id": "chatcmpl-312",
            "object": "chat.completion",
            "created": 1795771200,
            "model": body["model"],
            "system_fingerprint": "fp_ollama",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": usage,
        }

    return completion


CUTS = {
    "until 2025": lambda context: context,
    "since 2026": lambda context: context // 2 + 2,
}
CUT = "tokens of the prompt: raise its context (Ollama: OLLAMA_CONTEXT_LENGTH"


@pytest.mark.parametrize("kept", CUTS.values(), ids=CUTS)
def test_a_grade_of_a_prompt_that_ollama_cut_is_a_failure(
    kept: Callable[[int], int], tmp_path: Path
) -> None:
    pairs = pl.concat([make_pairs(20)[:4], long_pairs(20)[4:]])  # short documents come first
    server = WordedServer(ollama(2048, kept))
    with server.running():
        labels = grade(tmp_path, server, pairs)
        assert labels["status"].to_list() == ["ok"] * 4 + ["failed"] * 16
        assert all(CUT in reason for reason in labels["status_reason"][4:])
        assert_no_wrong_grade(labels, server)
        assert set(server.requests.values()) == {1}

        server.success = ollama(16_384, kept)  # OLLAMA_CONTEXT_LENGTH=16384
        labels = grade(tmp_path, server, pairs)
        assert labels["status"].to_list() == ["ok"] * 20
        assert_no_wrong_grade(labels, server)
        assert server.n_requests == 20 + 16


@pytest.mark.parametrize("kept", CUTS.values(), ids=CUTS)
def test_a_run_whose_prompts_are_all_cut_stops_early(
    kept: Callable[[int], int], tmp_path: Path
) -> None:
    with WordedServer(ollama(2048, kept)).running() as server:
        labels = grade(tmp_path, server, long_pairs(50), max_concurrency=2)
        assert labels["status"].to_list() == ["failed"] * 50
        assert "not sent: every reply was cut" in labels["status_reason"][49]
        assert CUT in labels["status_reason"][49]
        assert 5 <= server.n_requests <= 6


def test_a_prompt_that_ollama_cut_by_a_little_is_seen_by_the_exact_length(tmp_path: Path) -> None:
    """Then it has fewer words and marks than the context has tokens."""
    server = WordedServer(ollama(2048, CUTS["until 2025"]))
    with server.running():
        labels = grade(tmp_path, server, long_pairs(4, n_words=1100))
        assert labels["status"].to_list() == ["failed"] * 4
        assert all("exactly 2,048 tokens" in reason for reason in labels["status_reason"])
        assert server.n_requests == 4


def test_no_cut_grade_is_used_after_longer_prompts_were_read(tmp_path: Path) -> None:
    """Then the old count is no longer the largest one."""
    server, pairs = WordedServer(ollama(2048, CUTS["until 2025"])), long_pairs(60, n_words=1100)
    pairs = pl.concat([make_pairs(60)[:1], pairs.with_columns(body=pl.lit(pairs["body"][0]))[1:]])
    with server.running():
        labels = grade(tmp_path, server, pairs)
        assert labels["status"].to_list() == ["ok"] + ["failed"] * 59
        server.success = ollama(16_384, CUTS["until 2025"])
        for part in (pairs[:20], pairs):  # as a run that was stopped, and the next one
            labels = grade(tmp_path, server, part, max_concurrency=1)
            assert set(labels["status"]) == {"ok"}
            assert_no_wrong_grade(labels, server)
        assert server.n_requests == 60 + 59


def test_a_cut_prompt_in_a_batch_is_a_failure_and_not_sent_again(tmp_path: Path) -> None:
    server, pairs = BatchServer(), pl.concat([make_pairs(6)[:3], long_pairs(6)[3:]])
    server.answers_with = lambda grade: (
        good_reply(grade) | {"usage": {"prompt_tokens": 1026, "completion_tokens": 22}}
    )
    with server.running():
        labels = batch_grading.grade(tmp_path, server, pairs)
        assert labels["status"].to_list() == ["ok"] * 3 + ["failed"] * 3
        assert all(CUT in reason for reason in labels["status_reason"][3:])
        assert set(server.requests.values()) == {1}


def test_an_estimate_does_not_count_the_tokens_of_cut_prompts(tmp_path: Path) -> None:
    pairs = pl.concat([make_pairs(16)[:8], long_pairs(16)[8:]])
    with WordedServer(ollama(2048, CUTS["since 2026"])).running() as server:
        grade(tmp_path, server, pairs)
        observed = observed_usage(Ledger(tmp_path), "grading", ["fake"])["fake"]
        whole = [body for body in server.bodies.values() if tokens_of(body) <= 2048]
        estimated = sum(estimate_prompt_tokens(body) for body in whole)
        assert observed.n_replies == len(whole) == 8
        assert observed.token_ratio == sum(map(tokens_of, whole)) / estimated


def test_queries_about_a_cut_document_are_not_used(tmp_path: Path) -> None:
    documents = long_pairs(3).drop("query_id", "text")
    server = WordedServer(ollama(2048, CUTS["since 2026"]))
    with server.running():
        questions = QueryQuestions(
            documents, make_config(server), QueriesConfig(per_document=1), queries_prompt()
        )
        teacher = Teacher(tmp_path, retry_settings=IMPATIENT)
        written = write_queries(teacher, questions, corpus="demo")
        assert written.failed == {"failed": 3} and written.queries.is_empty()
        assert CUT in written.reasons["failed"]
        assert server.n_requests == 3


def test_a_model_that_was_not_pulled_is_named_before_more_is_sent(tmp_path: Path) -> None:
    with WordedServer(ollama(4096, CUTS["since 2026"])).running() as server:
        server.rules = (refuses("model", 404, NO_MODEL),)
        with pytest.raises(TeacherError, match="try pulling it first"):
            grade(tmp_path, server, make_pairs(20))
        assert server.n_requests == 1
