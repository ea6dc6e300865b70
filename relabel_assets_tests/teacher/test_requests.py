"""The body of a request, its key and its dialects."""

import dataclasses
import json

import pytest

from relabel_assets.teacher.requests import (
    Dialect,
    Outgoing,
    Request,
    canonical_json,
    dialect_named,
    estimate_tokens,
    request_key,
)

REQUEST = Request(
    "m", ({"role": "user", "content": "grade"},), "s", {"type": "object"}, 0.0, 13, 100
)


def test_the_key_depends_on_every_sent_field_and_not_on_their_order() -> None:
    key = request_key(REQUEST.body())
    assert len(key) == 64
    assert key == request_key(dict(reversed(REQUEST.body().items())))
    changes: list[dict[str, object]] = [
        {"model": "n"},
        {"messages": ({"role": "user", "content": "grade!"},)},
        {"schema": {"type": "array"}},
        {"temperature": 0.1},
        {"seed": 14},
        {"max_completion_tokens": 101},
        {"is_logprobs": True},
    ]
    keys = {request_key(dataclasses.replace(REQUEST, **change).body()) for change in changes}  # type: ignore[arg-type]
    assert len(keys - {key}) == len(changes)


@pytest.mark.parametrize(
    ("complaint", "field"),
    [
        ("Unsupported parameter: 'max_completion_tokens'", "max_completion_tokens"),
        ("'temperature' does not support 0.0", "temperature"),
        ("unknown field seed", "seed"),
        ("response_format.type must be text", "json_schema"),
    ],
)
def test_a_refused_field_is_removed(complaint: str, field: str) -> None:
    weaker = Dialect().without(complaint, REQUEST.body())
    assert weaker is not None
    assert field not in REQUEST.body(weaker).keys() | {
        str(REQUEST.body(weaker).get("response_format", {}).get("type"))
    }
    assert dialect_named(weaker.name) == weaker


def test_a_complaint_about_the_prompt_removes_no_field() -> None:
    assert (
        Dialect().without("context length exceeded; reduce max_completion_tokens", REQUEST.body())
        is None
    )
    assert dialect_named("nonsense") is None


def test_without_a_response_format_the_schema_is_in_the_prompt() -> None:
    body = REQUEST.body(Dialect(response_format="text"))
    assert "response_format" not in body
    assert '{"type": "object"}' in body["messages"][-1]["content"]
    assert REQUEST.messages[0]["content"] == "grade"


def test_canonical_json_and_tokens_by_hand() -> None:
    assert canonical_json({"b": 1, "a": "\u00e9"}) == '{"a":"\u00e9","b":1}'.encode()
    assert [estimate_tokens(text) for text in ("", "abcd", "abcde", "\u00e9\u00e9\u00e9")] == [
        0,
        1,
        2,
        2,
    ]
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("json_schema max_completion_tokens", Dialect()),
        ("json_object max_tokens", Dialect("json_object", "max_tokens")),
        ("text max_tokens no_seed", Dialect("text", "max_tokens", is_seed=False)),
        (
            "text max_tokens no_temperature no_seed no_logprobs",
            Dialect("text", "max_tokens", False, False, False),
        ),
        ("text max_tokens no_stop", None),  # of a later version
        ("text max_tokens no_temperature no_seed no_logprobs no_stop", None),
        ("text", None),
        ("text max_words", None),
        ("yaml max_tokens", None),
        ("", None),
    ],
)
def test_a_dialect_parses_from_its_name_and_an_unknown_name_is_none(
    name: str, dialect: Dialect | None
) -> None:
    assert dialect_named(name) == dialect
    if dialect is not None:
        assert dialect.name == name


@pytest.mark.parametrize(
    ("form", "weaker"), [("json_schema", "json_object"), ("json_object", "text")]
)
def test_a_response_format_is_weakened_one_step_at_a_time(form: str, weaker: str) -> None:
    dialect = Dialect(form)  # type: ignore[arg-type]
    conceded = dialect.without("json_object is not supported", REQUEST.body(dialect))
    assert conceded == Dialect(weaker)  # type: ignore[arg-type]


def test_a_field_that_was_not_sent_is_not_removed() -> None:
    assert Dialect().without("logprobs are not supported", REQUEST.body()) is None
    with_logprobs = dataclasses.replace(REQUEST, is_logprobs=True)
    assert with_logprobs.body()["top_logprobs"] == 10
    conceded = Dialect().without("top_logprobs are not supported", with_logprobs.body())
    assert conceded == Dialect(is_logprobs=False)
    assert "logprobs" not in with_logprobs.body(conceded)


def test_prompt_tokens_by_hand() -> None:
    outgoing = Outgoing.of(REQUEST, Dialect("text"))
    content = outgoing.body["messages"][0]["content"]
    assert outgoing.prompt_tokens == -(-len(content) // 4) + 4
    schema = json.dumps(Outgoing.of(REQUEST).body["response_format"]["json_schema"])
    assert Outgoing.of(REQUEST).prompt_tokens == 2 + 4 + -(-len(schema) // 4)
