"""Replies to a grading request: their JSON schema and their parser.

What belongs here: the grade and the rationale of one reply. What does not: finding the object in it
(teacher/replies.py, teacher/reply_object.py), and probabilities from its tokens (log_probs.py).

A grade is an integer of the rubric: a JSON number with an integer value (3, 3.0) or a string of
one digit ("3"). A word ("three"), a boolean, a fraction, a number out of range or a number in prose
is not a grade.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from relabel_assets.teacher.grading.log_probs import grade_probs
from relabel_assets.teacher.replies import ParsedReply, plain_line, quoted, read_object


@dataclass(frozen=True)
class GradeReply:
    """A parsed reply. `grade_probs` sums to 1 over the grades; None without log probabilities."""

    grade: int
    rationale: str | None
    grade_probs: tuple[float, ...] | None = None


def grade_reply_schema(n_grades: int) -> dict[str, Any]:
    """The JSON schema of a reply, in the subset that endpoints accept as strict.

    >>> grade_reply_schema(4)["properties"]["grade"]
    {'type': 'integer', 'enum': [0, 1, 2, 3]}
    """
    return {
        "type": "object",
        "properties": {
            "rationale": {
                "type": "string",
                "description": "one short sentence: what in the document decides",
            },
            "grade": {"type": "integer", "enum": list(range(n_grades))},
        },
        "required": ["rationale", "grade"],
        "additionalProperties": False,
    }


def read_grade(body: Any, n_grades: int) -> ParsedReply:
    """The parsed reply in the body of a 2xx response. `value` is a GradeReply if the status is ok.

    >>> read_grade({"choices": [{"message": {"content": '{"rationale": "r", "grade": 2}'}}]}, 4).value
    GradeReply(grade=2, rationale='r', grade_probs=None)
    >>> read_grade({"choices": [{"message": {"content": "I would say 2"}}]}, 4).reason
    "not one JSON object with 'grade': 'I would say 2'"
    """
    reply = read_object(body, "grade", "rationale")
    if isinstance(reply, ParsedReply):
        return reply
    grade, rationale = _grade(reply["grade"], n_grades), reply.get("rationale")
    if grade is None:
        written, allowed = json.dumps(reply["grade"]), f"whole numbers from 0 to {n_grades - 1}"
        return ParsedReply("unparseable", f"{quoted(written)} is not a grade: grades are {allowed}")
    if isinstance(rationale, list) and all(isinstance(part, str) for part in rationale):
        rationale = " ".join(rationale)
    if not isinstance(rationale, str | None):
        written = quoted(json.dumps(rationale))
        return ParsedReply("unparseable", f"the rationale is not a text: {written}")
    rationale = plain_line(rationale or "") or None
    probs = grade_probs(body["choices"][0].get("logprobs"), grade, n_grades)
    return ParsedReply("ok", value=GradeReply(grade, rationale, probs))


def _grade(value: Any, n_grades: int) -> int | None:
    """`value` as a grade; None if it is not one."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]\s*", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value) if 0 <= value < n_grades else None
