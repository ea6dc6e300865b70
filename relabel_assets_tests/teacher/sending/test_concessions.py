"""Concessions and waits over real HTTP, live and in batches: what a run does with a server's words."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, grade, make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import (
    ANSWERS,
    TeacherServer,
    error_body,
    good_reply,
    true_grade,
)
from relabel_assets_tests.teacher.batch import batch_grading

pytestmark = pytest.mark.slow  # servers on the loopback

Body = dict[str, Any]
BAD_GENERATION = {
    "error": {
        "message": "Failed to validate JSON. See 'failed_generation' for more details.",
        "code": "json_validate_failed",
        "failed_generation": '{"rationale": "so lo',
    }
}
JINJA = {"error": {"code": 500, "message": "Jinja Exception: System role not supported"}}


def server_that(answers: tuple[int, Body], refuses: Callable[[Body, int], bool]) -> TeacherServer:
    """A server that answers so each request that it refuses, by body and number of tries."""
    server = TeacherServer(lambda body, key, nth: "odd" if refuses(body, nth) else None)
    server.answers["odd"] = lambda grade: (answers[0], {}, answers[1])
    return server


def has_system(body: Body) -> bool:
    return any(message["role"] == "system" for message in body["messages"])


def format_of(body: Body) -> str | None:
    return body.get("response_format", {}).get("type")


def test_a_bad_generation_is_asked_for_again_within_the_run(tmp_path: Path) -> None:
    server = server_that((400, BAD_GENERATION), lambda body, nth: nth == 1)
    with server.running():
        labels = grade(tmp_path, server, make_pairs(5), max_concurrency=1)
    assert set(labels["status"]) == {"ok"} and set(server.requests.values()) == {2}
    assert {format_of(body) for body in server.bodies.values()} == {"json_schema"}


def test_a_model_that_never_fits_the_schema_is_asked_in_a_weaker_format(tmp_path: Path) -> None:
    server = server_that((400, BAD_GENERATION), lambda body, nth: format_of(body) == "json_schema")
    with server.running():
        labels = grade(tmp_path, server, make_pairs(5), max_concurrency=1)
    assert set(labels["status"]) == {"ok"}
    formats = [(format_of(server.bodies[key]), n) for key, n in server.requests.items()]
    assert formats == [("json_schema", 3)] + [("json_object", 1)] * 5


def test_a_bad_generation_of_a_model_that_fits_the_schema_costs_its_pair(tmp_path: Path) -> None:
    server = server_that((400, BAD_GENERATION), lambda body, nth: "document 3." in str(body))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(5), max_concurrency=1)
    assert labels["status"].to_list() == ["ok"] * 3 + ["unparseable", "ok"]
    assert sorted(server.requests.values()) == [1, 1, 1, 1, 3]
    assert "Failed to validate JSON" in labels["status_reason"][3]


def test_logprobs_that_are_forbidden_are_left_out(tmp_path: Path) -> None:
    forbidden = error_body("You are not allowed to request logprobs from this model")
    server = server_that((403, forbidden), lambda body, nth: "logprobs" in body)
    with server.running():
        labels = grade(tmp_path, server, make_pairs(4), max_concurrency=1, is_logprobs=True)
        assert set(labels["status"]) == {"ok"} and server.requests.total() == 5
        again = grade(tmp_path, server, make_pairs(4), is_logprobs=True)
        assert again.equals(labels) and server.requests.total() == 5


def test_a_server_without_a_system_role_gets_its_text_from_the_user(tmp_path: Path) -> None:
    server = server_that((500, JINJA), lambda body, nth: has_system(body))
    with server.running():
        teacher_labels = grade(tmp_path, server, make_pairs(4), max_concurrency=1)
        assert set(teacher_labels["status"]) == {"ok"} and server.requests.total() == 5
        folded = [body for body in server.bodies.values() if not has_system(body)]
        assert len(folded) == 4
        for body in folded:
            (message,) = body["messages"]
            assert message["content"].startswith("You grade how relevant")
            assert "<document>" in message["content"]
        # The next run knows, and what was answered so is not asked again.
        assert set(grade(tmp_path, server, make_pairs(6))["status"]) == {"ok"}
        assert server.requests.total() == 5 + 2


def test_two_refused_fields_cost_two_requests_at_most(tmp_path: Path) -> None:
    def refused(body: Body) -> list[str]:
        return [name for name in ("seed", "max_completion_tokens") if name in body]

    server = TeacherServer(lambda body, key, nth: "422" if refused(body) else None)
    detail = [{"loc": ["body", name], "msg": "extra"} for name in ("seed", "max_completion_tokens")]
    server.answers["422"] = lambda grade: (422, {}, {"detail": detail})
    with server.running():
        assert set(grade(tmp_path, server, make_pairs(4))["status"]) == {"ok"}
        assert server.requests.total() == 5
    bodies = list(server.bodies.values())
    assert all("max_tokens" in body and "seed" not in body for body in bodies[1:])


@pytest.mark.parametrize(
    ("status", "answer", "is_refused"),
    [
        (400, BAD_GENERATION, lambda body: format_of(body) == "json_schema"),
        (500, JINJA, has_system),
        (403, error_body("no logprobs for this model"), lambda body: "logprobs" in body),
    ],
)
def test_a_complaint_in_a_batchs_results_is_conceded_in_the_next_round(
    status: int,
    answer: Body,
    is_refused: Callable[[Body], bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ANSWERS, "odd", lambda grade: (status, {}, answer))
    server = BatchServer(lambda body, key, nth: "odd" if is_refused(body) else None, n_looks=1)
    with server.running():
        labels = batch_grading.grade(tmp_path, server, make_pairs(5), is_logprobs=True)
    assert set(labels["status"]) == {"ok"}
    batch_grading.assert_no_wrong_grade(labels, server)
    assert len(server.uploads) == (4 if answer is BAD_GENERATION else 2)


def test_a_short_wait_in_the_words_of_the_error_is_kept(tmp_path: Path) -> None:
    times = []
    server = TeacherServer(
        lambda body, key, nth: times.append(time.monotonic()) or "429" * (nth == 1)
    )
    server.answers["429"] = lambda grade: (429, {}, error_body("Please try again in 400ms."))
    with server.running():
        assert grade(tmp_path, server, make_pairs(1))["status"].to_list() == ["ok"]
    assert times[1] - times[0] >= 0.4


LONG = {
    "words": ({}, error_body("tokens per day (TPD): Limit 100000. Please try again in 7h12m0.5s.")),
    "header": ({"x-ratelimit-reset-requests": "7h12m"}, error_body("slow down")),
    "retry-after": ({"retry-after": "25920"}, error_body("slow down")),
}


@pytest.mark.parametrize("place", LONG)
def test_a_wait_of_hours_stops_the_run_and_says_how_long(place: str, tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "429")
    headers, body = LONG[place]
    server.answers["429"] = lambda grade: (429, headers, body)
    with server.running():
        labels = grade(tmp_path, server, make_pairs(50), max_concurrency=1)
    assert server.requests.total() == 1
    assert labels["status_reason"].str.contains("asks to wait 7 h 12 min", literal=True).all()


def test_a_spent_quota_of_the_day_stops_the_run(tmp_path: Path) -> None:
    per_day = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}
    error = {"code": 429, "message": "You exceeded your current quota", "details": [per_day]}
    server = TeacherServer(lambda body, key, nth: "429")
    server.answers["429"] = lambda grade: (429, {}, json.dumps([{"error": error}]))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(50), max_concurrency=1)
    assert server.requests.total() == 1
    assert labels["status_reason"][1:].str.contains("quota or money is spent").all()


def test_an_error_inside_a_choice_is_no_reply(tmp_path: Path) -> None:
    """Half a reply may look like a whole one."""
    server = TeacherServer(lambda body, key, nth: "broken" if nth == 1 else None)
    error = {"code": 502, "message": "Provider returned error", "metadata": {"raw": "reset"}}

    def broken(grade: int) -> tuple[int, dict[str, str], Body]:
        body = good_reply((grade + 1) % 4)
        body["choices"][0] |= {"error": error, "finish_reason": "error"}
        return 200, {}, body

    server.answers["broken"] = broken
    with server.running():
        labels = grade(tmp_path, server, make_pairs(4))
        assert set(labels["status"]) == {"ok"} and set(server.requests.values()) == {2}
        for row in labels.iter_rows(named=True):
            assert row["grade"] == true_grade(server.bodies[row["request_key"]])
        # Nor does a later run take it from the ledger.
        assert grade(tmp_path, server, make_pairs(4)).equals(labels)


def test_a_concession_is_said_once(tmp_path: Path) -> None:
    server = server_that((400, error_body("unknown field seed")), lambda body, nth: "seed" in body)
    with server.running():
        teacher = Teacher(tmp_path, retry_settings=IMPATIENT)
        config = batch_grading.make_config(server.base_url, mode="live")
        teacher.grade(make_pairs(9), corpus="demo", config=config, rubric=default_rubric())
    assert sum("does not take" in notice for notice in teacher.notices) == 1
