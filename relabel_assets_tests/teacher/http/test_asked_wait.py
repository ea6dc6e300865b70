"""The wait that an endpoint asks for, in headers and in words."""

import datetime as dt
import email.utils
import time

import pytest

from relabel_assets.teacher.error_body import ServerError, read_error
from relabel_assets.teacher.http.asked_wait import (
    asked_wait_s,
    duration_s,
    is_daily,
    retry_after_s,
)

NOTHING = ServerError()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "2m30s"}, 150),
        ({"retry-after-ms": "20"}, 0.02),
        ({"retry-after-ms": "20", "retry-after": "9"}, 0.02),  # the finer one counts
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),  # is over
        ({"retry-after": "2015-10-21T07:28:00Z"}, 0),
        ({"retry-after": "2015-10-21T07:28:00"}, 0),
    ],
)
def test_retry_after_is_parsed_from_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


@pytest.mark.parametrize("form", ["http", "iso", "s", "ms"])
def test_a_moment_becomes_seconds(form: str) -> None:
    moment = time.time() + 100
    text = {
        "http": email.utils.formatdate(moment, usegmt=True),
        "iso": dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(),
        "s": f"{moment:.0f}",
        "ms": f"{moment * 1000:.0f}",
    }[form]
    waited = retry_after_s({"retry-after": text})
    assert waited is not None and 90 < waited <= 101


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("26.6ms", 0.0266),
        ("34s", 34),
        ("6m0s", 360),
        ("7h12m0.5s", 25_920.5),
        ("1d2h", 93_600),
        ("1 minute", 60),
        ("2 hours, 5 minutes and 3 seconds", 7_503),
        ("5 milliseconds", 0.005),
        ("20", None),
        ("7 hats", None),
        ("s", None),
        ("", None),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Limit 100000, Used 97050. Please try again in 9m38.016s. Need more tokens?", 578.016),
        ("on requests per day (RPD): Limit 200, Used 200. Please try again in 7m12s.", 432),
        ("Please retry after 6 seconds.", 6),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("Please wait 20 seconds and send it again", 20),
        ("Your limit resets in 3 hours", 10_800),
        ("Limit: 40000 / 10000s per minute", None),
        ("the document says 7h12m", None),
    ],
)
def test_the_wait_is_read_from_the_words_of_the_error(message: str, seconds: float | None) -> None:
    wait_s = asked_wait_s(read_error({"error": {"message": message}}), {})
    assert wait_s == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"error": "Model m is currently loading", "estimated_time": 20.5}, 20.5),  # Hugging Face
        ({"error": {"message": "slow down", "retry_after": 3}}, 3),
        ({"error": {"message": "slow down", "retryAfter": "3s"}}, 3),
        ({"error": {"message": "slow down", "retry_after": None}}, None),
        (
            {"error": {"message": "Limit reached. Please wait 41000 seconds before retrying."}},
            41_000,
        ),
    ],
)
def test_the_wait_may_be_a_member_of_the_error(body: object, seconds: float | None) -> None:
    assert asked_wait_s(read_error(body), {}) == seconds


def quota(quota_id: str, delay: str | None = "34s") -> ServerError:
    """Google's error of a spent quota."""
    details: list[dict[str, object]] = [
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaMetric": "requests", "quotaId": quota_id}],
        }
    ]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return read_error([{"error": {"code": 429, "message": "quota", "details": details}}])


def test_googles_retry_info_counts_for_a_quota_of_the_minute_alone() -> None:
    assert asked_wait_s(quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), {}) == 34
    daily = quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")
    assert is_daily(daily) and asked_wait_s(daily, {}) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        # The limit that is spent counts, not the one that is not.
        ({"x-ratelimit-remaining-tokens": "900", "x-ratelimit-reset-tokens": "9s"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s"}, 9),
        (
            {
                "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s",
                "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7h12m0.5s",
            },
            25_920.5,
        ),
        ({"x-ratelimit-reset-requests": "1m"}, 60),  # of an unknown rest
        ({"ratelimitbysize-reset": "34"}, 34),
        ({"retry-after": "2", "x-ratelimit-reset-requests": "7h"}, 2),  # Retry-After comes first
    ],
)  # fmt: skip
def test_the_reset_of_a_spent_limit_is_a_wait(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_wait_s(NOTHING, headers) == seconds


def test_a_gateway_repeats_the_headers_of_its_provider_in_the_body() -> None:
    reset_ms = round((time.time() + 5_000) * 1000)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset_ms)}
    error = read_error({"error": {"message": "m", "metadata": {"headers": headers}}})
    assert asked_wait_s(error, {}) == pytest.approx(5_000, abs=5)


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "9" * 400, "\ud800", "٣s", "1s" * 100])
def test_no_header_makes_an_endless_wait_or_an_exception(value: str) -> None:
    for name in ("retry-after", "retry-after-ms", "x-ratelimit-reset"):
        wait_s = asked_wait_s(NOTHING, {name: value})
        assert wait_s is None or 0 <= wait_s <= 1e9
