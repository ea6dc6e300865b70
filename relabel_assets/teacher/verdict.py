"""The verdict on a response by its status and errors, before its reply is parsed.

What belongs here: the rules, on plain values. What does not: finding the error in a body
(error_body.py), what follows (decision.py), and parsing the reply (replies.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from relabel_assets.teacher.error_body import ServerError, cut, error_in_answer, read_error
from relabel_assets.teacher.http.asked_wait import asked_wait_s, is_daily

# Codes of errors (Response.error_code) that would not differ the next time.
UNUSABLE_REPLY = (
    "unusable_reply"  # above a limit: too long, nested too deep, packed in another format
)
REDIRECTED = "redirected"  # to another host
UNREACHABLE = "unreachable"  # an untrusted certificate, http for https: the address or its settings

Action = Literal[
    "use",
    "retry",
    "malformed",
    "refused",
    "rejected",
    "denied",
    "unreachable",
    "exhausted",
    "unusable",
]
_BUSY = (408, 409, 425, 429)  # timeout, conflict, too early, too many requests
_PAGE_START = 60  # characters of a page that is no JSON: its title, mostly
_FINAL_5XX = (501, 505)  # the server has no such function, or no such HTTP
# No key, no right, no such model or address: wrong key, proxy or path. 410: a model that is gone.
_DENIED = (401, 403, 404, 405, 407, 410)

# Codes of servers, in lower case. They count wherever a server puts them, also within its message.
_FILTERED = (
    "content_filter", "contentfilter", "content_policy_violation", "responsibleaipolicyviolation",
    "flagged_input", "data_inspection_failed", "datainspectionfailed", "invalid_prompt",
    "prohibited_content", "moderation_blocked",
)  # fmt: skip
_MALFORMED = ("json_validate_failed", "failed_generation", "output_parse_failed")
_SPENT = (
    "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance",
    "exceeded_current_quota_error", "insufficient_user_quota", "insufficient_credits", "arrearage",
    "credit_balance_too_low", "spend_limit_exceeded",
)  # fmt: skip
_NO_ACCESS = (
    "invalid_api_key", "api_key_invalid", "authentication_error", "model_not_found", "invalid_model",
    "model_decommissioned", "deploymentnotfound", "unsupported_country_region_territory",
)  # fmt: skip

# Words of servers that have no code for it.
_FILTERED_WORDS = re.compile(
    r"content (?:management|filtering) policy|content exists risk|usage (?:guidelines|polic)|"
    r"(?:was|been) flagged",
    re.IGNORECASE,
)
_MALFORMED_WORDS = re.compile(
    r"model produced (?:output|invalid)|generated json does not match|"
    r"failed to (?:generate|validate) json",
    re.IGNORECASE,
)
_SPENT_WORDS = re.compile(
    r"credit balance is too low|insufficient (?:account )?(?:balance|credit|funds)|"
    r"balance is (?:insufficient|not enough)|account [^.]{0,40}suspended|spending limit|"
    r"(?:any|no|more|out of) credits|will regain access",
    re.IGNORECASE,
)
_QUOTA_WORDS = re.compile(r"exceeded your (?:\w+ )?quota|quota exceeded", re.IGNORECASE)
_HTTPS_PORT = re.compile(r"http request (?:was )?sent to (?:an )?https", re.IGNORECASE)
# Of a chat template, too: it raises where a conversation begins with the system's message.
NO_SYSTEM_ROLE = re.compile(
    r"system[_ ]?(?:role|message|prompt|instruction)s?\b(?! (?:is|are) too)|role\W{1,4}system\b|"
    r"developer instruction is not enabled|roles must alternate",
    re.IGNORECASE,
)
# Servers answer 403 or 404 where a model may not be asked for one of these.
_OPTIONAL_FIELD = re.compile(r"\b(?:top_)?logprobs\b|response_format|json_schema", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """The kind of a response. `action` is one of

    use        a 2xx with a reply to parse
    retry      the endpoint could not answer now: 408, 409, 425, 429, 5xx, no response, or a 2xx
               with an error or without JSON
    malformed  the endpoint found that the model's reply does not fit the response format
    refused    the endpoint's content filter refused the request
    rejected   the endpoint does not accept this request: 400, 413, 422 and all other statuses;
               sending it again would not help
    denied     no key, no right, no such model or address: 401, 403, 404, or an error that says so
    unreachable  the address cannot be used: a redirect to another host, a certificate that is not
               trusted, http in place of https
    exhausted  the account has no money or quota left: 402, or an error that says so
    unusable   a reply above a limit, which is not parsed

    `params` are the request's fields that the endpoint names.
    """

    action: Action
    reason: str | None = None
    is_down: bool = False  # a sign that the endpoint is down or hidden, not just busy
    retry_after_s: float | None = None
    params: tuple[str, ...] = ()


def judge(
    status_code: int | None,
    body: Any,
    *,
    error: str | None = None,
    error_code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Verdict:
    """The verdict on a response (`status_code`, `body`), or on the failure to get one (`error`).

    `error_code` is that of Response. Names in `headers` are in lower case.

    >>> judge(200, {"choices": []}).action, judge(503, "").action, judge(401, None).action
    ('use', 'retry', 'denied')
    >>> judge(None, None, error="ReadTimeout")
    Verdict(action='retry', reason='no response: ReadTimeout', is_down=True, retry_after_s=None, params=())
    """
    if error_code == UNUSABLE_REPLY:
        return Verdict("unusable", error)
    if error_code in (REDIRECTED, UNREACHABLE):
        return Verdict("unreachable", error)
    # A line of a batch may have its error beside the response.
    beside = ServerError((error_code or "",), cut(error or ""))
    if status_code is None:
        action = _action(None, beside, None)
        return Verdict(action, f"no response: {error}", is_down=action == "retry")
    if 200 <= status_code < 300:
        return _judge_success(status_code, body, headers or {})
    told = read_error(body)
    return _judge_error(status_code, told if told.summary else beside, headers or {})


def _judge_success(status_code: int, body: Any, headers: Mapping[str, str]) -> Verdict:
    if isinstance(body, str):
        start = cut(body)[:_PAGE_START]
        what = f"a body that is not JSON: {start!r}" if start else "an empty body"
        # Something else answers in the endpoint's place, a login or a proxy; or it is broken.
        return Verdict("retry", f"HTTP {status_code} with {what}", is_down=True)
    error = error_in_answer(body)
    if error is None:
        return Verdict("use")
    wait_s = asked_wait_s(error, headers)
    reason = f"an error inside HTTP {status_code}: {error.summary}"
    action = _action(error.status_code, error, wait_s)
    return Verdict(action, reason, retry_after_s=wait_s, params=_params(action, error))


def _judge_error(status_code: int, error: ServerError, headers: Mapping[str, str]) -> Verdict:
    reason = f"HTTP {status_code}" + (f": {error.message}" if error.message else "")
    if _HTTPS_PORT.search(error.message):
        return Verdict("denied", f"{reason}. Write https:// in teacher.base_url")
    wait_s = asked_wait_s(error, headers)
    action = _action(status_code, error, wait_s)
    if action != "retry":
        return Verdict(action, reason, params=_params(action, error))
    return Verdict(action, reason, status_code >= 500, wait_s)


def _params(action: Action, error: ServerError) -> tuple[str, ...]:
    """The fields that `error` names: a model that misses a format needs a weaker one."""
    return ("response_format",) if action == "malformed" else error.params


def _action(status_code: int | None, error: ServerError, wait_s: float | None) -> Action:
    """The action after `error`. Without a status, it is what only the error's words decide."""
    is_final = status_code is not None and (status_code < 500 or status_code in _FINAL_5XX)
    is_final = is_final and status_code not in _BUSY
    action: Action
    if error.says(*_FILTERED) or (is_final and _FILTERED_WORDS.search(error.own_words)):
        action = "refused"
    elif error.says(*_MALFORMED) or _MALFORMED_WORDS.search(error.own_words):
        action = "malformed"
    elif status_code == 402 or _is_spent(status_code, error, wait_s):
        action = "exhausted"
    elif NO_SYSTEM_ROLE.search(error.own_words):
        action = "rejected"  # to be conceded, also where it comes with a 500
    elif error.says(*_NO_ACCESS) and (is_final or status_code is None):
        action = "denied"
    elif not is_final:
        action = "retry"
    elif status_code in (403, 404) and _OPTIONAL_FIELD.search(error.own_words):
        action = "rejected"
    else:
        action = "denied" if status_code in _DENIED else "rejected"
    return action


def _is_spent(status_code: int | None, error: ServerError, wait_s: float | None) -> bool:
    """Whether money or a long quota is spent.

    Where the endpoint names a wait, its wait counts: a quota of the minute has the same words.
    """
    if error.says(*_SPENT):
        return True
    if status_code is not None and status_code >= 500:
        return False
    if _SPENT_WORDS.search(error.own_words):
        return True
    is_quota = _QUOTA_WORDS.search(error.own_words) or error.says("quota_exceeded")
    is_long = is_daily(error) and status_code in (None, 403, 429)
    return wait_s is None and bool(is_quota or is_long)
