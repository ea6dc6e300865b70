"""The wait that an endpoint asks for: in its headers, or in the words of its error.

What belongs here: seconds from any form of header and text. What does not: waiting, and stopping the run
for a wait that is too long (sending/attempts.py).
"""

import datetime as dt
import email.utils
import math
import re
import time
from collections.abc import Mapping

from relabel_assets.teacher.error_body import ServerError

_LONGEST_WAIT_S = 1e9  # 30 years, which no run waits for: the number stays short in messages
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNIT = r"ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?"
_PART = re.compile(rf"(\d+(?:\.\d+)?)\s*({_UNIT})(?![a-z])", re.IGNORECASE)
_DURATION = rf"(?:\d+(?:\.\d+)?\s*(?:{_UNIT})(?![a-z])[\s,]*(?:and\s+)?)+"
# "try again in 7h12m", "Please retry after 6 seconds", "will reset in 3 minutes"
_ASKED = re.compile(
    rf"(?:again|retry|wait|resets?)\s+(?:in|after|for|at least)?\s*(?:about\s+)?({_DURATION})",
    re.IGNORECASE,
)
# Members of errors: Google's RetryInfo, gateways', Hugging Face's while it loads a model.
_WAIT_MEMBERS = ("retryDelay", "retry_after", "retryAfter", "estimated_time")
_EPOCH_MS, _EPOCH_S = 1e11, 1e8  # a larger number is a moment: a wait of 3 years is none


def asked_wait_s(error: ServerError, headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `headers` (lower-case names), else by `error`; None if neither says so.

    Retry-After comes first, then the error's own words, then the moments at which a spent limit resets.

    >>> from relabel_assets.teacher.error_body import read_error
    >>> asked_wait_s(read_error("Please try again in 1m6.5s."), {})
    66.5
    >>> asked_wait_s(read_error(""), {"retry-after": "2"})
    2.0
    >>> limits = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7h12m"}
    >>> asked_wait_s(read_error(""), limits)
    25920.0
    """
    inner = {
        name.lower(): str(value)
        for node in error.nodes  # OpenRouter: metadata.headers
        if isinstance(node.get("headers"), Mapping)
        for name, value in node["headers"].items()
    }
    for wait_s in (
        retry_after_s(headers),
        retry_after_s(inner),
        _said_s(error),
        _reset_s({**inner, **headers}),
    ):
        if wait_s is not None:
            return wait_s
    return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by retry-after-ms or Retry-After (seconds, a duration or a date), or None.

    >>> retry_after_s({"retry-after": "2"}), retry_after_s({"retry-after-ms": "250"}), retry_after_s({})
    (2.0, 0.25, None)
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _within(milliseconds / 1000)
    return _wait_s(headers.get("retry-after", ""))


def _said_s(error: ServerError) -> float | None:
    """Seconds to wait by the error's words, or by a member of it, such as Google's RetryInfo.

    RetryInfo is about the minute: it says nothing where the quota of the day is spent.
    """
    if said := _ASKED.search(error.message):
        return duration_s(said[1])
    if is_daily(error):
        return None
    values = (str(node[name]) for node in error.nodes for name in _WAIT_MEMBERS if name in node)
    return next((wait for value in values if (wait := _wait_s(value)) is not None), None)


def is_daily(error: ServerError) -> bool:
    """Whether the quota of a day or a longer time is spent, not the one of a minute.

    >>> from relabel_assets.teacher.error_body import read_error
    >>> is_daily(read_error("Rate limit exceeded: free-models-per-day."))
    True
    """
    text = " ".join((error.own_words, *error.codes)).lower()
    return re.search(r"per[ -]?(?:day|week|month)|\bdaily\b|\bmonthly\b", text) is not None


def _reset_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limits that are spent reset, by x-ratelimit-reset-* and its siblings."""
    waits = []
    for name, value in headers.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        if _number(headers.get(name.replace("reset", "remaining"), "0")) == 0:
            waits.append(_wait_s(value))
    return max((wait for wait in waits if wait is not None), default=None)


def _wait_s(value: str) -> float | None:
    """Seconds from now by a number (seconds, or a moment in s or ms), a duration or a date."""
    number = _number(value)
    if number is not None:
        if number > _EPOCH_MS:
            number /= 1000
        return _within(number - time.time() if number > _EPOCH_S else number)
    if (seconds := duration_s(value)) is not None:
        return seconds
    moment = _moment(value)
    return None if moment is None else _within(moment - time.time())


def duration_s(text: str) -> float | None:
    """The seconds of a duration in words or in units; None for any other text.

    >>> duration_s("7h12m0.5s"), duration_s("34s"), duration_s("2 minutes and 5 seconds")
    (25920.5, 34.0, 125.0)
    >>> duration_s("soon") is None
    True
    """
    if not re.fullmatch(_DURATION, text.strip() + " ", re.IGNORECASE):
        return None
    parts = _PART.findall(text)
    units = ("ms" if unit.lower().startswith(("ms", "mil")) else unit[0] for _, unit in parts)
    return _within(
        sum(float(n) * _SECONDS[unit.lower()] for (n, _), unit in zip(parts, units, strict=True))
    )


def _moment(value: str) -> float | None:
    """The moment of an HTTP date or an ISO date, in seconds since 1970. Without a zone it is UTC."""
    for parse in (email.utils.parsedate_to_datetime, dt.datetime.fromisoformat):
        try:
            moment = parse(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _within(seconds: float) -> float:
    return min(max(0.0, seconds), _LONGEST_WAIT_S)
