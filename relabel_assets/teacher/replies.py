"""Replies of any kind: the text that a model wrote, and the one JSON object in it.

What belongs here: strict parsing of a response's body, for every kind of question. No body makes these
functions raise. What does not:
the members of the object (grading/grade_replies.py, queries/query_requests.py), HTTP statuses
(verdict.py), and what happens after a reply that cannot be parsed (decision.py).

Prose or a code fence around the object is ignored, unless it has a second object or a part of one.
For a reply may quote an object from the document and then be cut inside its own. Its grade must not
come from the quote.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from relabel_assets.intake.json_text import checked, decoder, parse_json
from relabel_assets.intake.text import one_line

_THINKING = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_BRACKETS = re.compile(r"[{}\[\]]")
# Control characters, and those that reorder the text around them. Joiners stay: some scripts need them.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# Characters of a reply in a reason: enough to recognize it, and the reason stays short. Not measured.
_MAX_QUOTE = 200


@dataclass(frozen=True)
class ParsedReply:
    """The body of an answer, parsed by the caller's `read`. `value` is None unless the status is ok.

    >>> ParsedReply("ok", value=2).value
    2
    """

    status: Literal["ok", "refused", "unparseable"]
    reason: str | None = None
    value: Any = None


def reply_content(body: Any) -> str | ParsedReply:
    """The text that a model wrote, or a ParsedReply with the reason why there is none.

    Servers differ: the content may be a text, a list of parts, or null beside a refusal.

    >>> reply_content({"choices": [{"message": {"content": "hello"}}]})
    'hello'
    >>> reply_content({"choices": [{"message": {"content": None, "refusal": "no"}}]}).status
    'refused'
    """
    choices = body.get("choices") if isinstance(body, Mapping) else None
    if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
        return ParsedReply("unparseable", f"no choices in the response: {quoted(_as_text(body))}")
    choice = choices[0] if isinstance(choices[0], Mapping) else {}
    message = choice.get("message")
    if not isinstance(message, Mapping):
        return ParsedReply("unparseable", f"no message in the response: {quoted(_as_text(choice))}")
    refusal = message.get("refusal") or _parts(message.get("content"), "refusal")
    if refusal:
        return ParsedReply("refused", f"the model refused: {quoted(str(refusal))}")
    if choice.get("finish_reason") == "content_filter":
        return ParsedReply("refused", "the endpoint's content filter cut the reply")
    content = message.get("content")
    content = _THINKING.sub("", content if isinstance(content, str) else _parts(content, "text"))
    if choice.get("finish_reason") == "length":
        return ParsedReply(
            "unparseable", f"the reply was cut at the token limit: {quoted(content)}"
        )
    return content if content.strip() else ParsedReply("unparseable", "the reply is empty")


def _parts(content: Any, kind: str) -> str:
    """The joined texts of `kind` (text, refusal) in a list of parts; empty for anything else."""
    if isinstance(content, str) or not isinstance(content, Sequence):
        return ""
    parts = (part.get(kind) for part in content if isinstance(part, Mapping))
    return "".join(part for part in parts if isinstance(part, str))


def only_object(text: str) -> dict[str, Any] | None:
    """The only JSON object in `text`, which may have prose around it.

    None without an object, with two, or with one and a part of another.

    >>> only_object('Sure: {"grade": 2}.')
    {'grade': 2}
    >>> only_object('It says {"grade": 3}, so: {"grade"') is None
    True
    """
    try:
        whole = parse_json(text.strip(), object_of=_unique_members)
    except ValueError:
        return _object_in_prose(text)
    return whole if isinstance(whole, dict) else None


def _object_in_prose(text: str) -> dict[str, Any] | None:
    """The object at the first brace of `text`, if no other bracket is around it."""
    start = text.find("{")
    if start < 0 or "<think>" in text[:start]:
        return None
    try:
        value, end = decoder(_unique_members).raw_decode(text, start)
        value = checked(value, text[start:end])
    except (ValueError, RecursionError):
        return None
    return None if _BRACKETS.search(text[:start] + text[end:]) else value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members as a dict. Raises ValueError for a name that occurs twice."""
    members = dict(pairs)
    if len(members) != len(pairs):  # of two grades in one object, neither can be trusted
        raise ValueError("a member occurs twice")
    return members


def why_unusable(body: Any) -> str | None:
    """The reason why the body of a 2xx response has no JSON object to read; None if it has one.

    >>> why_unusable({"choices": [{"message": {"content": "I would say 2"}}]})
    "not one JSON object: 'I would say 2'"
    """
    content = reply_content(body)
    if isinstance(content, ParsedReply):
        return content.reason if content.status == "unparseable" else None
    return None if only_object(content) is not None else f"not one JSON object: {quoted(content)}"


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
