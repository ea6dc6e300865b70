"""The text of a reply, and the single JSON object in it."""

import pytest

from relabel_assets.teacher.replies import ParsedReply, only_object, quoted, reply_content
from relabel_assets_tests.faults.teacher_server import chat_body


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hello", "hello"),
        (" hello ", " hello "),
        ("<think>so <b></think> hello", " hello"),
        ("\n<think>a</think>b</think>", "b</think>"),  # the first thought alone is passed over
        ("hello <think>x</think>", "hello <think>x</think>"),
        ([{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}], "hello"),
    ],
)
def test_reply_content_is_the_text_without_its_thought(content: object, text: str) -> None:
    assert reply_content(chat_body(content)) == text


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "image"}], "<think>x</think>"])
def test_a_reply_without_text_is_unparseable(content: object) -> None:
    assert reply_content(chat_body(content)) == ParsedReply("unparseable", "the reply is empty")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "no choices in the response: 'null'"),
        ("text", "no choices in the response: 'text'"),
        ({"choices": "no"}, "no choices in the response: "),
        ({"choices": []}, "no choices in the response: "),
        ({"choices": [7]}, "no message in the response: '{}'"),
        ({"choices": [{"message": None}]}, "no message in the response: "),
    ],
)
def test_a_body_without_a_message_is_quoted_in_the_reason(body: object, reason: str) -> None:
    reply = reply_content(body)
    assert isinstance(reply, ParsedReply)
    assert reply.status == "unparseable"
    assert (reply.reason or "").startswith(reason)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        (' \n{"a": 1}\n', {"a": 1}),
        ('so: {"a": {"b": 1}}.', {"a": {"b": 1}}),
        ("{}", {}),
        ('[{"a": 1}]', None),
        ('{"a": 1} {"a": 1}', None),
        ('see [1]: {"a": 1}', None),
        ('{"a": 1} }', None),
        ('{"a": 1, "a": 2}', None),
        ('so: {"a": 1, "a": 2}', None),
        ('{"a": {"b": 1, "b": 1}}', None),
        ('so: {"a": 1', None),
        ('<think> {"a": 1}', None),
        ('so <think> {"a": 1}', None),
        ("so: " + "{" * 100_000, None),
        ("no object", None),
        ("", None),
    ],
)
def test_only_object_parses_the_single_json_object_of_a_text(
    content: str, expected: dict[str, object] | None
) -> None:
    assert only_object(content) == expected


def test_a_reason_quotes_a_reply_in_one_line_of_200_characters() -> None:
    assert quoted("a\n b") == "'a b'"
    assert quoted("x" * 200) == repr("x" * 200)
    assert quoted("x" * 201) == repr("x" * 200 + "...")
