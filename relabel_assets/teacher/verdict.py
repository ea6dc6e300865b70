"""The verdict on a response by its status and errors, before its reply is parsed.

What belongs here: the rules, on plain values. What does not: what follows (decision.py), and
parsing the reply (replies.py).
"""

import email.utils
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from relabel_assets.intake.text import printable

MAX_MESSAGE = 300  # characters of an endpoint's message: its first sentences name the cause

_LONGEST_WAIT_S = 1e9  # 30 years, which no run waits for: the number stays short in messages

# Codes of errors (Response.error_code) that would not differ the next time.
UNUSABLE_REPLY = (
    "unusable_reply"  # above a limit: too long, nested too deep, packed in another format
)
REDIRECTED = "redirected"  # to another host

Action = Literal["use", "retry", "refused", "rejected", "denied", "exhausted", "unusable"]
_QUOTA_SPENT = ("insufficient_quota", "billing_hard_limit_reached")
_CONTENT_FILTER = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")
_BUSY = (408, 409, 425, 429)  # timeout, conflict, too early, too many requests
_DENIED = (401, 403, 404)  # no key, no right, no such model or address


@dataclass(frozen=True)
class Verdict:
    """The kind of a response. `action` is one of

    use        a 2xx with a reply to parse
    retry      the endpoint could not answer now: 408, 409, 425, 429, 5xx, no response, or a 2xx
               with an error or without JSON
    refused    the endpoint's content filter refused the request
    rejected   the endpoint does not accept this request: 400, 413, 422 and all other statuses;
               sending it again would not help
    denied     no key, no right, no such model or address: 401, 403, 404, a redirect to another host
    exhausted  the account has no money or quota left: 402, or a 429 that says so
    unusable   a reply above a limit, which is not parsed
    """

    action: Action
    reason: str | None = None
    is_down: bool = False  # a sign that the endpoint is down, not just busy
    retry_after_s: float | None = None


def judge(
    status_code: int | None,
    body: Any,
    *,
    error: str | None = None,
    error_code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Verdict:
    """The verdict on a response (`status_code`, `body`), or on the failure to get one (`error`).

    `error_code` is that of Response.

    >>> judge(200, {"choices": []}).action, judge(503, "").action, judge(401, None).action
    ('use', 'retry', 'denied')
    >>> judge(None, None, error="ReadTimeout")
    Verdict(action='retry', reason='no response: ReadTimeout', is_down=True, retry_after_s=None)
    """
    if error_code == UNUSABLE_REPLY:
        return Verdict("unusable", error)
    if error_code == REDIRECTED:
        return Verdict("denied", error)
    if status_code is None:
        return Verdict("retry", f"no response: {error}", is_down=True)
    if 200 <= status_code < 300:
        return _judge_success(status_code, body)
    return _judge_error(status_code, body, headers or {})


def _judge_success(status_code: int, body: Any) -> Verdict:
    if isinstance(body, str):
        return Verdict("retry", f"HTTP {status_code} with a body that is not JSON")
    if isinstance(body, Mapping) and body.get("error") and not body.get("choices"):
        code, message = error_of(body)
        return Verdict("retry", f"an error inside HTTP {status_code}: {message or code}")
    return Verdict("use")


def _judge_error(status_code: int, body: Any, headers: Mapping[str, str]) -> Verdict:
    code, message = error_of(body)
    reason = f"HTTP {status_code}" + (f": {message}" if message else "")
    if status_code == 402 or (status_code == 429 and code in _QUOTA_SPENT):
        return Verdict("exhausted", reason)
    if status_code in _BUSY:
        return Verdict("retry", reason, retry_after_s=retry_after_s(headers))
    if status_code >= 500:
        # llama.cpp answers 500 if a cut reply does not fit the schema. Then the endpoint is not down.
        is_down = "model produced output" not in reason.lower()
        return Verdict("retry", reason, is_down, retry_after_s(headers))
    if status_code in _DENIED:
        return Verdict("denied", reason)
    return Verdict("refused" if code in _CONTENT_FILTER else "rejected", reason)


def error_of(body: Any) -> tuple[str | None, str]:
    """(code, message) of an error body in any server's shape. The message is cut to MAX_MESSAGE.

    >>> error_of({"error": {"code": "rate_limit_exceeded", "message": "slow down"}})
    ('rate_limit_exceeded', 'slow down')
    >>> error_of("<html>bad gateway</html>")
    (None, '<html>bad gateway</html>')
    """
    if isinstance(body, str):
        return None, _cut(body)
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return None, _cut(error)
    if not isinstance(error, Mapping):
        return None, ""
    code, message = error.get("code"), error.get("message") or error.get("detail") or ""
    return (_cut(code) if isinstance(code, str) else None), _cut(str(message))


def _cut(message: str) -> str:
    return printable(" ".join(message.split())[:MAX_MESSAGE])


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by retry-after-ms or Retry-After (seconds or a date); None without either.

    >>> retry_after_s({"retry-after": "2"}), retry_after_s({"retry-after-ms": "250"}), retry_after_s({})
    (2.0, 0.25, None)
    """
    for name, seconds_per_unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * seconds_per_unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return min(max(0.0, seconds), _LONGEST_WAIT_S)
    try:
        moment = email.utils.parsedate_to_datetime(headers["retry-after"])
        return min(max(0.0, moment.timestamp() - time.time()), _LONGEST_WAIT_S)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
