"""Replies of any kind: which text of a response is the model's answer, or why there is none.

What belongs here: strict parsing of a response's body, for every kind of question: choices, content,
refusals, replies that were cut. No body makes these functions raise. What does not: the object in the
text (reply_object.py), its members (grading/grade_replies.py, queries/query_requests.py), HTTP statuses
and errors in a body (verdict.py), and what happens after a reply that cannot be parsed (decision.py).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from relabel_assets.intake.input_limits import MAX_TOKENS
from relabel_assets.intake.text import one_line
from relabel_assets.plural import counted
from relabel_assets.teacher.prices import read_usage
from relabel_assets.teacher.reply_object import last_object, only_object, without_thoughts

# Control characters, and those that reorder the text around them. Joiners stay: some scripts need them.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# Characters of a reply in a reason: enough to recognize it, and the reason stays short. Not measured.
_MAX_QUOTE = 200

# Finish reasons in lower case: OpenAI's, then those that gateways pass on as they are.
_CUT = {
    "length",
    "max_tokens",  # Anthropic, Gemini
    "max_output_tokens",  # OpenAI's Responses
    "model_length",  # Mistral
    "model_context_window_exceeded",  # Anthropic, Z.AI
}
_FILTERED = {
    "content_filter",
    *("safety", "recitation", "blocklist", "prohibited_content", "spii"),  # Gemini
    *("content_filtered", "guardrail_intervened"),  # Bedrock
    "refusal",  # Anthropic
    "sensitive",  # Z.AI
}


@dataclass(frozen=True)
class ParsedReply:
    """The body of an answer, parsed by the caller's `read`. `value` is None unless the status is ok.

    `is_cut`: the reply ended at the token limit, or the endpoint cut the prompt (then the status is
    failed). Both would be cut again.

    >>> ParsedReply("ok", value=2).value
    2
    """

    status: Literal["ok", "refused", "unparseable", "failed"]
    reason: str | None = None
    value: Any = None
    is_cut: bool = False


@dataclass(frozen=True)
class AnswerText:
    """The text that has a model's answer. `is_reasoning`: the server sent it as the model's reasoning."""

    text: str
    is_reasoning: bool = False


def read_object(body: Any, needed: str | None = None, *others: str) -> dict[str, Any] | ParsedReply:
    """The JSON object in the body of a 2xx response, or a ParsedReply with the reason why not.

    It has the member `needed`. An object in the model's reasoning counts if the reasoning ends with it
    and it has the members `others` too: then the server took the whole answer for reasoning. A draft
    has words after it.

    >>> read_object({"choices": [{"message": {"content": '{"grade": 2}'}}]}, "grade")
    {'grade': 2}
    >>> read_object({"choices": [{"message": {"content": "I would say 2"}}]}, "grade").reason
    "not one JSON object with 'grade': 'I would say 2'"
    """
    answer = answer_text(body)
    if isinstance(answer, ParsedReply):
        return answer
    found = last_object(answer.text) if answer.is_reasoning else only_object(answer.text)
    asked = [needed, *others] if answer.is_reasoning else [needed]
    if found is not None and all(name is None or name in found for name in asked):
        return found
    what = "one JSON object" + (f" with {needed!r}" if needed else "")
    if answer.is_reasoning:
        end = quoted(answer.text[-_MAX_QUOTE:])
        reason = f"the reply is empty, and its reasoning does not end with {what}: {end}"
    else:
        reason = f"not {what}: {quoted(answer.text)}"
    return ParsedReply("unparseable", reason)


def answer_text(body: Any) -> AnswerText | ParsedReply:
    """The text with the model's answer, or a ParsedReply with the reason why there is none.

    >>> answer_text({"choices": [{"message": {"content": "hello"}}]})
    AnswerText(text='hello', is_reasoning=False)
    >>> answer_text({"choices": [{"message": {"content": None, "refusal": "no"}}]}).status
    'refused'
    """
    choice = _only_choice(body)
    if isinstance(choice, ParsedReply):
        return choice
    message = choice.get("message")
    if refusal := _refusal(choice, message):
        return ParsedReply("refused", refusal)
    if not isinstance(message, Mapping):
        return ParsedReply("unparseable", f"no message in the response: {quoted(_as_text(choice))}")
    return _answer_in(message, choice, body)


def _answer_in(
    message: Mapping[str, Any], choice: Mapping[str, Any], body: Any
) -> AnswerText | ParsedReply:
    """The answer in a message that is no refusal. A reply that was cut has none."""
    text, reasoning = _text(message), _reasoning(message)
    is_empty = not without_thoughts(text).strip()
    if cut := _finish_words(choice) & _CUT:
        reason = _why_cut(body, cut, "" if is_empty else text, bool(reasoning or text))
        return ParsedReply("unparseable", reason, is_cut=True)
    if not is_empty:
        return AnswerText(text)
    if reasoning:
        return AnswerText(reasoning, is_reasoning=True)
    return ParsedReply("unparseable", _why_empty(body, message.get("content"), text))


def _why_empty(body: Any, content: Any, text: str) -> str:
    """The reason of a message whose `text` has no answer."""
    if text.strip():
        return f"the reply has thoughts and no answer after them: {quoted(text)}"
    if content is not None and not isinstance(content, str | Sequence):
        return f"the reply is empty: its content is no text, but {quoted(_as_text(content))}"
    n_reasoning = _reasoning_tokens(body)
    after = f" after {counted(n_reasoning, 'token')} of reasoning" if n_reasoning else ""
    return f"the reply is empty{after}"


def _only_choice(body: Any) -> Mapping[str, Any] | ParsedReply:
    """The choice in `body`. Of several that differ, none can be trusted: one was asked for."""
    choices = body.get("choices") if isinstance(body, Mapping) else None
    if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
        return ParsedReply("unparseable", f"no choices in the response: {quoted(_as_text(body))}")
    texts = [choice.get("message") if isinstance(choice, Mapping) else choice for choice in choices]
    if any(text != texts[0] for text in texts):
        reason = f"{len(choices)} choices that differ, of one that was asked for"
        return ParsedReply("unparseable", f"{reason}: {quoted(_as_text(texts))}")
    return choices[0] if isinstance(choices[0], Mapping) else {}


def _refusal(choice: Mapping[str, Any], message: Any) -> str | None:
    """The reason of a refusal; None for a reply that is none."""
    if isinstance(message, Mapping):
        refusal = message.get("refusal") or _parts(
            message.get("content"), "refusal", (None, "refusal")
        )
        if refusal:
            return f"the model refused: {quoted(_as_text(refusal))}"
    if _finish_words(choice) & _FILTERED:
        return f"the endpoint's content filter cut the reply ({_finish_reason(choice)})"
    return None


def _finish_reason(choice: Mapping[str, Any]) -> str:
    """The finish reason with OpenRouter's native one, as they were sent."""
    reasons = (choice.get(name) for name in ("finish_reason", "native_finish_reason"))
    texts = (one_line(reason)[:_MAX_QUOTE] for reason in reasons if isinstance(reason, str))
    return ", ".join(dict.fromkeys(texts))


def _finish_words(choice: Mapping[str, Any]) -> set[str]:
    """The words of the finish reason in lower case: Gemini sends `content_filter: SAFETY`."""
    return set(re.findall(r"[a-z_]+", _finish_reason(choice).lower().replace("-", "_")))


def _text(message: Mapping[str, Any]) -> str:
    """The text of a message: its content, else the arguments of its only tool call.

    Some servers turn a JSON schema into a tool, and models put a sentence before its call.
    """
    content, parsed = message.get("content"), message.get("parsed")
    text = _as_text(content) if isinstance(content, Mapping) else ""
    text = text or _parts(content, "text", (None, "text", "output_text"))
    arguments = _arguments(message)
    if arguments and "{" not in text:
        return arguments
    return _as_text(parsed) if isinstance(parsed, Mapping) and not text.strip() else text


def _parts(content: Any, member: str, types: Sequence[str | None]) -> str:
    """A text; of a list of parts, the joined texts of those with one of `types`; else nothing."""
    if isinstance(content, str):
        return content if member == "text" else ""
    if not isinstance(content, Sequence):
        return ""
    parts = (part for part in content if isinstance(part, Mapping) and part.get("type") in types)
    texts = (part.get(member) for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def _arguments(message: Mapping[str, Any]) -> str:
    """The arguments of the only tool call in `message`; nothing without one or with several."""
    calls = message.get("tool_calls")
    if not isinstance(calls, Sequence) or len(calls) != 1 or not isinstance(calls[0], Mapping):
        return ""
    function = calls[0].get("function")
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    return _as_text(arguments) if isinstance(arguments, str | Mapping) else ""


def _reasoning(message: Mapping[str, Any]) -> str:
    """The model's reasoning: DeepSeek's and vLLM's member, OpenRouter's and Groq's, Mistral's parts."""
    for name in ("reasoning_content", "reasoning"):
        text = message.get(name)
        if isinstance(text, str) and text.strip():
            return text
    content = message.get("content")
    if isinstance(content, str) or not isinstance(content, Sequence):
        return ""
    thoughts = [part.get("thinking") for part in content if isinstance(part, Mapping)]
    return "".join(_parts(thought, "text", (None, "text")) for thought in thoughts)


def _why_cut(body: Any, cut: set[str], text: str, is_thinking: bool) -> str:
    """The reason of a reply that was cut, with the setting that helps."""
    if "model_context_window_exceeded" in cut:
        return "the model's context is full: lower teacher.max_document_tokens"
    usage, n_reasoning = read_usage(body), _reasoning_tokens(body)
    n_tokens = "all tokens" if usage is None else counted(usage.completion_tokens, "token")
    remedy = "raise teacher.max_completion_tokens"
    if not text and (is_thinking or n_reasoning):
        return f"the model's reasoning used up {n_tokens}, and no answer came: {remedy}"
    after = "" if usage is None else f" after {n_tokens}"
    says = f". It says {quoted(text)}" if text else ""
    return f"the reply was cut at the token limit{after}: {remedy}{says}"


def _reasoning_tokens(body: Any) -> int:
    """The number of tokens that the model spent on reasoning; 0 if the usage has no such count."""
    usage = body.get("usage") if isinstance(body, Mapping) else None
    details = usage.get("completion_tokens_details") if isinstance(usage, Mapping) else None
    for place in (details, usage):
        count = place.get("reasoning_tokens") if isinstance(place, Mapping) else None
        if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= MAX_TOKENS:
            return count
    return 0


def why_unusable(body: Any) -> str | None:
    """The reason why the body of a 2xx response has no JSON object to read; None if it has one.

    >>> why_unusable({"choices": [{"message": {"content": "I would say 2"}}]})
    "not one JSON object: 'I would say 2'"
    """
    found = read_object(body)
    if isinstance(found, ParsedReply) and found.status == "unparseable":
        return found.reason
    return None


def plain_line(text: str) -> str:
    """`text` of a model for a table: in one line, with U+FFFD for each control character.

    >>> plain_line("paid\\n \\x1b[31mleave")
    'paid \ufffd[31mleave'
    """
    return _CONTROLS.sub("\ufffd", " ".join(text.split()))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def quoted(text: str) -> str:
    """`text` for a reason: in quotes, in one line, cut after 200 characters.

    >>> quoted("a\\nb"), len(quoted("x" * 1000))
    ("'a b'", 205)
    """
    text = " ".join(text.split())
    return one_line(repr(text if len(text) <= _MAX_QUOTE else text[:_MAX_QUOTE] + "..."))
