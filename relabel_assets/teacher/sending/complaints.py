"""Complaints: which fields of a request a server does not take, and the dialect without them.

What belongs here: that reading, on plain values. What does not: dialects themselves
(teacher/requests.py), and which one is current (dialects.py).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from relabel_assets.teacher.requests import Dialect
from relabel_assets.teacher.verdict import NO_SYSTEM_ROLE

# The prompt is too long: no dialect helps.
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window|size)|maximum context|too (?:long|large)|reduce the length",
    re.IGNORECASE,
)
# Field of the body: its names in complaints. The names of the JSON schema's keywords are among them.
_NAMES = {
    "response_format": (
        "response_format", "json_schema", "json_object", "json mode", "structured outputs?", "strict",
        "schema", "additionalproperties", "grammar",
    ),
    "max_completion_tokens": ("max_completion_tokens",),
    "logprobs": ("logprobs", "top_logprobs"),
    "temperature": ("temperature",),
    "seed": ("seed",),
}  # fmt: skip
# Words in a row that a complaint and the request have in common only if one quotes the other. Not
# measured: four words occur in both by chance.
_ECHO_WORDS = 5


def weaker_dialect(
    dialect: Dialect, complaint: str, params: Sequence[str], body: Mapping[str, Any]
) -> Dialect | None:
    """`dialect` without what a server refused in `body`; None if no weaker dialect would help.

    The server names fields in `params`, or else in the words of its `complaint`: then the first one named
    counts. What the complaint quotes from the request counts as no word of the server.

    >>> weaker_dialect(Dialect(), "unknown field: seed", (), {"seed": 13}).is_seed
    False
    >>> weaker_dialect(Dialect(), "not permitted", ("seed",), {"seed": 13}).is_seed
    False
    """
    roots = [re.split(r"[.\[]", param)[0] for param in params]
    named = [field for field, names in _NAMES.items() if field in body and {*names} & {*roots}]
    if named:
        return _without(dialect, named)
    if _TOO_LONG.search(complaint):
        return None
    words = _own_words(complaint, body)
    has_system = any(message.get("role") == "system" for message in body.get("messages", ()))
    is_role = any(
        root == "messages" and param.endswith("role")
        for param, root in zip(params, roots, strict=True)
    )
    if has_system and (is_role or NO_SYSTEM_ROLE.search(words)):
        return replace(dialect, is_system=False)
    if any(root in body for root in roots):
        return None  # the complaint is about another field
    places = {field: _place(words, names) for field, names in _NAMES.items() if field in body}
    found = {field: place for field, place in places.items() if place is not None}
    return _without(dialect, [min(found, key=lambda field: found[field])]) if found else None


def _without(dialect: Dialect, fields: Sequence[str]) -> Dialect:
    changes: dict[str, Any] = {}
    for field in fields:
        match field:
            case "response_format":
                is_schema = dialect.response_format == "json_schema"
                changes[field] = "json_object" if is_schema else "text"
            case "max_completion_tokens":
                changes["token_limit"] = "max_tokens"
            case _:
                changes[f"is_{field}"] = False
    return replace(dialect, **changes)


def _place(text: str, names: Sequence[str]) -> int | None:
    """The position of the first of `names` in `text`, as a word of its own."""
    match = re.search(rf"(?<!\w)(?:{'|'.join(names)})(?!\w)", text, re.IGNORECASE)
    return None if match is None else match.start()


def _own_words(complaint: str, body: Mapping[str, Any]) -> str:
    """`complaint` without what it quotes from the messages of `body`."""
    words = complaint.split()
    sent = " ".join(
        " ".join(str(message.get("content")) for message in body.get("messages", ())).split()
    )
    is_echo = [False] * len(words)
    for start in range(len(words) - _ECHO_WORDS + 1):
        # The first and the last word may have quotation marks.
        if " ".join(words[start : start + _ECHO_WORDS]).strip("'\"`") in sent:
            is_echo[start : start + _ECHO_WORDS] = [True] * _ECHO_WORDS
    return " ".join(word for word, echo in zip(words, is_echo, strict=True) if not echo)
