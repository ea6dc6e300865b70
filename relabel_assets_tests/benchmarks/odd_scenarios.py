"""What endpoints did over several requests, as people reported it of public projects.

What belongs here: the servers' rules, and what is right to make of them. What does not: running them
(odd_answers.py), and odd answers to one request (odd_modes.py).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from relabel_assets_tests.faults.teacher_server import chat_body, error_body, true_grade
from relabel_assets_tests.servers.worded_server import (
    Answer,
    Body,
    Rule,
    WordedServer,
    about,
    first_time,
    refuses,
    right_reply,
)

N_PAIRS = 20
ODD = "<title>Title 7</title>"  # of the one pair that a server treats in another way


class Scenario(NamedTuple):
    """`server()` is a new server. Right are these numbers by status, with at most so many requests.

    `stops`: the run may also end with an error that says what to do.
    """

    source: str  # the kind of project whose users reported it
    server: Callable[[], WordedServer]
    statuses: dict[str, int]
    most_requests: int
    stops: bool = False
    settings: Mapping[str, Any] = MappingProxyType({})
    is_long: bool = False  # documents of 1,500 words


def plain(body: Body) -> Body:
    return chat_body(right_reply(body))


def always(status: int, error: Any, **headers: str) -> Rule:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda body, nth: (status, named, error)


def server(*rules: Rule, success: Callable[[Body], Body] = plain) -> Callable[[], WordedServer]:
    return lambda: WordedServer(success, *rules)


def google(code: int, message: str, status: str, details: Sequence[Any] = ()) -> list[Body]:
    return [{"error": {"code": code, "message": message, "status": status, "details": details}}]


def anthropic(kind: str, message: str) -> Body:
    return {"type": "error", "error": {"type": kind, "message": message}}


def with_system(status: int, error: Any) -> Rule:
    def rule(body: Body, nth: int) -> Answer | None:
        has_system = any(message["role"] == "system" for message in body["messages"])
        return (status, {}, error) if has_system else None

    return rule


def schema_alone(status: int, error: Any) -> Rule:
    def rule(body: Body, nth: int) -> Answer | None:
        is_schema = body.get("response_format", {}).get("type") == "json_schema"
        return (status, {}, error) if is_schema else None

    return rule


def cut_after(context: int, kept: int) -> Callable[[Body], Body]:
    """A server that reads `kept` tokens of a prompt above `context`, and grades what it read."""

    def success(body: Body) -> Body:
        text = " ".join(message["content"] for message in body["messages"])
        n_tokens = round(1.2 * len(re.findall(r"\w+|[^\w\s]", text)))
        answer = plain(body)
        if n_tokens > context:
            n_tokens = kept
            wrong = (true_grade(body) + 1) % 4
            answer = chat_body(f'{{"rationale": "r", "grade": {wrong}}}')
        return answer | {"usage": {"prompt_tokens": n_tokens, "completion_tokens": 20}}

    return success


def thinking_too_long(body: Body) -> Body:
    answer = chat_body("", reasoning_content="Let me see. " * 40)
    answer["choices"][0]["finish_reason"] = "length"
    return answer


DAILY = [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]
MINUTE = [
    {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.02s"},
]
QUOTA = "You exceeded your current quota, please check your plan and billing details."
ALL = {"ok": N_PAIRS}
NONE = {"failed": N_PAIRS}
ONE_REFUSED = {"ok": N_PAIRS - 1, "refused": 1}
ONE_FAILED = {"ok": N_PAIRS - 1, "failed": 1}

SCENARIOS: dict[str, Scenario] = {
    "max_completion_tokens is unknown": Scenario(
        "a chat client",
        server(refuses("max_completion_tokens", 422, {"object": "error", "message": {"detail": [
            {"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"],
             "msg": "Extra inputs are not permitted", "input": 400}]}})),
        ALL, 21,
    ),
    "two unknown fields in one complaint": Scenario(
        "a client for Mistral",
        server(lambda body, nth: (422, {}, {"detail": [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
            for name in ("seed", "max_completion_tokens") if name in body]})
            if {"seed", "max_completion_tokens"} & set(body) else None),
        ALL, 21,
    ),
    "temperature 0 is unsupported": Scenario(
        "an agent framework",
        server(refuses("temperature", 400, {"error": {
            "message": "Unsupported value: 'temperature' does not support 0.0 with this model.",
            "type": "invalid_request_error", "param": "temperature", "code": "unsupported_value"}})),
        ALL, 21,
    ),
    "403 for log probabilities": Scenario(
        "an evaluation harness",
        server(refuses("logprobs", 403, error_body(
            "You are not allowed to request logprobs from this model."))),
        ALL, 21, settings={"is_logprobs": True},
    ),
    "seed unknown, the error in a list": Scenario(
        "a mobile chat client for Gemini",
        server(refuses("seed", 400, google(400, "Invalid JSON payload received. Unknown name \"seed\": "
                                           "Cannot find field.", "INVALID_ARGUMENT"))),
        ALL, 21,
    ),
    "no json_schema": Scenario(
        "a client for DeepSeek",
        server(schema_alone(400, error_body("This response_format type is unavailable now"))),
        ALL, 21,
    ),
    "no response_format at all": Scenario(
        "a router of models",
        server(refuses("response_format", 400, {"error": {
            "message": "Provider returned error", "code": 400, "metadata": {"raw":
            "{\"error\": {\"message\": \"JSON mode is not enabled for models/gemma-3-27b-it\"}}"}}})),
        ALL, 22,
    ),
    "no system role in the template": Scenario(
        "an inference server",
        server(with_system(400, {"object": "error", "message": "System role not supported",
                                 "type": "BadRequestError", "code": 400})),
        ALL, 21,
    ),
    "no system role, as HTTP 500": Scenario(
        "an inference server in C++",
        server(with_system(500, error_body("Jinja Exception: System role not supported"))),
        ALL, 21,
    ),
    "no developer instruction": Scenario(
        "a client for Gemma",
        server(with_system(400, google(400, "Developer instruction is not enabled for models/gemma-3-4b-it",
                                       "INVALID_ARGUMENT"))),
        ALL, 21,
    ),
    "failed JSON once": Scenario(
        "an agent framework on Groq",
        server(first_time(400, {"error": {"message": "Failed to generate JSON. Please adjust your prompt.",
               "type": "invalid_request_error", "code": "json_validate_failed",
               "failed_generation": "{\"rationale\": \"grade: 3"}})),
        ALL, 40,
    ),
    "output that cannot be parsed, HTTP 500": Scenario(
        "an inference server in C++",
        server(first_time(500, error_body("The model produced output that does not match the expected "
                                          "peg-native format"))),
        ALL, 40,
    ),
    "an error inside a choice": Scenario(
        "a router of models",
        server(first_time(200, {"choices": [{"finish_reason": "error", "message": {"content": ""},
               "error": {"code": 502, "message": "Provider returned error"}}]})),
        ALL, 40,
    ),
    "one prompt filtered": Scenario(
        "an assistant on Azure",
        server(about(ODD, 400, {"error": {"message": "The response was filtered due to the prompt "
               "triggering Azure OpenAI's content management policy.", "code": "content_filter"}})),
        ONE_REFUSED, 20,
    ),
    "one prompt filtered, in a prefix": Scenario(
        "a gateway", server(about(ODD, 500, "content_filter: the prompt was blocked")), ONE_REFUSED, 20
    ),
    "one prompt flagged with 403": Scenario(
        "a router of models",
        server(about(ODD, 403, {"error": {"message": "Input was flagged", "code": 403,
               "metadata": {"reasons": ["violence"], "flagged_input": "..."}}})),
        ONE_REFUSED, 20,
    ),
    "one prompt is too long": Scenario(
        "an inference server",
        server(about(ODD, 400, {"object": "error", "message": "This model's maximum context length is "
               "2048 tokens. However, you requested 3000 tokens.", "type": "BadRequestError"})),
        ONE_FAILED, 20,
    ),
    "the day's tokens are spent: try again in 7h12m": Scenario(
        "a client for Groq",
        server(always(429, error_body("Rate limit reached on tokens per day (TPD): Limit 200000. Please try "
                                      "again in 7h12m4.5s.", "rate_limit_exceeded"))),
        NONE, 1,
    ),
    "the day's requests are spent": Scenario(
        "a client for Gemini", server(always(429, google(429, QUOTA, "RESOURCE_EXHAUSTED", DAILY))),
        NONE, 1,
    ),
    "the minute's requests are spent": Scenario(
        "a client for Gemini", server(first_time(429, google(429, QUOTA, "RESOURCE_EXHAUSTED", MINUTE))),
        ALL, 40,
    ),
    "the money is spent": Scenario(
        "a notebook", server(always(429, error_body(QUOTA, "insufficient_quota"))), NONE, 1
    ),
    "the credit is too low, HTTP 400": Scenario(
        "a client for Anthropic",
        server(always(400, anthropic("invalid_request_error", "Your credit balance is too low to access the "
                                     "Anthropic API."))),
        NONE, 1,
    ),
    "HTTP 402": Scenario(
        "a client for DeepSeek", server(always(402, error_body("Insufficient Balance"))), NONE, 1
    ),
    "overloaded, HTTP 529": Scenario(
        "a client for Anthropic",
        server(first_time(529, anthropic("overloaded_error", "Overloaded"))),
        ALL, 40,
    ),
    "Retry-After in ms": Scenario(
        "a client for Azure",
        server(first_time(429, error_body("slow down"), retry_after_ms="10")),
        ALL, 40,
    ),
    "loading the model": Scenario(
        "an inference server in C++",
        server(first_time(503, error_body("Loading model"))),
        ALL, 40,
    ),
    "a page of a proxy, HTTP 502": Scenario(
        "a company's proxy", server(first_time(502, "<html><h1>502 Bad Gateway</h1></html>")), ALL, 40
    ),
    "a challenge of a proxy, HTTP 200": Scenario(
        "a company's proxy", server(first_time(200, "<html><title>Just a moment...</title></html>")),
        ALL, 40,
    ),
    "a login page for every request, HTTP 200": Scenario(
        "a company's proxy",
        server(always(200, "<html><title>Sign in</title></html>")),
        NONE, 10, stops=True, settings={"max_concurrency": 1},
    ),
    "a wrong key": Scenario(
        "a notebook",
        server(always(401, error_body("Incorrect API key provided", "invalid_api_key"))),
        NONE, 1, stops=True,
    ),
    "a wrong key, HTTP 400 in a list": Scenario(
        "a client for Gemini",
        server(always(400, google(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT",
                                  [{"reason": "API_KEY_INVALID"}]))),
        NONE, 1, stops=True,
    ),
    "a model that was not pulled": Scenario(
        "a client for Ollama",
        server(always(404, {"error": "model 'llama3.2' not found"})),
        NONE, 1, stops=True,
    ),
    "a path without /v1": Scenario(
        "a notebook", server(always(404, {"detail": "Not Found"})), NONE, 1, stops=True
    ),
    "reasoning uses up all tokens": Scenario(
        "a client for a thinking model",
        server(success=thinking_too_long),
        {"unparseable": 5, "failed": 15}, 5, settings={"max_concurrency": 1},
    ),
    "a prompt is cut to 2,048 tokens": Scenario(
        "a client for Ollama", server(success=cut_after(2048, 2048)), NONE, 5,
        settings={"max_concurrency": 1}, is_long=True,
    ),
    "a prompt above 4,096 is cut to 2,050 tokens": Scenario(
        "a client for Ollama", server(success=cut_after(2700, 2050)), NONE, 5,
        settings={"max_concurrency": 1}, is_long=True,
    ),
    "every request is rejected in other words": Scenario(
        "a gateway",
        lambda: WordedServer(plain, lambda body, nth: (400, {}, error_body(
            f"Request {true_grade(body)} could not be processed (id {nth})"))),
        NONE, 20,
    ),
}  # fmt: skip
