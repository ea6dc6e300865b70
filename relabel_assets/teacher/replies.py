"""What a teacher's reply says: a grade, or why there is none.

What belongs here: reading a response's body, strictly. What does not: HTTP statuses (core/verdict.py) and what
becomes of a reply that cannot be read (resources/attempts.py).

A grade is an integer of the rubric: a JSON number with an integer value (3, 3.0) or a string of digits ("3"). Nothing
else is: no word ("three"), no boolean, no fraction, nothing out of range, no number found in prose. The reply is a JSON
object with a grade; prose or a code fence around it is passed over, as long as there is no second object and no piece
of one: a reply that quotes an object out of the document and breaks off inside its own must not be graded by the quote.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relabel_assets.teacher.exchange import ParsedReply

_THINKING = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_BRACKETS = re.compile(r"[{}\[\]]")
_REASON_LENGTH = 200
_CLEAR_SHARE = 0.5  # of the probability at the grade's place: below, the alternatives are not about the grade


@dataclass(frozen=True)
class GradeReply:
    """A readable reply. `grade_probs` has one probability a grade and sums to 1; None without log probabilities."""

    grade: int
    rationale: str | None
    grade_probs: tuple[float, ...] | None = None

    @property
    def expected_grade(self) -> float | None:
        """The mean grade under `grade_probs`."""
        return None if self.grade_probs is None else sum(grade * p for grade, p in enumerate(self.grade_probs))


def grade_reply_schema(n_grades: int) -> dict[str, Any]:
    """The JSON schema of a reply, in the part of JSON schema that strict endpoints take."""
    return {
        "type": "object",
        "properties": {
            "rationale": {"type": "string", "description": "one short sentence: what in the document decides"},
            "grade": {"type": "integer", "enum": list(range(n_grades))},
        },
        "required": ["rationale", "grade"],
        "additionalProperties": False,
    }


def read_grade(body: Any, n_grades: int) -> ParsedReply:
    """What the body of a 2xx response says; `value` is a GradeReply where the status is ok."""
    content = reply_content(body)
    if isinstance(content, ParsedReply):
        return content
    reply = only_object(content)
    if reply is None or "grade" not in reply:
        return ParsedReply("unparseable", f"not one JSON object with a grade: {_quote(content)}")
    grade, rationale = _grade(reply["grade"], n_grades), reply.get("rationale")
    if grade is None:
        allowed = f"whole numbers from 0 to {n_grades - 1}"
        return ParsedReply("unparseable", f"{_quote(json.dumps(reply['grade']))} is not a grade: grades are {allowed}")
    if not isinstance(rationale, str | None):
        return ParsedReply("unparseable", f"the rationale is not a text: {_quote(content)}")
    rationale = " ".join((rationale or "").split()) or None
    return ParsedReply("ok", value=GradeReply(grade, rationale, _grade_probs(body, grade, n_grades)))


def reply_content(body: Any) -> str | ParsedReply:
    """The text a model wrote; or, where there is none to read, why: refused, cut off, or no reply at all.

    Takes what servers send: content as a text or as a list of parts, null beside a refusal, fields of their own.
    """
    choices = body.get("choices") if isinstance(body, Mapping) else None
    if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
        return ParsedReply("unparseable", f"no choices in the response: {_quote(_shown(body))}")
    choice = choices[0] if isinstance(choices[0], Mapping) else {}
    message = choice.get("message")
    if not isinstance(message, Mapping):
        return ParsedReply("unparseable", f"no message in the response: {_quote(_shown(choice))}")
    parts = message.get("content")
    content, refusal = _text(parts, "text"), message.get("refusal") or _text(parts, "refusal", is_parts_only=True)
    if refusal:
        return ParsedReply("refused", f"the model refused: {_quote(str(refusal))}")
    if choice.get("finish_reason") == "content_filter":
        return ParsedReply("refused", "the endpoint's content filter cut the reply")
    content = _THINKING.sub("", content)
    if choice.get("finish_reason") == "length":
        return ParsedReply("unparseable", f"the reply was cut at the token limit: {_quote(content)}")
    return content if content.strip() else ParsedReply("unparseable", "the reply is empty")


def _text(content: Any, kind: str, *, is_parts_only: bool = False) -> str:
    if isinstance(content, str):
        return "" if is_parts_only else content
    if not isinstance(content, Sequence):
        return ""
    parts = (part.get(kind) for part in content if isinstance(part, Mapping))
    return "".join(part for part in parts if isinstance(part, str))


def only_object(text: str) -> dict[str, Any] | None:
    """The one JSON object in `text`, whatever prose stands around it; None if there is none, another, or part of one."""
    try:
        whole = _DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        pass
    else:
        return whole if isinstance(whole, dict) else None
    start = text.find("{")
    if start < 0 or "<think>" in text[:start]:
        return None
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not _BRACKETS.search(text[:start] + text[end:]) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member is given twice")  # two grades in one object: neither can be trusted
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _grade(value: Any, n_grades: int) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]\s*", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value) if 0 <= value < n_grades else None


def _grade_probs(body: Mapping[str, Any], grade: int, n_grades: int) -> tuple[float, ...] | None:
    """Probabilities from the alternatives to the grade's own token, shared out among the grades.

    The token is the first digit after `"grade"` in the reply. None where the endpoint gives no log probabilities, the
    tokens do not fit the text, or the alternatives are mostly not grades.
    """
    logprobs = body["choices"][0].get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, Sequence):
        return None
    written = ""
    for token in tokens:
        if not isinstance(token, Mapping) or not isinstance(token.get("token"), str):
            return None
        is_at_grade = re.search(r'"grade"\s*:\s*"?\s*$', written + _before_digit(token["token"]))
        written += token["token"]
        if is_at_grade and token["token"].strip().strip('"}, \n:') == str(grade):
            return _shares(token.get("top_logprobs"), n_grades)
    return None


def _before_digit(token: str) -> str:
    return re.split(r"[0-9]", token, maxsplit=1)[0]


def _shares(alternatives: Any, n_grades: int) -> tuple[float, ...] | None:
    masses = [0.0] * n_grades
    for alternative in alternatives if isinstance(alternatives, Sequence) else ():
        if not isinstance(alternative, Mapping) or not isinstance(alternative.get("logprob"), int | float):
            continue
        digit = str(alternative.get("token")).strip().strip('"}, \n:')
        if re.fullmatch("[0-9]", digit) and int(digit) < n_grades and alternative["logprob"] <= 1e-6:
            masses[int(digit)] += math.exp(alternative["logprob"])
    total = math.fsum(masses)
    return tuple(mass / total for mass in masses) if _CLEAR_SHARE <= total <= 1.01 else None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[: 2 * _REASON_LENGTH]


def _quote(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= _REASON_LENGTH else text[:_REASON_LENGTH] + "...")
