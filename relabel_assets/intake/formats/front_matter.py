"""Front matter: the keys and values that head a page, in YAML between --- lines or TOML between +++ lines.

What belongs here: telling front matter from text, and reading it. What does not: which key is a title or a
date (stated_fields.py), and the page below it (markdown_file.py).

A page that begins with a rule may be minutes, a pasted mail or a sample of JSON. Only a mapping that has
a key of site generators is front matter. All else stays in the text, so nothing is lost.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relabel_assets.intake.input_limits import MAX_FRONT_MATTER_BYTES
from relabel_assets.intake.yaml_text import BadYaml, parse_yaml

_BEGINS = re.compile(r"-{3,}|\+{3}")
_ENDS = {"-": re.compile(r"-{3,}|\.{3}"), "+": re.compile(r"\+{3}")}  # by the first character
# Keys that Jekyll, Hugo, Docusaurus, MkDocs, Pandoc, Zola, Astro, Eleventy, Obsidian and GitHub Docs define
# or use in their guides.
_KNOWN_KEYS = """
    title subtitle description summary abstract excerpt author authors creator owner date created
    updated updated_at last_updated last_update lastmod last_modified last_modified_at modified
    published publishdate tags tag categories category keywords aliases alias layout permalink slug
    url id type doc_type draft weight lang language locale template sidebar sidebar_label
    sidebar_position nav_order nav_title parent redirect_from redirect_to toc hide_title pagetitle
    linktitle image cssclasses publish taxonomies path contenttype
"""
_KNOWN = frozenset(_KNOWN_KEYS.split())
# A mail or minutes between two rules has such keys too, in capitals: "Date: ..." is text, "Title: ..." not.
_KNOWN_IN_CAPITALS = frozenset({"Title", "TITLE"})
_MOST_WORDS = 3  # of a key; "date created" is one of Obsidian's
_LINE = re.compile(r"(?P<key>[A-Za-z_][\w-]*)[ \t]*[:=][ \t]*(?P<value>\S.*)")


@dataclass(frozen=True)
class FrontMatter:
    """The `values` of front matter, and the `text` of the page. `text` is the whole page without any.

    `note`: why front matter was not read; it then stays in `text`. `values` then has the lines
    `key: value` that can be told all the same. `n_before`: characters of `text` that are unread front matter.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    n_before: int = 0


def split_front_matter(page: str) -> FrontMatter:
    """The front matter of `page`, apart from its text.

    Scalars of YAML are the characters that were written. Unreadable front matter stays in the text, because
    it may be text: then nothing is lost, and words of its values are still found.

    >>> split_front_matter("---\\ntitle: 1.10\\n---\\nAsk HR.").values
    {'title': '1.10'}
    >>> split_front_matter("---\\nTo: all\\nFrom: Ana\\n---\\nAsk HR.").text
    '---\\nTo: all\\nFrom: Ana\\n---\\nAsk HR.'
    """
    page = page.strip()
    first, *lines = page.split("\n")
    end = _end(lines, first[0]) if _BEGINS.fullmatch(first.rstrip()) else None
    if end is None:
        return FrontMatter(page)
    inner, rest = "\n".join(lines[:end]), "\n".join(lines[end + 1 :]).strip()
    if not inner.strip():
        return FrontMatter(rest)
    try:
        values = _toml(inner) if first.startswith("+") else _yaml(inner)
    except BadYaml as error:
        return _unreadable(page, lines[:end], error)
    # YAML reads JSON too: this is a sample of it.
    is_json = inner.lstrip().startswith("{")
    return (
        FrontMatter(page) if is_json or not _is_front_matter(values) else FrontMatter(rest, values)
    )


def _end(lines: list[str], first: str) -> int | None:
    """The index of the line that ends front matter whose fence begins with the character `first`."""
    is_end = _ENDS[first].fullmatch
    return next((n for n, line in enumerate(lines) if is_end(line.rstrip())), None)


def _is_front_matter(values: Any) -> bool:
    """Whether `values` are a mapping with names as keys, and one of them known."""
    if not isinstance(values, dict) or not all(_is_name(key) for key in values):
        return False
    return any(_is_known(key) for key in values)


def _is_name(key: str) -> bool:
    return bool(key) and len(key) <= 60 and "\n" not in key and len(key.split()) <= _MOST_WORDS


def _is_known(key: str) -> bool:
    return key in _KNOWN_IN_CAPITALS or (not key[0].isupper() and key.lower() in _KNOWN)


def _unreadable(page: str, lines: list[str], error: BadYaml) -> FrontMatter:
    """The page as it is; with a note, if one of `lines` looks like a line of front matter."""
    found = [match for line in lines if (match := _LINE.fullmatch(line.rstrip()))]
    values = {
        match["key"]: _unquoted(match["value"])
        for match in reversed(found)
        if not match["value"].startswith("{{")  # a template, to be filled in
    }
    if not any(_is_known(key) for key in values):
        return FrontMatter(page)
    where = "" if error.line is None else f" in line {error.line + 1}"
    note = (
        f"Its front matter cannot be read{where} ({error}) and stays in the text. "
        "Correct the lines between the two rules."
    )
    n_before = sum(len(line) + 1 for line in lines) + len(page.partition("\n")[0]) + 1
    return FrontMatter(page, values, note, n_before)


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value


def _yaml(text: str) -> Any:
    return parse_yaml(text, max_bytes=MAX_FRONT_MATTER_BYTES).value


def _toml(text: str) -> Any:
    """As parse_yaml, for TOML. Dates and times are texts in ISO 8601, numbers and booleans are texts.

    Raises BadYaml for text that is not TOML.
    """
    if len(text) > MAX_FRONT_MATTER_BYTES:
        raise BadYaml(
            f"{len(text):,} characters of TOML; at most {MAX_FRONT_MATTER_BYTES:,} are read"
        )
    try:
        return _texts(tomllib.loads(text.replace("\r\n", "\n"), parse_float=str))
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        at_line = re.search(r"at line (\d+)", str(error))
        reason = str(error).partition(" (at")[0]
        raise BadYaml(f"not TOML: {reason}", int(at_line[1]) if at_line else None) from error


def _texts(value: Any) -> Any:
    """`value` of TOML with every scalar as text."""
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
