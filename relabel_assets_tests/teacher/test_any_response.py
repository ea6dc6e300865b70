"""Any JSON as a response: it becomes a verdict, a ledger line and a row that fits its table."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.text import printable
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.grading.grade_replies import read_grade
from relabel_assets.teacher.grading.grading import label_frame, teacher_label
from relabel_assets.teacher.http.asked_wait import retry_after_s
from relabel_assets.teacher.ledger.lines import (
    Line,
    RequestMetadata,
    Response,
    read_line,
    read_start,
    response_line,
)
from relabel_assets.teacher.prices import Price
from relabel_assets.teacher.queries.query_requests import read_queries
from relabel_assets.teacher.replies import ParsedReply, why_unusable
from relabel_assets.teacher.requests import request_from_config
from relabel_assets.teacher.verdict import judge

KEY = "0f" * 32
CONFIG = TeacherConfig()
REQUEST = request_from_config(CONFIG, [], schema_name="s", schema={})
NUMBERS = (
    0, 3, -1, 2**63, -(2**63), 10**299, 10**400, -(10**299), 10**4200, 0.5, -9999.0, 1e308, 5e-324,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
TEXTS = (
    "", " ", "3", "\ud800", "a\x00b", "\x1b[31m", "\u202e", "²", "\N{ARABIC-INDIC DIGIT THREE}", "ok",
    '{"rationale": "r", "grade": 2}',
    '{"rationale": "\\ud800 \\u0000 \x1b[2J", "grade": 2}',
    '{"grade": 1, "grade": 2}',
    '{"grade": ' + "9" * 5000 + "}",
    '{"grade": 1e400}',
    '{"grade": NaN}',
    '{"grade": ' + "[" * 900 + "]" * 900 + "}",
    '{"grade": ' + "[" * 90 + "]" * 90 + "}",
    '{"rationale": ["r"], "grade": "2"}',
    'Sure: {"grade": 2, "rationale": null}',
    '{"queries": [{"intent": "messy", "text": "\\ud800"}, {"intent": [], "text": 5}]}',
    '{"queries": [{"intent": "messy", "text": "leav\\u001b"}]}',
)  # fmt: skip
SCALARS = st.sampled_from([None, True, False, *NUMBERS, *TEXTS]) | st.integers() | st.text()
NAMES = st.sampled_from(
    ["choices", "message", "content", "usage", "error", "code", "text", "\ud800",
     "errors", "detail", "details", "loc", "msg", "metadata", "raw", "headers", "retryDelay", "param",
     "innererror", "base_resp", "status", "failed_generation", "x-ratelimit-reset"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


def either(*likely: Any) -> st.SearchStrategy[Any]:
    """One of the likely values, or anything."""
    return st.one_of(
        *(item if isinstance(item, st.SearchStrategy) else st.just(item) for item in likely), VALUES
    )


def some_of(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object in which each member may be missing."""
    return st.fixed_dictionaries({}, optional=members)


COUNTS = st.sampled_from(NUMBERS)
USAGE = some_of(
    prompt_tokens=either(700, COUNTS),
    completion_tokens=either(20, COUNTS),
    prompt_tokens_details=either(some_of(cached_tokens=either(COUNTS))),
)
ALTERNATIVES = st.lists(either(some_of(token=either("2"), logprob=either(COUNTS))), max_size=2)
TOKENS = st.lists(
    either({"token": '{"grade": '}, some_of(token=either("2"), top_logprobs=either(ALTERNATIVES))),
    max_size=3,
)
CONTENTS = either(
    st.sampled_from(TEXTS),
    st.lists(some_of(type=either("text"), text=either(st.sampled_from(TEXTS)))),
)
MESSAGES = some_of(content=CONTENTS, refusal=either(None))
CHOICES = st.lists(
    either(
        some_of(
            message=either(MESSAGES),
            finish_reason=either("stop", "length"),
            logprobs=either(some_of(content=either(TOKENS))),
        )
    ),
    min_size=1,
    max_size=2,
)
ERRORS = some_of(
    code=VALUES,
    message=VALUES,
    detail=VALUES,
    param=VALUES,
    metadata=either(some_of(headers=either(st.dictionaries(NAMES, VALUES)), raw=VALUES)),
    details=either(st.lists(some_of(retryDelay=VALUES, violations=VALUES))),
)
BODIES = either(
    some_of(
        choices=either(CHOICES),
        usage=either(USAGE),
        error=either(ERRORS),
        detail=either(st.lists(some_of(loc=either(st.lists(VALUES)), msg=VALUES))),
    ),
    st.lists(some_of(error=either(ERRORS)), max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(body=BODIES, status=st.sampled_from([200, 299, 302, 400, 401, 429, 500]))
def test_any_body_becomes_a_line_and_a_row_and_no_exception(body: Any, status: int) -> None:
    body = as_received(body)
    verdict = judge(status, body, headers={"retry-after": "inf"})
    assert verdict.reason is None or printable(verdict.reason) == verdict.reason
    metadata = RequestMetadata("demo", "grading").of_response(body, Price(1e300, 1.0, 1.0), 0.5)
    response = Response(status, body, request_id="r")
    raw = response_line(KEY, response, metadata)
    assert same(read_line(raw), Line(KEY, metadata, response))
    assert read_start(raw) == Line(KEY, metadata, Response(status))

    why_unusable(body)
    parsed, queries = read_grade(body, 4), read_queries(body)
    for query in queries.value or []:
        assert "\x1b" not in query.text
        query.text.encode()
    row = label_of(parsed, Line(KEY, metadata, response))
    assert row["rationale"] is None or "\x1b" not in row["rationale"]


def as_received(body: Any) -> Any:
    """`body` as the endpoint's parser gives it; the error's text for one that it does not take."""
    try:
        return parse_json(json.dumps(body))
    except ValueError as error:
        return str(error)


def same(one: Any, other: Any) -> bool:
    """Equality in which NaN equals NaN."""
    return repr(one) == repr(other) and repr(one.response) == repr(other.response)


def label_of(parsed: ParsedReply, line: Line) -> dict[str, Any]:
    """The row of teacher_labels from one reply, as it is stored."""
    exchange = Exchange(
        0, REQUEST, KEY, parsed.status, parsed.reason, 1, line.metadata.cost_usd, line, parsed
    )
    pair = {"query_id": "q", "doc_id": "d", "text": "leave", "body": "Ask HR."}
    row = teacher_label(pair, [exchange], CONFIG, prompt_hash="h", n_grades=4)
    frame = label_frame([row]).with_columns(corpus=pl.lit("demo"))
    stored = TABLES["teacher_labels"].validate(frame).row(0, named=True)
    json.dumps(stored, default=str, ensure_ascii=False).encode()
    return stored


MOMENTS = either("2026-01-01", "0001-01-01T00:00+23:00", "9999-12-31T23:59-23:00")
METADATA = some_of(
    corpus=VALUES,
    model=VALUES,
    dialect=VALUES,
    status_code=either(200),
    at=MOMENTS,
    latency_s=either(COUNTS),
    prompt_tokens=either(COUNTS),
    completion_tokens=either(COUNTS),
    cost_usd=either(COUNTS),
)


@settings(max_examples=300, deadline=None)
@given(
    value=either(
        some_of(
            custom_id=either(KEY),
            relabel=either(METADATA),
            body=VALUES,
            error=either(some_of(code=VALUES, message=VALUES)),
            response=either(
                some_of(status_code=either(200, COUNTS), body=BODIES, request_id=VALUES)
            ),
        )
    )
)
def test_any_line_of_another_tool_is_a_line_with_a_row_or_is_skipped(value: Any) -> None:
    raw = json.dumps(value).encode() + b"\n"
    start, line = read_start(raw), read_line(raw)
    assert start is None or line is None or start.key == line.key
    if line is None or line.response is None:
        return
    outcome = line.response.outcome
    assert printable(outcome) == outcome or line.response.status_code is None
    label_of(read_grade(line.response.body, 4), line)


@pytest.mark.parametrize(
    "value",
    [
        "nan",
        "inf",
        "-inf",
        "1e400",
        "-1",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "²",
        "",
    ],
)
def test_a_wait_that_cannot_be_is_no_wait(value: str) -> None:
    assert retry_after_s({"retry-after": value, "retry-after-ms": value}) in (None, 0.0)


def test_a_wait_is_at_most_thirty_years() -> None:
    assert retry_after_s({"retry-after": "1e300"}) == 1e9
    assert retry_after_s({"retry-after": "Fri, 31 Dec 9999 00:00:00 GMT"}) == 1e9
