"""What to do about a response before anyone reads it: use it, try again, give the pair up, or stop.

What belongs here: the rules, on plain values. What does not: doing it (resources/sending.py), and what a usable reply
says (core/replies.py).
"""

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

REASON_LENGTH = 300

Action = Literal["use", "retry", "refused", "rejected", "denied", "exhausted"]


@dataclass(frozen=True)
class Verdict:
    """`action` is one of

    use        a 2xx with a body worth reading
    retry      the endpoint could not answer now: 408, 409, 425, 429, 5xx, no response, an error
               or something else than JSON inside a 2xx
    refused    the endpoint's content filter turned the request down
    rejected   the endpoint does not take this request: 400, 413, 422 and whatever else; trying again would not help
    denied     no key, no right, no such model or address: 401, 403, 404
    exhausted  the account has no money or quota left: 402, or a 429 that says so
    """

    action: Action
    reason: str | None = None
    is_down: bool = False  # speaks for an endpoint that is down, not for one that is busy
    retry_after_s: float | None = None


def judge(
    status_code: int | None, body: Any, *, error: str | None = None, headers: Mapping[str, str] | None = None
) -> Verdict:
    """The verdict on a response (`status_code`, `body`), or on the failure to get one (`error`)."""
    if status_code is None:
        return Verdict("retry", f"no response: {error}", is_down=True)
    code, message = error_of(body)
    reason = f"HTTP {status_code}" + (f": {message}" if message else "")
    if 200 <= status_code < 300 and isinstance(body, str):
        return Verdict("retry", f"HTTP {status_code} with a body that is not JSON")
    if 200 <= status_code < 300:
        is_error = isinstance(body, Mapping) and bool(body.get("error")) and not body.get("choices")
        return (
            Verdict("retry", f"an error inside HTTP {status_code}: {message or code}") if is_error else Verdict("use")
        )
    return _judge_error(status_code, code, reason, headers or {})


def _judge_error(status_code: int, code: str | None, reason: str, headers: Mapping[str, str]) -> Verdict:
    if status_code == 402 or (status_code == 429 and code in ("insufficient_quota", "billing_hard_limit_reached")):
        return Verdict("exhausted", reason)
    if status_code in (408, 409, 425, 429) or status_code >= 500:
        # llama.cpp answers 500 where the reply was cut and so does not fit the schema: that is this request's own
        is_about_reply = "model produced output" in reason.lower()
        is_down = status_code >= 500 and not is_about_reply
        return Verdict("retry", reason, is_down=is_down, retry_after_s=retry_after_s(headers))
    if status_code in (401, 403, 404):
        return Verdict("denied", reason)
    if code in ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"):
        return Verdict("refused", reason)
    return Verdict("rejected", reason)


def error_of(body: Any) -> tuple[str | None, str]:
    """(code, message) of an error body, in any of the shapes servers use; the message cut to REASON_LENGTH."""
    if isinstance(body, str):
        return None, " ".join(body.split())[:REASON_LENGTH]
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return None, error[:REASON_LENGTH]
    if not isinstance(error, Mapping):
        return None, ""
    code, message = error.get("code"), error.get("message") or error.get("detail") or ""
    return (code if isinstance(code, str) else None), " ".join(str(message).split())[:REASON_LENGTH]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from retry-after-ms or Retry-After (seconds or a date); None without either."""
    for name, seconds_per_unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * seconds_per_unit)
        except ValueError:
            continue
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError):
        return None
