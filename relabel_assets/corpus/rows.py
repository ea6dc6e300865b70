"""What every reader of a corpus file shares: lines of JSON, checked fields, duplicates, a note of
each unusable row.

What belongs here: turning lines and values into checked fields. What does not: which fields a
document or a label has (documents.py, queries.py, grades.py) and opening files (folder.py).
"""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from relabel_assets.errors import Problem

MAX_LINE_BYTES = 32 * 1024 * 1024
_SHOWN = 60


@dataclass
class ReadRows:
    """The usable rows of a file, and a problem for each of the others."""

    frame: pl.DataFrame
    problems: list[Problem] = field(default_factory=list)


class SetAside(Exception):
    """Raised by a row's reader: this row cannot be used. Carries a message and a remedy, never
    leaves the readers."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


def json_objects(
    lines: Iterable[bytes], *, file: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line that holds a JSON object, with its number from 1; other lines are noted in
    `problems`. Blank ones are skipped."""
    for number, raw in enumerate(lines, start=1):
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not line.strip():
            continue
        try:
            yield number, _json_object(line, is_last_torn=not raw.endswith(b"\n"))
        except SetAside as error:
            problems.append(Problem(file, number, error.message, error.remedy))


def _json_object(line: bytes, *, is_last_torn: bool) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise SetAside(f"the line has {len(line):,} bytes", f"At most {MAX_LINE_BYTES:,} are read.")
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise SetAside("not UTF-8 text", "Save the file as UTF-8.") from error
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        torn = " The file ends in the middle of it." if is_last_torn else ""
        reason = getattr(error, "msg", str(error) or type(error).__name__)
        raise SetAside(f"not JSON ({reason}).{torn}", "Write one JSON object per line.") from error
    if not isinstance(value, dict):
        raise SetAside(
            f"a {type(value).__name__}, not a JSON object", 'Write {"name": value, ...}.'
        )
    return value


def required_id(row: Mapping[str, Any], name: str) -> str:
    """The id under `name`: text, or a whole number taken as its digits."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return required_text(row, name).strip()


def required_text(row: Mapping[str, Any], name: str) -> str:
    text = optional_text(row, name)
    if text is None:
        raise SetAside(f"{name} is missing or empty", f"Give it a {name}.")
    return text


def optional_text(row: Mapping[str, Any], name: str) -> str | None:
    """The text under `name`; None where it is missing, null or blank."""
    value = row.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise SetAside(f"{name} is {shown(value)}, not text", "Put it in quotes.")
    if "\x00" in value or not _is_encodable(value):
        raise SetAside(
            f"{name} holds characters that are not text (NUL or a lone surrogate)", "Remove them."
        )
    return value


def optional_choice(row: Mapping[str, Any], name: str, allowed: Sequence[str]) -> str | None:
    value = optional_text(row, name)
    if value is not None and value not in allowed:
        raise SetAside(f"{name} is {shown(value)}", f"Allowed: {', '.join(allowed)}.")
    return value


def required_grade(value: Any, max_grade: int) -> int:
    """A grade of the rubric: a whole JSON number from 0 to `max_grade`. Text, true and 2.5 are not
    grades; 2.0 is 2."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value not in range(max_grade + 1):
        raise SetAside(
            f"grade is {shown(value)}",
            f"Grades of the rubric: 0 to {max_grade}, as a whole number.",
        )
    return int(value)


class DuplicateCheck:
    """The keys that were read so far, and where each one was."""

    def __init__(self) -> None:
        self._places: dict[Hashable, str] = {}

    def add(self, key: Hashable, name: str, place: str) -> None:
        """Raises SetAside where `key` was read before; the message calls it `name`."""
        if key in self._places:
            raise SetAside(
                f"{name} came before, in {self._places[key]}",
                "The first one is used. Remove one of them.",
            )
        self._places[key] = place


def shown(value: Any) -> str:
    """`value` for a message: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
