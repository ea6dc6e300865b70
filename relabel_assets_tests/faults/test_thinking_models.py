"""Thinking models over real HTTP: their answers are read, and tokens that thoughts use up are named."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import (
    IMPATIENT,
    assert_no_wrong_grade,
    grade,
    make_config,
    make_pairs,
)
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import TeacherServer, chat_body, true_grade
from relabel_assets_tests.teacher.batch import batch_grading

pytestmark = pytest.mark.slow  # servers

SETTING = "raise teacher.max_completion_tokens"


def answer(grade: int) -> str:
    return json.dumps({"rationale": "because", "grade": grade})


def draft(grade: int) -> str:
    return f"At first sight it is {answer((grade + 1) % 4)}, but it has no date."


# name -> the response with the right grade; the draft before it has another one
MODELS: dict[str, Callable[[int], dict[str, Any]]] = {
    "DeepSeek-R1 behind a template with <think>": lambda grade: chat_body(
        f"{draft(grade)}\n</think>\n\n{answer(grade)}"
    ),
    "Qwen3": lambda grade: chat_body(f"<think>\n{draft(grade)}\n</think>\n\n{answer(grade)}"),
    "gpt-oss without a parser": lambda grade: chat_body(
        f"<|channel|>analysis<|message|>{draft(grade)}<|end|>"
        f"<|start|>assistant<|channel|>final<|message|>{answer(grade)}<|return|>"
    ),
    "Magistral at Mistral": lambda grade: chat_body(
        [
            {"type": "thinking", "thinking": [{"type": "text", "text": draft(grade)}]},
            {"type": "text", "text": answer(grade)},
        ]
    ),
    "vLLM with a parser": lambda grade: chat_body(answer(grade), reasoning_content=draft(grade)),
    "vLLM that takes the answer for reasoning": lambda grade: chat_body(
        None, reasoning_content=answer(grade)
    ),
    "OpenRouter": lambda grade: chat_body(answer(grade), reasoning=draft(grade)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_answer_of_a_thinking_model_is_its_grade(name: str, tmp_path: Path) -> None:
    server = TeacherServer()
    server.behave = lambda body: MODELS[name](true_grade(body))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(8))
        assert labels["status"].to_list() == ["ok"] * 8
        assert_no_wrong_grade(labels, server)
        assert set(server.requests.values()) == {1}


def test_a_draft_in_reasoning_is_never_a_grade(tmp_path: Path) -> None:
    server = TeacherServer()
    server.behave = lambda body: chat_body("", reasoning_content=draft(true_grade(body)))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(3))
    assert labels["status"].to_list() == ["unparseable"] * 3
    assert labels["grade"].to_list() == [None] * 3


def used_up(body: dict[str, Any]) -> dict[str, Any]:
    """Reasoning that took every token; it ends in the midst of a draft."""
    reply = chat_body("", reasoning_content=answer((true_grade(body) + 1) % 4))
    reply["choices"][0]["finish_reason"] = "length"
    return reply


def assert_stopped(labels: pl.DataFrame, notices: list[str], n_cut: int) -> None:
    cut = labels.filter(labels["status"] == "unparseable")
    assert cut.height == n_cut and cut["status_reason"].str.contains(SETTING).all()
    unsent = labels.filter(labels["status"] == "failed")
    assert unsent.height == labels.height - n_cut
    assert unsent["status_reason"].str.starts_with("not sent: every reply was cut").all()
    (notice,) = (notice for notice in notices if notice.startswith("stopped early"))
    assert "the model's reasoning used up 20 tokens" in notice and SETTING in notice


def test_a_live_run_in_which_every_reply_is_cut_stops_early(tmp_path: Path) -> None:
    server = TeacherServer()
    server.behave = used_up
    teacher = Teacher(tmp_path, retry_settings=IMPATIENT)
    with server.running():
        labels = teacher.grade(
            make_pairs(60),
            corpus="demo",
            config=make_config(server, max_concurrency=2),
            rubric=default_rubric(),
        )
        n_sent = sum(server.requests.values())
        assert n_sent <= 5 + 2  # five, and those in flight
        assert set(server.requests.values()) == {1}
    assert_stopped(labels, teacher.notices, n_sent)


def test_a_cut_reply_among_others_costs_its_pair_alone_in_each_run(tmp_path: Path) -> None:
    def behave(body: dict[str, Any]) -> dict[str, Any]:
        number = re.search(r"Title (\d+)", body["messages"][-1]["content"])
        assert number is not None
        return used_up(body) if int(number[1]) % 5 == 0 and int(number[1]) < 40 else good(body)

    server = TeacherServer()
    server.behave = behave
    with server.running():
        for n_run in (1, 2):
            labels = grade(tmp_path, server, make_pairs(40), max_concurrency=1)
            cut = labels.filter(labels["status"] != "ok")
            assert cut["status"].to_list() == ["unparseable"] * 8
            assert {server.requests[key] for key in cut["request_key"]} == {n_run}
        # Pairs that are new are graded, though all that are asked before them are cut.
        labels = grade(tmp_path, server, make_pairs(60), max_concurrency=1)
        assert set(labels["status"][40:]) == {"ok"}


def good(body: dict[str, Any]) -> dict[str, Any]:
    return chat_body(answer(true_grade(body)))


def test_a_batch_in_which_every_reply_is_cut_is_sent_once(tmp_path: Path) -> None:
    server = BatchServer(n_looks=1)
    server.answers_with = lambda grade: used_up({"messages": [{"content": "any"}]})
    with server.running():
        teacher = Teacher(tmp_path, retry_settings=batch_grading.IMPATIENT)
        labels = teacher.grade(
            make_pairs(12),
            corpus="demo",
            config=batch_grading.make_config(server.base_url),
            rubric=default_rubric(),
        )
        assert set(server.requests.values()) == {1} and len(server.requests) == 12
    assert_stopped(labels, teacher.notices, 12)


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_who_raises_the_limit_pays_for_the_cut_replies_alone(mode: str, tmp_path: Path) -> None:
    """The request is another one, with another key. A reply that was not cut would be the same."""
    pairs = make_pairs(10)
    if mode == "live":
        server, run = TeacherServer(), grade
        server.behave = lambda body: used_up(body) if is_first_of_five(body, 400) else good(body)
    else:
        server, run = BatchServer(n_looks=1), batch_grading.grade
        server.fate = lambda body, key, nth: "cut reply" if is_first_of_five(body, 400) else None
    with server.running():
        labels = run(tmp_path, server, pairs)
        assert labels["status"].value_counts().sort("count").rows() == [
            ("unparseable", 2),
            ("ok", 8),
        ]
        for limit in (2000, 2000, 400):
            raised = run(tmp_path, server, pairs, max_completion_tokens=limit)
            assert set(raised["status"]) == {"ok"}
            assert sum(server.requests.values()) == 12
        is_same = labels["status"] == "ok"
        assert raised.filter(is_same).equals(labels.filter(is_same))


def is_first_of_five(body: dict[str, Any], limit: int) -> bool:
    """Whether a request is about every fifth pair, with this limit or a lower one."""
    number = re.search(r"Title (\d+)", body["messages"][-1]["content"])
    assert number is not None
    return int(number[1]) % 5 == 0 and body["max_completion_tokens"] <= limit
