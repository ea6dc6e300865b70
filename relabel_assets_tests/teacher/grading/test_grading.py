"""Grading: the requests about a pair, and the row computed from their answers."""

import datetime as dt

import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.teacher.exchange import Exchange, ExchangeStatus
from relabel_assets.teacher.grading.grade_replies import GradeReply
from relabel_assets.teacher.grading.grading import (
    LABEL_SCHEMA,
    grading_messages,
    grading_requests,
    label_frame,
    n_requests_per_pair,
    teacher_label,
)
from relabel_assets.teacher.ledger.lines import Line, RequestMetadata, Response
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.requests import Request, request_key
from relabel_assets_tests.teacher.documents import PAIR

CONFIG = TeacherConfig()
REQUEST = Request("m", (), "s", {}, 0.0, 13, 100)


def answered(index: int, grade: int, **metadata: object) -> Exchange:
    """An exchange that was parsed as `grade`, with the metadata of its response."""
    line = Line(f"key{index}", RequestMetadata(**metadata), Response(200))  # type: ignore[arg-type]
    parsed = ParsedReply("ok", value=GradeReply(grade, f"because {grade}"))
    return Exchange(index, REQUEST, f"key{index}", "ok", None, 1, 0.01, line, parsed)


def unanswered(index: int, status: ExchangeStatus = "failed", reason: str = "HTTP 503") -> Exchange:
    return Exchange(index, REQUEST, f"key{index}", status, reason, 3, None)


def label(exchanges: list[Exchange], config: TeacherConfig = CONFIG) -> dict[str, object]:
    return teacher_label(PAIR, exchanges, config, prompt_hash="hash", n_grades=4)


def requests(config: TeacherConfig) -> list[Request]:
    return grading_requests(PAIR, grading_prompt(), default_rubric(), config)


# Requests


def test_there_is_one_request_for_every_model_and_vote() -> None:
    config = TeacherConfig(model="a", panel=["b", "c"], votes=2, seed=5)
    order = [(request.model, request.seed) for request in requests(config)]
    assert order == [("a", 5), ("a", 6), ("b", 5), ("b", 6), ("c", 5), ("c", 6)]
    assert len(order) == n_requests_per_pair(config)


def test_votes_have_different_keys_without_a_seed() -> None:
    votes = requests(TeacherConfig(votes=3, seed=None))
    assert len({request_key(request.body()) for request in votes}) == 3
    assert [request.seed for request in requests(TeacherConfig(seed=None))] == [None]


def test_a_request_has_the_settings_of_the_corpus() -> None:
    config = TeacherConfig(temperature=0.5, max_completion_tokens=77, is_logprobs=True)
    (request,) = requests(config)
    assert (request.temperature, request.max_completion_tokens) == (0.5, 77)
    assert request.is_logprobs
    assert request.schema["properties"]["grade"]["enum"] == [0, 1, 2, 3]


def test_a_long_query_is_cut_at_2000_characters() -> None:
    prompt = grading_prompt("user: '{{query}}|{{body}}|{{grades}}'")
    pair = {"text": "a\n" + "b" * 3000, "body": "short"}
    content = grading_messages(pair, prompt, default_rubric(), 50)[0]["content"]
    assert content.split("|")[0] == "a " + "b" * 1998 + " [...]"


def test_the_query_selects_the_passages_of_a_long_body() -> None:
    paragraphs = [f"Part {n} is about subject{n}. " + "filler " * 60 for n in range(30)]
    pair = {"text": "subject21", "body": "\n\n".join(paragraphs)}
    content = grading_messages(pair, grading_prompt(), default_rubric(), 400)[1]["content"]
    assert "subject21." in content and "subject9." not in content


# Rows


def test_a_readable_reply_is_a_grade() -> None:
    row = label([answered(0, 2)])
    assert (row["grade"], row["status"], row["status_reason"]) == (2, "ok", None)
    assert (row["query_id"], row["doc_id"], row["rationale"]) == ("q1", "d1", "because 2")
    assert (row["prompt_hash"], row["request_key"]) == ("hash", "key0")


@pytest.mark.parametrize("status", ["refused", "unparseable", "failed", "over_budget"])
def test_a_failed_exchange_has_a_reason_and_no_grade(status: ExchangeStatus) -> None:
    row = label([unanswered(0, status, "the reason")])
    assert (row["grade"], row["status"], row["status_reason"]) == (None, status, "the reason")
    assert [row["grade_probs"], row["expected_grade"], row["rationale"]] == [None] * 3


@pytest.mark.parametrize(
    ("n_readable", "n_unreadable", "status"),
    [
        (1, 1, "failed"),  # half of the replies is no consensus
        (2, 2, "failed"),
        (1, 2, "failed"),
        (0, 3, "failed"),
        (2, 1, "ok"),  # more than half is one
        (3, 2, "ok"),
    ],
)
def test_more_than_half_of_the_replies_must_be_readable(
    n_readable: int, n_unreadable: int, status: str
) -> None:
    n = n_readable + n_unreadable
    exchanges = [unanswered(index) for index in range(n_unreadable)]
    exchanges += [answered(index, 3) for index in range(n_unreadable, n)]
    row = label(exchanges)
    assert row["status"] == status
    assert row["grade"] == (3 if status == "ok" else None)


def test_the_reason_is_that_of_the_first_failed_request_with_a_count() -> None:
    exchanges = [answered(0, 3), unanswered(1, "refused", "the model refused"), unanswered(2)]
    row = label(exchanges)
    assert row["status"] == "refused"
    assert row["status_reason"] == "the model refused (1 of 3 replies could be read)"


def test_costs_tokens_and_attempts_include_all_requests() -> None:
    exchanges = [
        answered(0, 2, prompt_tokens=100, completion_tokens=10, latency_s=0.5),
        answered(1, 2, prompt_tokens=200, completion_tokens=30, latency_s=2.5),
        unanswered(2),
    ]
    row = label(exchanges, TeacherConfig(model="a", panel=["b"]))
    assert (row["prompt_tokens"], row["completion_tokens"], row["attempts"]) == (300, 40, 5)
    assert row["cost_usd"] == pytest.approx(0.02)
    assert row["latency_s"] == 2.5  # of the slowest: they are sent side by side
    assert row["teacher_model"] == "a + b"


def test_absent_measurements_are_null_and_not_zero() -> None:
    row = label([unanswered(0)])
    unknown = ("prompt_tokens", "completion_tokens", "cost_usd", "latency_s", "labeled_at")
    assert [row[name] for name in unknown] == [None] * 5


def test_a_pair_was_labeled_when_its_last_answer_came() -> None:
    moments = [
        "2026-01-31T10:00:00+00:00",
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T11:00:00+00:00",
    ]
    row = label([answered(index, 1, at=at) for index, at in enumerate(moments)])
    assert row["labeled_at"] == dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


def test_rows_become_the_columns_of_teacher_labels() -> None:
    frame = label_frame([label([answered(0, 2)]), label([unanswered(0)])])
    assert frame.schema == LABEL_SCHEMA
    assert frame["grade"].to_list() == [2, None]
    assert label_frame([]).columns == list(LABEL_SCHEMA)
