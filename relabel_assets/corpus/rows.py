"""Rows of a corpus file: JSON lines, checked fields, duplicates, and the problem of each bad row.

What belongs here: turning lines and values into checked fields. What does not: which fields a
document or a label has (documents.py, queries.py, grades.py) and opening files (folder.py).
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_FIELD_CHARACTERS, MAX_ID_CHARACTERS
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.one_input import SetAside, costs_itself
from relabel_assets.intake.tables.json_lines import json_rows
from relabel_assets.intake.tables.numbered_rows import NumberedRow
from relabel_assets.intake.text import is_storable, printable, shown


@dataclass
class ReadRows:
    """The usable rows of a file, and a problem for each of the others.

    `notes`: sentences on how the file was read, where that was not plain.
    """

    frame: pl.DataFrame
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def json_objects(
    lines: Iterable[tuple[int, bytes]], *, file: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each JSON object of the numbered `lines`, with its number. Blank lines are skipped.

    Any other line is added to `problems`.
    """
    return usable_rows(json_rows(lines), file=file, problems=problems)


def usable_rows(
    rows: Iterable[NumberedRow], *, file: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The `rows` of a table that can be used. Any other is added to `problems`."""
    for number, row in rows:
        if not isinstance(row, SetAside):
            yield number, row
            continue
        with costs_itself(problems, file, number):
            raise row


def required_id(row: Mapping[str, Any], name: str) -> str:
    """The id under `name`: text, or the digits of a whole number. Raises SetAside without one."""
    value = optional_id(row, name)
    if value is None:
        raise SetAside(f"{name} is missing or empty", f"Give it a {name}.")
    return value


def optional_id(row: Mapping[str, Any], name: str) -> str | None:
    """The id under `name`; None where it is missing. It is one line of printable text, in NFC."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = optional_text(row, name, max_characters=MAX_ID_CHARACTERS)
    if text is None:
        return None
    text = text.strip()
    if "\n" in text or "\t" in text or printable(text) != text:
        raise SetAside(f"{name} is {shown(text)}, with control characters", "Remove them.")
    return text


def required_text(
    row: Mapping[str, Any], name: str, *, max_characters: int = MAX_FIELD_CHARACTERS
) -> str:
    """The text under `name`. Raises SetAside where it is missing or blank."""
    text = optional_text(row, name, max_characters=max_characters)
    if text is None:
        raise SetAside(f"{name} is missing or empty", f"Give it a {name}.")
    return text


def optional_text(
    row: Mapping[str, Any], name: str, *, max_characters: int = MAX_FIELD_CHARACTERS
) -> str | None:
    """The text under `name` in NFC; None where it is missing, null or blank."""
    value = row.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise SetAside(f"{name} is {shown(value)}, not text", "Put it in quotes.")
    if len(value) > max_characters:
        message = f"{name} is too long"
        raise SetAside(message, f"At most {max_characters:,} characters are read.")
    if not is_storable(value):
        message = f"{name} holds characters that are not text (NUL or a lone surrogate)"
        raise SetAside(message, "Remove them.")
    return nfc(value)


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
