"""Rows of a corpus file: JSON lines, checked fields, duplicates, and the problem of each bad row.

What belongs here: turning lines and values into checked fields. What does not: which fields a
document or a label has (documents.py, queries.py, grades.py) and opening files (folder.py).
"""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from relabel_assets.errors import Problem

# Not measured: some 13,000 pages. Without a limit, a file without line breaks would fill the memory.
MAX_LINE_BYTES = 32 * 1024 * 1024
_LONGEST_SHOWN = 60  # characters of a value: a message stays one line


@dataclass
class ReadRows:
    """The usable rows of a file, and a problem for each of the others."""

    frame: pl.DataFrame
    problems: list[Problem] = field(default_factory=list)


class SetAside(Exception):
    """This row cannot be used. Functions that parse files catch it and note a problem."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


def json_objects(
    lines: Iterable[bytes], *, file: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each JSON object with its line number, from 1. Blank lines are skipped.

    Any other line is added to `problems`.
    """
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
    """The id under `name`: text, or the digits of a whole number."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return required_text(row, name).strip()


def required_text(row: Mapping[str, Any], name: str) -> str:
    """The text under `name`. Raises SetAside where it is missing or blank."""
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
        message = f"{name} holds characters that are not text (NUL or a lone surrogate)"
        raise SetAside(message, "Remove them.")
    return value


def optional_choice(row: Mapping[str, Any], name: str, allowed: Sequence[str]) -> str | None:
    """The value of `allowed` under `name`; None where it is missing."""
    value = optional_text(row, name)
    if value is not None and value not in allowed:
        raise SetAside(f"{name} is {shown(value)}", f"Allowed: {', '.join(allowed)}.")
    return value


def required_grade(value: Any, max_grade: int) -> int:
    """`value` as a grade: a whole JSON number from 0 to `max_grade`.

    2.0 is the grade 2. Raises SetAside for text, true, 2.5 and all else.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value not in range(max_grade + 1):
        remedy = f"Grades of the rubric: 0 to {max_grade}, as a whole number."
        raise SetAside(f"grade is {shown(value)}", remedy)
    return int(value)


class DuplicateCheck:
    """The keys of the rows so far, with the place of each."""

    def __init__(self) -> None:
        self._places: dict[Hashable, str] = {}

    def add(self, key: Hashable, name: str, place: str) -> None:
        """Add `key`. Raises SetAside for one that was added before; the message calls it `name`."""
        if key in self._places:
            message = f"{name} came before, in {self._places[key]}"
            raise SetAside(message, "The first one is used. Remove one of them.")
        self._places[key] = place


def shown(value: Any) -> str:
    """`value` for a message: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
