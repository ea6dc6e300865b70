"""The text of a response that has the model's answer, or the reason why there is none."""

from typing import Any

import pytest

from relabel_assets.teacher.replies import (
    AnswerText,
    ParsedReply,
    answer_text,
    quoted,
    read_object,
    why_unusable,
)
from relabel_assets_tests.faults.teacher_server import chat_body

ANSWER = '{"rationale": "r", "grade": 1}'
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "hm {"}]}


def finished(reason: Any, content: Any, **message: Any) -> dict[str, Any]:
    """A response that ended for `reason`."""
    body = chat_body(content, **message)
    body["choices"][0]["finish_reason"] = reason
    return body


def called(*arguments: Any) -> list[dict[str, Any]]:
    """Tool calls with these arguments."""
    return [{"type": "function", "function": {"name": "f", "arguments": a}} for a in arguments]


def read(body: Any) -> dict[str, Any] | ParsedReply:
    return read_object(body, "grade", "rationale")


# Where the text is


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hello", "hello"),
        (" hello ", " hello "),
        ([{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}], "hello"),
        ([{"type": "output_text", "text": "hello"}], "hello"),
        ([{"text": "hello"}], "hello"),
        ([THINKING, {"type": "text", "text": "hello"}], "hello"),  # Mistral
        ([{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "hello"}], "hello"),
        ([{"type": "text", "text": 7}, "?", {"type": "text", "text": "hello"}], "hello"),
    ],
)
def test_the_text_is_the_content_or_its_parts_of_text(content: object, text: str) -> None:
    assert answer_text(chat_body(content)) == AnswerText(text)


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "image"}]])
def test_a_reply_without_text_is_unparseable(content: object) -> None:
    assert answer_text(chat_body(content)) == ParsedReply("unparseable", "the reply is empty")


@pytest.mark.parametrize("content", ["<think>x</think>", "x</think> \n", "<think>x"])
def test_a_reply_of_thoughts_alone_is_unparseable(content: str) -> None:
    reason = f"the reply has thoughts and no answer after them: {content.strip()!r}"
    assert answer_text(chat_body(content)) == ParsedReply("unparseable", reason)


@pytest.mark.parametrize("content", [2, 2.5, True])
def test_a_content_that_is_no_text_is_named(content: object) -> None:
    reply = answer_text(chat_body(content))
    assert isinstance(reply, ParsedReply) and reply.status == "unparseable"
    assert "its content is no text, but" in str(reply.reason)


def test_a_content_that_is_an_object_is_the_object() -> None:
    assert read(chat_body({"rationale": "r", "grade": 1})) == {"rationale": "r", "grade": 1}


@pytest.mark.parametrize("content", [None, "", "I grade the document."])
def test_the_arguments_of_the_only_tool_call_are_the_answer(content: object) -> None:
    assert read(chat_body(content, tool_calls=called(ANSWER))) == {"rationale": "r", "grade": 1}
    assert read(chat_body(content, tool_calls=called({"grade": 1}))) == {"grade": 1}


def test_of_several_tool_calls_none_is_the_answer() -> None:
    calls = called(ANSWER, '{"grade": 2}')
    assert read(chat_body(None, tool_calls=calls)) == ParsedReply(
        "unparseable", "the reply is empty"
    )


def test_an_object_in_the_content_counts_more_than_one_elsewhere() -> None:
    others = {"tool_calls": called('{"grade": 2}'), "parsed": {"grade": 3}}
    body = chat_body('{"grade": 0}', reasoning_content=ANSWER, **others)
    assert read(body) == {"grade": 0}
    assert read(chat_body('{"grade": 0', **others)).status == "unparseable"  # type: ignore[union-attr]


def test_a_parsed_object_is_the_answer_of_an_empty_content() -> None:
    assert read(chat_body(None, parsed={"grade": 1})) == {"grade": 1}


def test_of_two_choices_that_differ_none_is_the_answer() -> None:
    body = chat_body('{"grade": 1}')
    body["choices"] *= 2
    assert read(body) == {"grade": 1}
    body["choices"] = [*body["choices"], *chat_body('{"grade": 2}')["choices"]]
    assert "3 choices that differ" in str(read(body).reason)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "no choices in the response: 'null'"),
        ("text", "no choices in the response: 'text'"),
        ({"choices": "no"}, "no choices in the response: "),
        ({"choices": {"0": chat_body(ANSWER)["choices"][0]}}, "no choices in the response: "),
        ({"choices": []}, "no choices in the response: "),
        ({"choices": [7]}, "no message in the response: '{}'"),
        ({"choices": [{"message": None}]}, "no message in the response: "),
    ],
)
def test_a_body_without_a_message_is_quoted_in_the_reason(body: object, reason: str) -> None:
    reply = answer_text(body)
    assert isinstance(reply, ParsedReply)
    assert reply.status == "unparseable"
    assert (reply.reason or "").startswith(reason)


# Reasoning


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("content", [None, "", "\n"])
def test_an_answer_that_the_server_took_for_reasoning_is_read(name: str, content: object) -> None:
    assert read(chat_body(content, **{name: ANSWER})) == {"rationale": "r", "grade": 1}
    assert read(chat_body(content, **{name: f"It is on topic. {ANSWER}"})) == {
        "rationale": "r",
        "grade": 1,
    }


def test_an_answer_in_thinking_parts_alone_is_read() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": ANSWER}]}
    assert read(chat_body([thinking])) == {"rationale": "r", "grade": 1}
    assert read(chat_body([{"type": "thinking", "thinking": ANSWER}])) == {
        "rationale": "r",
        "grade": 1,
    }


@pytest.mark.parametrize(
    "reasoning",
    [
        f"Maybe {ANSWER}, but it has no date.",
        'The document says {"grade": 3}',  # a quote or a draft has a part of the members
        f'{{"rationale": "x", "grade": 2}} or rather {ANSWER}',
        "I would say 1.",
    ],
)
def test_a_draft_in_reasoning_is_no_answer(reasoning: str) -> None:
    reply = read(chat_body("", reasoning_content=reasoning))
    assert isinstance(reply, ParsedReply) and reply.status == "unparseable"
    assert "its reasoning does not end with one JSON object with 'grade'" in str(reply.reason)


# Refusals


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (chat_body(None, refusal="no, I\nwill not"), "the model refused: 'no, I will not'"),
        (chat_body(ANSWER, refusal="no"), "the model refused: 'no'"),
        (chat_body([{"type": "refusal", "refusal": "no"}]), "the model refused: 'no'"),
        (chat_body(None, refusal={"why": "no"}), "the model refused: "),
    ],
)
def test_a_refusal_is_not_a_failure(body: object, reason: str) -> None:
    reply = read(body)
    assert isinstance(reply, ParsedReply)
    assert reply.status == "refused" and str(reply.reason).startswith(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "content_filter", "content-filter", "content_filter: PROHIBITED_CONTENT", "SAFETY",
        "FinishReason.RECITATION", "blocklist", "SPII", "refusal", "sensitive", "guardrail_intervened",
    ],
)  # fmt: skip
@pytest.mark.parametrize("content", [None, "", ANSWER])
def test_a_content_filter_refuses_in_any_spelling_and_is_quoted(reason: str, content: Any) -> None:
    reply = read(finished(reason, content))
    assert isinstance(reply, ParsedReply) and reply.status == "refused"
    assert reply.reason == f"the endpoint's content filter cut the reply ({reason})"


def test_a_content_filter_needs_no_message_and_may_be_the_native_reason() -> None:
    native = {"finish_reason": "stop", "native_finish_reason": "SAFETY"}
    for choice in ({"finish_reason": "content_filter: SAFETY"}, native):
        reply = read({"choices": [choice]})
        assert isinstance(reply, ParsedReply)
        assert reply.status == "refused" and "SAFETY" in str(reply.reason)


@pytest.mark.parametrize(
    "reason", ["stop", "STOP", "end_turn", "eos", "tool_calls", "", None, 7, ["length"]]
)
def test_any_other_finish_reason_says_nothing_about_the_reply(reason: object) -> None:
    assert read(finished(reason, ANSWER)) == {"rationale": "r", "grade": 1}


# Replies that were cut


@pytest.mark.parametrize(
    "reason", ["length", "MAX_TOKENS", "max_tokens", "model_length", "max_output_tokens"]
)
def test_a_cut_reply_is_unparseable_and_names_the_setting(reason: str) -> None:
    reply = read(
        finished(reason, ANSWER)
    )  # whole or not: what the model would have added is unknown
    assert isinstance(reply, ParsedReply) and reply.is_cut
    assert reply.status == "unparseable" and reply.reason == (
        "the reply was cut at the token limit after 20 tokens: raise teacher.max_completion_tokens. "
        f"It says {ANSWER!r}"
    )


@pytest.mark.parametrize(
    ("content", "message", "usage"),
    [
        ("", {"reasoning_content": f"so {ANSWER}"}, {}),
        (None, {"reasoning": "so"}, {}),
        ("<think>so it is", {}, {}),
        ("", {}, {"completion_tokens_details": {"reasoning_tokens": 20}}),
        (None, {}, {"reasoning_tokens": 20}),
        ([THINKING], {}, {}),
    ],
)
def test_reasoning_that_used_up_the_tokens_is_named_as_such(
    content: object, message: dict[str, Any], usage: dict[str, Any]
) -> None:
    body = finished("length", content, **message)
    body["usage"] |= usage
    reply = read(body)
    assert isinstance(reply, ParsedReply) and reply.is_cut
    assert reply.reason == (
        "the model's reasoning used up 20 tokens, and no answer came: "
        "raise teacher.max_completion_tokens"
    )


def test_a_full_context_names_the_length_of_documents() -> None:
    reply = read(finished("model_context_window_exceeded", ""))
    assert isinstance(reply, ParsedReply) and "teacher.max_document_tokens" in str(reply.reason)


@pytest.mark.parametrize(("count", "named"), [(1, "1 token"), (1380, "1,380 tokens")])
def test_an_empty_reply_that_was_not_cut_names_its_reasoning_and_may_come_again(
    count: int, named: str
) -> None:
    body = chat_body("")
    body["usage"]["completion_tokens_details"] = {"reasoning_tokens": count}
    expected = ParsedReply("unparseable", f"the reply is empty after {named} of reasoning")
    assert read(body) == expected and not expected.is_cut


def test_a_cut_reply_without_usage_names_no_number() -> None:
    body = finished("length", "so lo") | {"usage": None}
    assert str(read(body).reason).startswith("the reply was cut at the token limit: raise ")  # type: ignore[union-attr]
    body = finished("length", "", reasoning="hm") | {"usage": None}
    assert str(read(body).reason).startswith("the model's reasoning used up all tokens, and")  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [-1, 0, True, "7", 10**300, 1.5, None, [7]])
def test_a_count_of_reasoning_that_cannot_be_is_left_out(count: object) -> None:
    body = chat_body("") | {
        "usage": {"reasoning_tokens": count, "completion_tokens_details": count}
    }
    assert read(body) == ParsedReply("unparseable", "the reply is empty")


# Reasons


def test_why_unusable_needs_one_object_of_any_kind() -> None:
    assert why_unusable(chat_body('{"score": 1}')) is None
    assert why_unusable(chat_body("no")) == "not one JSON object: 'no'"
    assert why_unusable(chat_body(None, refusal="no")) is None  # a refusal is an answer


def test_a_reason_quotes_a_reply_in_one_line_of_200_characters() -> None:
    assert quoted("a\n b") == "'a b'"
    assert quoted("x" * 200) == repr("x" * 200)
    assert quoted("x" * 201) == repr("x" * 200 + "...")
