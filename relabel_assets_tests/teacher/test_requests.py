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
        ("json_object max_tokens no_system", Dialect("json_object", "max_tokens", is_system=False)),
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


def test_without_a_system_role_its_text_heads_the_users_message() -> None:
    messages = ({"role": "system", "content": "Grade."}, {"role": "user", "content": "leave"})
    request = dataclasses.replace(REQUEST, messages=messages)
    folded = request.body(Dialect(is_system=False))["messages"]
    assert folded == [{"role": "user", "content": "Grade.\n\nleave"}]
    as_text = request.body(Dialect("text", is_system=False))["messages"]
    assert len(as_text) == 1 and as_text[0]["content"].startswith(
        "Grade.\n\nleave\n\nReply with one"
    )
    assert REQUEST.body(Dialect(is_system=False)) == REQUEST.body()  # no system's message


def test_prompt_tokens_by_hand() -> None:
    outgoing = Outgoing.of(REQUEST, Dialect("text"))
    content = outgoing.body["messages"][0]["content"]
    assert outgoing.prompt_tokens == -(-len(content) // 4) + 4
    schema = json.dumps(Outgoing.of(REQUEST).body["response_format"]["json_schema"])
    assert Outgoing.of(REQUEST).prompt_tokens == 2 + 4 + -(-len(schema) // 4)
