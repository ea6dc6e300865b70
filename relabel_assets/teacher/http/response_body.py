"""The body of a response, from bytes to a JSON value: encodings, and answers that were streamed.

What belongs here: bytes to JSON. What does not: reading them within a limit (bounded_http.py), and what
the value means (verdict.py, replies.py).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from relabel_assets.intake.json_text import members_that_occur_once, parse_json

_DONE = "[DONE]"  # the last event of a stream
# Texts of a message that a stream sends in pieces.
_PIECES = ("content", "refusal", "reasoning_content", "reasoning")


def body_text(content: bytes) -> str:
    """`content` as text: UTF-8, UTF-16 or UTF-32, without a byte order mark.

    >>> body_text('{"a": 1}'.encode("utf-16")), body_text(b"\\xef\\xbb\\xbf{}")
    ('{"a": 1}', '{}')
    """
    return content.decode(json.detect_encoding(content), "replace").removeprefix("\ufeff")


def parse_body(text: str) -> Any:
    """The JSON value of `text`. A stream of events becomes the one answer that it makes up.

    Of a member that occurs twice, neither is kept: of two answers, none can be trusted. Raises
    ValueError for anything else, also for a stream that was cut; TooDeep as parse_json.

    >>> parse_body('data: {"choices": [{"delta": {"content": "2"}}]}\\n\\ndata: [DONE]\\n')
    {'choices': [{'message': {'content': '2'}}]}
    """
    try:
        return _value(text)
    except ValueError:
        if not text.lstrip().startswith(("data:", "event:", "id:", ":")):
            raise
        return _whole_answer([event for event in _events(text) if event])


def _value(text: str) -> Any:
    return parse_json(text, object_of=members_that_occur_once)


def _events(text: str) -> Iterator[str]:
    """The data of each event: its lines that begin with data."""
    for event in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        lines = (line for line in event.split("\n") if line.startswith("data:"))
        yield "\n".join(line.removeprefix("data:").strip() for line in lines)


def _whole_answer(events: list[str]) -> Any:
    """The answer that the events make up, or the error among them. Raises ValueError."""
    is_whole = _DONE in events
    whole, choice = dict[str, Any](), _Choice()
    for event in events:
        if event == _DONE:
            break
        chunk = _value(event)
        if not isinstance(chunk, Mapping):
            raise ValueError("an event is no object")
        if chunk.get("error"):
            return dict(chunk)
        whole |= {name: value for name, value in chunk.items() if value is not None}
        choices = chunk.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
            choice.add(choices[0])
    if not choice.message or not (is_whole or choice.members.get("finish_reason")):
        raise ValueError("the stream of events has no end")
    return whole | {"choices": [choice.joined()]}


class _Choice:
    """The first choice of a stream. Texts and log probabilities are joined, the rest is replaced."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}
        self.message: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._logprobs: list[Any] = []

    def add(self, piece: Mapping[str, Any]) -> None:
        """Add one piece of the choice."""
        delta = piece.get("delta", piece.get("message"))
        for name, value in delta.items() if isinstance(delta, Mapping) else ():
            if name in _PIECES and isinstance(value, str):
                self._texts.setdefault(name, []).append(value)
            if value is not None:
                self.message[name] = value
        for name, value in piece.items():
            if name == "logprobs" and isinstance(value, Mapping):
                tokens = value.get("content")
                self._logprobs += tokens if isinstance(tokens, list) else []
            elif name not in ("delta", "message") and value is not None:
                self.members[name] = value

    def joined(self) -> dict[str, Any]:
        """The whole choice."""
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        logprobs = {"logprobs": {"content": self._logprobs}} if self._logprobs else {}
        return self.members | logprobs | {"message": self.message | texts}
