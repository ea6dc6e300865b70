"""The attempts of one request, end to end against a server on the loopback."""

import itertools
import re
import time
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.errors import TeacherError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.sending.retry_settings import RetrySettings
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, grade, make_config, make_pairs
from relabel_assets_tests.faults.teacher_server import (
    TeacherServer,
    error_body,
    good_reply,
    true_grade,
)

pytestmark = pytest.mark.slow  # servers and processes


@pytest.mark.parametrize(
    ("fault", "status", "n_asked"),
    [
        ("wrong schema", "unparseable", 2),  # the same twice
        ("cut reply", "unparseable", 1),
        ("500", "failed", 6),
        ("refusal", "refused", 1),
    ],
)
def test_the_number_of_retries_depends_on_the_kind_of_failure(
    fault: str, status: str, n_asked: int, tmp_path: Path
) -> None:
    with TeacherServer(lambda body, key, nth: fault).running() as server:
        (row,) = grade(tmp_path, server, make_pairs(1), max_retries=5).iter_rows(named=True)
        assert (row["status"], row["grade"]) == (status, None)
        assert row["attempts"] == sum(server.requests.values()) == n_asked


def test_billed_tokens_correct_the_estimated_tokens(tmp_path: Path) -> None:
    """Each reply is billed with 1,500 tokens; the limit allows ten of these a second."""
    times, n_pairs = [], 12

    def behave(body: dict[str, Any]) -> dict[str, Any]:
        times.append(time.monotonic())
        usage = {"prompt_tokens": 1_200, "completion_tokens": 300}
        return good_reply(true_grade(body)) | {"usage": usage}

    server = TeacherServer()
    server.behave = behave
    with server.running():
        before_s = time.monotonic()
        per_minute = 1_500 * 10 * 60
        grade(
            tmp_path, server, make_pairs(n_pairs), max_concurrency=1, tokens_per_minute=per_minute
        )
    assert times[-1] - before_s >= 0.9 * (n_pairs - 1) / 10


def test_a_billed_number_that_cannot_be_does_not_halt_sending(tmp_path: Path) -> None:
    server = TeacherServer()
    usage = {"prompt_tokens": 1_000_000_000, "completion_tokens": 1_000_000_000}
    server.behave = lambda body: good_reply(true_grade(body)) | {"usage": usage}
    with server.running():
        before_s = time.monotonic()
        grade(tmp_path, server, make_pairs(3), max_concurrency=1, tokens_per_minute=1_000_000)
    assert time.monotonic() - before_s < 30  # 3 hours at the billed number


QUOTA_SPENT = {
    "402": (402, {}, error_body("no credit left")),
    "insufficient_quota": (429, {}, error_body("check your plan", "insufficient_quota")),
    "billing_hard_limit_reached": (429, {}, error_body("limit", "billing_hard_limit_reached")),
}


@pytest.mark.parametrize("name", QUOTA_SPENT)
def test_a_spent_quota_stops_the_run_and_the_next_run_resumes(name: str, tmp_path: Path) -> None:
    server = TeacherServer(
        lambda body, key, nth: name if sum(server.requests.values()) > 20 else None
    )
    server.answers[name] = lambda grade: QUOTA_SPENT[name]
    with server.running():
        teacher = Teacher(tmp_path, retry_settings=IMPATIENT)
        labels = teacher.grade(
            make_pairs(200),
            corpus="demo",
            config=make_config(server, max_concurrency=4),
            rubric=default_rubric(),
        )
        requests = server.requests.copy()
        assert sum(requests.values()) <= 20 + 4  # those in flight when the first answer said so
        assert max(requests.values()) == 1  # and none of them again
        failed = labels.filter(labels["status"] == "failed")
        assert set(labels["status"]) == {"ok", "failed"} and len(failed) == 180
        assert failed["status_reason"].str.contains("quota or money is spent").sum() >= 176
        assert any("stopped early" in notice for notice in teacher.notices)
        server.choose = lambda body, key, nth: None
        assert set(grade(tmp_path, server, make_pairs(200))["status"]) == {"ok"}
        answered = labels.filter(labels["status"] == "ok")["request_key"]
        assert all(server.requests[key] == 1 for key in answered)


def test_a_busy_endpoint_does_not_stop_the_run(tmp_path: Path) -> None:
    with TeacherServer(lambda body, key, nth: "429" if nth <= 2 else None).running() as server:
        assert set(grade(tmp_path, server, make_pairs(20), max_retries=2)["status"]) == {"ok"}
        assert set(server.requests.values()) == {3}


def test_an_endpoint_that_asks_for_a_long_wait_stops_the_run(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "wait")
    server.answers["wait"] = lambda grade: (429, {"retry-after": "3600"}, error_body("tomorrow"))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(30), max_concurrency=1)
        assert sum(server.requests.values()) == 1
        assert set(labels["status_reason"]) == {
            "not sent: the endpoint asks to wait 1 h 00 min (HTTP 429: tomorrow)"
        }
    assert RetrySettings().longest_retry_after_s < 3600


def test_one_denial_fails_its_request_and_three_in_a_row_stop_the_run(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "404" if "document 5." in str(body) else None)
    server.answers["404"] = lambda grade: (404, {}, error_body("no such deployment"))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(10), max_concurrency=1)
        assert labels["status"].to_list() == ["ok"] * 5 + ["failed"] + ["ok"] * 4
        server.choose = lambda body, key, nth: "404"
        with pytest.raises(TeacherError, match="denies access"):
            grade(tmp_path, server, make_pairs(50), max_concurrency=1)
        assert server.requests.total() == 10 + 1  # nothing answered in this run: one is enough
        server.choose = lambda body, key, nth: "404" if server.requests.total() > 15 else None
        with pytest.raises(TeacherError, match="denies access"):
            grade(tmp_path, server, make_pairs(50), max_concurrency=1)
        assert server.requests.total() == 15 + 3  # three in a row


def test_ten_rejections_in_a_row_for_the_same_reason_stop_the_run(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "400" if refuses(str(body)) else None)
    server.answers["400"] = lambda grade: (400, {}, error_body(f"no, see incident {next(numbers)}"))
    numbers = itertools.count(1)
    with server.running():
        # Nine documents that this endpoint does not take cost themselves.
        refuses = re.compile(r"document [0-8]\.").search
        labels = grade(tmp_path, server, make_pairs(30), max_concurrency=1)
        assert labels["status"].to_list() == ["failed"] * 9 + ["ok"] * 21
        # Ten, and the run stops; the words are the same but for their numbers.
        refuses = re.compile("document").search
        labels = grade(tmp_path / "b", server, make_pairs(50), max_concurrency=1)
        assert (
            labels["status_reason"].str.contains("rejects every request: 10 in a row").sum() == 40
        )
        assert server.requests.total() == 30 + 10


def test_requests_that_were_rejected_before_do_not_keep_others_from_being_sent(
    tmp_path: Path,
) -> None:
    server = TeacherServer(lambda body, key, nth: "400" if refuses(str(body)) else None)
    server.answers["400"] = lambda grade: (400, {}, error_body("no"))
    refuses = re.compile(r"document 1?\d\.").search  # the first twenty
    with server.running():
        first = grade(tmp_path, server, make_pairs(30), max_concurrency=1)
        assert (first["status"] == "ok").sum() == 0
        for _ in range(2):
            labels = grade(tmp_path, server, make_pairs(30), max_concurrency=1)
        assert labels["status"].to_list() == ["failed"] * 20 + ["ok"] * 10


def test_different_reasons_do_not_stop_the_run(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "400")
    words = itertools.cycle(["too spicy", "too sweet", "too sour"])
    server.answers["400"] = lambda grade: (400, {}, error_body(next(words)))
    with server.running():
        labels = grade(tmp_path, server, make_pairs(27), max_concurrency=1)
        assert server.requests.total() == 27 and set(labels["status"]) == {"failed"}


def test_a_denial_names_the_address_and_what_it_lacks(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "404")
    server.answers["404"] = lambda grade: (404, {}, {"detail": "Not Found"})
    with server.running():
        address = f"http://127.0.0.1:{server.port}"
        server_of = {
            "http://user:secret-0123@": "/chat/completions",
            "http://": "/v1/chat/completions",
        }
        for start, path in server_of.items():
            base_url = address.replace("http://", start) + path.removesuffix("/chat/completions")
            with pytest.raises(TeacherError) as caught:
                grade(tmp_path, server, make_pairs(1), base_url=base_url)
            assert f"HTTP 404: Not Found. The request went to {address}{path}. " in str(
                caught.value
            )
            assert ("/v1 at its end" in str(caught.value)) is (path == "/chat/completions")
            assert "secret" not in str(caught.value)


def test_an_endpoint_that_is_down_is_named_with_its_address_and_the_reason(tmp_path: Path) -> None:
    with TeacherServer().running() as server:
        pass  # nobody listens there any more
    labels = grade(tmp_path, server, make_pairs(30), max_concurrency=2)
    reason = "connection refused: is the server running?"
    assert labels["status_reason"].str.contains(reason, literal=True).all()
    address = f"http://127.0.0.1:{server.port}/v1/chat/completions"
    down = labels["status_reason"].str.starts_with(
        f"not sent: the endpoint {address} is down (no resp"
    )
    assert down.sum() > 20


def test_an_endpoint_that_answers_with_pages_alone_ends_the_run(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "page" if is_hidden() else None)
    server.answers["page"] = lambda grade: (200, {}, "<html><title>Sign in</title></html>")
    with server.running():
        is_hidden = lambda: True  # noqa: E731
        with pytest.raises(
            TeacherError, match=r"not JSON: '<html><title>Sign in.*a login or a proxy"
        ):
            grade(tmp_path, server, make_pairs(20), max_concurrency=1)
        assert server.requests.total() == 10
        # Where it has answered, a challenge may pass: it is waited for as for an endpoint that is down.
        is_hidden = lambda: server.requests.total() > 20  # noqa: E731
        labels = grade(tmp_path, server, make_pairs(50), max_concurrency=1)
        assert (labels["status"] == "ok").sum() == 10
        assert labels["status_reason"].drop_nulls().str.contains("is down").sum() > 30
        is_hidden = lambda: 40 < server.requests.total() < 50  # noqa: E731
        labels = grade(tmp_path, server, make_pairs(50), max_concurrency=1, max_retries=20)
        assert set(labels["status"]) == {"ok"}
