"""The verdict on each response by its status. Servers' own words: test_server_errors.py."""

import pytest

from relabel_assets.teacher.verdict import REDIRECTED, UNREACHABLE, UNUSABLE_REPLY, judge

CHOICES = {"choices": [{"message": {"content": "x"}}]}


def error(code: object = None, message: str = "m") -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    ("status_code", "body", "action", "is_down"),
    [
        # an answer, whatever it says
        (200, CHOICES, "use", False),
        (200, {"choices": []}, "use", False),
        (200, {}, "use", False),
        (200, None, "use", False),
        (201, CHOICES, "use", False),
        (299, CHOICES, "use", False),
        (200, {**CHOICES, "error": None}, "use", False),
        (200, {**CHOICES, **error()}, "use", False),  # it answered all the same
        # no answer inside a success
        (200, "<html>a login page</html>", "retry", True),
        (204, "", "retry", True),
        (200, error(message="upstream failed"), "retry", False),
        (200, {"choices": [], **error()}, "retry", False),
        # the endpoint could not answer now
        (408, error(), "retry", False),
        (409, error(), "retry", False),
        (425, error(), "retry", False),
        (429, error("rate_limit_exceeded"), "retry", False),
        (429, "", "retry", False),
        (500, error(), "retry", True),
        (502, "<html>bad gateway</html>", "retry", True),
        (503, None, "retry", True),
        (504, error(), "retry", True),
        (529, error("overloaded"), "retry", True),
        # a server that has no such function, or no such HTTP, will not have it the next time
        (501, error(), "rejected", False),
        (505, "", "rejected", False),
        # the money is spent: the run stops
        (402, error(), "exhausted", False),
        (402, "", "exhausted", False),
        (429, error("insufficient_quota"), "exhausted", False),
        (429, error("billing_hard_limit_reached"), "exhausted", False),
        (400, error("insufficient_quota"), "exhausted", False),
        # no access: the run stops
        (401, error("invalid_api_key"), "denied", False),
        (403, error(), "denied", False),
        (404, error("model_not_found"), "denied", False),
        (405, "", "denied", False),
        (407, "", "denied", False),
        (410, "", "denied", False),
        # the endpoint does not take this request
        (400, error(), "rejected", False),
        (400, error("context_length_exceeded"), "rejected", False),
        (413, "", "rejected", False),
        (422, error(), "rejected", False),
        (418, None, "rejected", False),
        (302, "", "rejected", False),
        # its content filter turned the request down
        (400, error("content_filter"), "refused", False),
        (400, error("content_policy_violation"), "refused", False),
        (422, error("ResponsibleAIPolicyViolation"), "refused", False),
    ],
)
def test_each_response_has_its_action(
    status_code: int, body: object, action: str, is_down: bool
) -> None:
    verdict = judge(status_code, body)
    assert (verdict.action, verdict.is_down) == (action, is_down)
    assert (verdict.reason is None) == (action == "use")


@pytest.mark.parametrize("failure", ["ConnectError", "ReadTimeout", "a body that stops"])
def test_no_response_is_retried_and_counts_as_down(failure: str) -> None:
    verdict = judge(None, None, error=failure)
    assert (verdict.action, verdict.is_down) == ("retry", True)
    assert verdict.reason == f"no response: {failure}"


def test_a_reason_has_the_status_and_the_endpoints_message() -> None:
    assert judge(401, error(message="Incorrect API key")).reason == "HTTP 401: Incorrect API key"
    assert judge(503, None).reason == "HTTP 503"
    assert (
        judge(200, error(message="upstream failed")).reason
        == "an error inside HTTP 200: upstream failed"
    )
    assert judge(200, error("E7", "")).reason == "an error inside HTTP 200: E7"
    assert judge(200, "a\n page").reason == "HTTP 200 with a body that is not JSON: 'a page'"
    assert judge(204, " ").reason == "HTTP 204 with an empty body"


@pytest.mark.parametrize("status_code", [429, 503])
def test_a_busy_endpoint_sets_the_wait(status_code: int) -> None:
    assert judge(status_code, None, headers={"retry-after": "7"}).retry_after_s == 7
    assert judge(status_code, None).retry_after_s is None


@pytest.mark.parametrize(
    ("code", "action", "is_down"),
    [
        ("timeout", "retry", True),
        ("connection", "retry", True),
        (UNUSABLE_REPLY, "unusable", False),
        (REDIRECTED, "unreachable", False),
        (UNREACHABLE, "unreachable", False),
    ],
)
def test_an_error_that_would_not_differ_the_next_time_is_no_reason_to_retry(
    code: str, action: str, is_down: bool
) -> None:
    verdict = judge(None, None, error="why", error_code=code)
    assert (verdict.action, verdict.is_down) == (action, is_down)
    assert verdict.reason is not None and "why" in verdict.reason
