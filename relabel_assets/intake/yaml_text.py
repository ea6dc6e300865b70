"""YAML from outside: front matter, corpus.yaml, rubrics and prompts, as plain text values.

What belongs here: parse_yaml, the only YAML parser. What does not: what a key means.

A scalar is the characters that were written: 1.10, 0123, 12:30, 2024-02-30 and No are texts. Only an
empty value, ~ and null are None. Settings models turn texts into numbers. There are no aliases, no tags
and no merge keys: they make small files large, or build objects.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from relabel_assets.intake.input_limits import MAX_YAML_DEPTH

_Events = Iterator[yaml.Event]
_NULLS = ("", "~", "null", "Null", "NULL")
_Path = tuple[str | int, ...]


class BadYaml(ValueError):
    """The text cannot be read. `line` counts from 1; None means the whole text."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Yaml:
    """A parsed text. `lines` has the line, from 1, of every key and list item by its path."""

    value: Any
    lines: dict[_Path, int] = field(default_factory=dict)

    def line_of(self, path: _Path) -> int | None:
        """The line of the longest part of `path` that was written."""
        return next(
            (self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None
        )


def parse_yaml(text: str, *, max_bytes: int) -> Yaml:
    """The dict, list, text or None in `text`, one YAML document.

    Raises BadYaml for text that is not YAML, is longer than `max_bytes` in UTF-8, is nested more than
    16 deep, or has an alias, a repeated key or a key that is not a text.

    >>> parse_yaml("title: 1.10\\ntags: [a, No]", max_bytes=100).value
    {'title': '1.10', 'tags': ['a', 'No']}
    """
    n_bytes = len(text.encode("utf-8", "replace"))
    if n_bytes > max_bytes:
        raise BadYaml(f"{n_bytes:,} bytes of YAML; at most {max_bytes:,} are read")
    try:
        return _document(iter(yaml.parse(text, Loader=_LOADER)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # At the end of the text, libyaml names the line after the last.
        line = None if mark is None else min(mark.line, text.count("\n")) + 1
        raise BadYaml(f"not YAML ({error.problem or error.context})", line) from error
    except yaml.reader.ReaderError as error:
        # It is the first such character. `position` counts bytes or characters, by the parser.
        line = text.count("\n", 0, max(text.find(chr(error.character)), 0)) + 1
        message = f"not YAML (a character that YAML does not allow: #x{error.character:04x})"
        raise BadYaml(message, line) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, BadYaml):
            raise
        first_line = str(error).partition("\n")[0]
        raise BadYaml(f"not YAML ({first_line})") from error


# Events of the C parser, where PyYAML has it: ten times faster, and no recursion on nested text.
_LOADER: Any = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader


def _document(events: _Events) -> Yaml:
    parsed = Yaml(None)
    n_documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            n_documents += 1
            if n_documents > 1:
                raise BadYaml("a second YAML document begins", event.start_mark.line + 1)
            parsed.value = _node(next(events), events, (), parsed.lines)
    return parsed


def _node(event: yaml.Event, events: _Events, path: _Path, lines: dict[_Path, int]) -> Any:
    line = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent):
        raise BadYaml(f"the alias *{event.anchor} is not read: write its value again", line)
    if isinstance(event, yaml.ScalarEvent):
        is_plain = event.implicit[0]  # not in quotes
        return None if is_plain and event.value in _NULLS else event.value
    if len(path) >= MAX_YAML_DEPTH:
        raise BadYaml(f"nested more than {MAX_YAML_DEPTH} deep", line)
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Any] = []
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            place = (*path, len(items))
            lines[place] = item.start_mark.line + 1
            items.append(_node(item, events, place, lines))
        return items
    members: dict[str, Any] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarEvent):
            raise BadYaml("a key must be a text", line)
        if key.value in members:
            raise BadYaml(f"the key {key.value!r} is there twice", line)
        place = (*path, key.value)
        lines[place] = line
        members[key.value] = _node(next(events), events, place, lines)
    return members
