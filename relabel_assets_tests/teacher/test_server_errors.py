"""Errors in the words of real servers, each with its verdict and, if it is conceded, what is left out.

server_errors.jsonl and server_complaints.jsonl have the bodies as public bug reports and the servers' own
documentation quote them, one a line. A new one is a new line.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.teacher.requests import Dialect, Request, dialect_named
from relabel_assets.teacher.sending.complaints import weaker_dialect
from relabel_assets.teacher.verdict import judge

FOLDER = Path(__file__).parent
REQUEST = Request(
    "m",
    ({"role": "system", "content": "Grade."}, {"role": "user", "content": "leave"}),
    "s", {}, 0.0, 13, 100, is_logprobs=True,
)  # fmt: skip


def rows(file: str) -> dict[str, dict[str, Any]]:
    lines = (json.loads(line) for line in (FOLDER / file).read_text().splitlines())
    return {line["server"]: line for line in lines}


ERRORS, COMPLAINTS = rows("server_errors.jsonl"), rows("server_complaints.jsonl")


@pytest.mark.parametrize("server", ERRORS)
def test_each_servers_error_has_its_verdict(server: str) -> None:
    verdict = judge(ERRORS[server]["status"], ERRORS[server]["body"])
    assert verdict.action == ERRORS[server]["action"], verdict
    assert verdict.reason and verdict.reason.isprintable()


@pytest.mark.parametrize("server", COMPLAINTS)
def test_each_servers_complaint_is_conceded(server: str) -> None:
    verdict = judge(COMPLAINTS[server]["status"], COMPLAINTS[server]["body"])
    assert verdict.action in ("rejected", "malformed"), verdict
    weaker = weaker_dialect(Dialect(), verdict.reason or "", verdict.params, REQUEST.body())
    assert weaker == dialect_named(COMPLAINTS[server]["conceded"])


@pytest.mark.parametrize(
    ("message", "headers", "seconds"),
    [
        # OpenAI
        ("Please try again in 6ms.", {"retry-after-ms": "6"}, 0.006),
        # Groq: of the day, and nearly over
        (
            "on tokens per day (TPD): Used 97050. Please try again in 9m38.016s. Need more?",
            {},
            578.016,
        ),
        ("on requests per day (RPD). Please try again in 45s.", {}, 45),
        # Azure
        ("Requests have exceeded call rate limit. Please retry after 6 seconds.", {}, 6),
        # OpenAI and Groq, by header
        (
            "slow down",
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7h12m0.5s"},
            25_920.5,
        ),
    ],
)
def test_each_servers_wait_is_read(message: str, headers: dict[str, str], seconds: float) -> None:
    verdict = judge(429, {"error": {"message": message}}, headers=headers)
    assert verdict.action == "retry" and verdict.retry_after_s == pytest.approx(seconds)


def test_googles_wait_is_read_from_its_details() -> None:
    """Its words are those of a spent quota; it names the wait of the minute."""
    verdict = judge(429, ERRORS["Google, of the minute"]["body"])
    assert (verdict.action, verdict.retry_after_s) == ("retry", 34)


def test_openrouters_reset_of_the_day_is_a_wait_and_not_a_spent_account() -> None:
    error = json.loads(json.dumps(ERRORS["OpenRouter, of the day"]["body"]))
    reset_ms = round((time.time() + 18_000) * 1000)
    error["error"]["metadata"] = {"headers": {"X-RateLimit-Remaining": "0"}}
    error["error"]["metadata"]["headers"]["X-RateLimit-Reset"] = str(reset_ms)
    verdict = judge(429, error)
    assert verdict.action == "retry" and verdict.retry_after_s == pytest.approx(18_000, abs=5)


@pytest.mark.parametrize(
    ("body", "error", "code", "action", "words"),
    [
        # Azure's and vLLM's lines of results may have the error beside a response without a body.
        (None, "the prompt was blocked", "content_filter", "refused", "the prompt was blocked"),
        (None, "credit balance is too low", None, "exhausted", "credit balance is too low"),
        ({"error": "in the body"}, "beside it", "x", "rejected", "in the body"),
    ],
)
def test_an_error_beside_a_batchs_response_counts_where_its_body_has_none(
    body: Any, error: str, code: str | None, action: str, words: str
) -> None:
    verdict = judge(400, body, error=error, error_code=code)
    assert (verdict.action, verdict.reason) == (action, f"HTTP 400: {words}")


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("batch_expired", "retry"),
        ("content_filter", "refused"),
        ("insufficient_quota", "exhausted"),
    ],
)
def test_a_line_of_a_batch_without_a_response_has_the_verdict_of_its_error(
    code: str, action: str
) -> None:
    verdict = judge(None, None, error="why", error_code=code)
    assert verdict.action == action and verdict.is_down is (action == "retry")


def test_a_quoted_document_does_not_end_the_run() -> None:
    quote = "it has no credits, an insufficient balance, and was flagged; no system role per day"
    for mark in "'\"`":
        assert judge(400, {"error": f"cannot parse {mark}{quote}{mark}"}).action == "rejected"
        assert judge(429, {"error": f"busy with {mark}{quote}{mark}"}).action == "retry"
    assert judge(503, {"error": "busy with a document that has no credits"}).action == "retry"
