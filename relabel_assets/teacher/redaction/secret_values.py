"""Secrets in a text: keys, tokens and passwords, by the expressions of detect-secrets.

What belongs here: where they are. What does not: personal values (personal_values.py). Nothing is sent
anywhere to find out whether a secret is in use.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detect_secrets.plugins.base import BasePlugin

Span = tuple[int, int]

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_LONGEST_KEY = 20_000  # characters; of one that does not end, so much is taken
# In prose a password has no quotes, which detect-secrets wants. A value of letters and digits is one.
_STATED = re.compile(
    r"(?i)\b(?:password|passwd|passphrase|pwd|secret|token|api[ _-]?key|access[ _-]?key)\b"
    r"(?:\s{0,3}(?:is|=|:)\s{0,3})[`\"']?(?=[^\s`\"']{0,200}\d)(?=[^\s`\"']{0,200}[^\W\d_])"
    r"([^\s`\"',;]{6,200})"
)
# A longer line is searched in pieces: some expressions of detect-secrets look at each place again and
# again. A secret at the joint of two pieces is found in the overlap.
_PIECE, _OVERLAP = 1_000, 300
# Every secret that detect-secrets knows has such a part, and most lines of prose have none.
_LONG_PART = re.compile(r"\S{16}")
# Addresses of machines are a kind of their own. Keys and passwords are found by the expressions above:
# these plugins miss their ends, or take minutes for a text that repeats "password".
_NOT_USED = {"IPPublicDetector", "PrivateKeyDetector", "KeywordDetector"}


def secrets(text: str) -> Iterator[Span]:
    """The secrets in `text`.

    >>> text = "The key is AKIAIOSFODNN7EXAMPLE, the password: hunter2x."
    >>> [text[start:end] for start, end in secrets(text)]
    ['hunter2x.', 'AKIAIOSFODNN7EXAMPLE']
    """
    yield from _private_keys(text)
    for match in _STATED.finditer(text):
        yield match.span(1)
    for start, piece in _pieces(text):
        if not _LONG_PART.search(piece):
            continue
        for plugin in _plugins():
            for value in _found(plugin, piece):
                at = piece.find(value)
                while at >= 0:
                    yield start + at, start + at + len(value)
                    at = piece.find(value, at + len(value))


def _private_keys(text: str) -> Iterator[Span]:
    """Each private key, from its first line to its last: a line of it says nothing of itself."""
    taken, has_end = 0, True
    for begin in _KEY_BEGINS.finditer(text):
        if begin.start() < taken:
            continue
        end = _KEY_ENDS.search(text, begin.end()) if has_end else None
        has_end = end is not None
        longest = min(len(text), begin.start() + _LONGEST_KEY)
        taken = min(end.end(), longest) if end else longest
        yield begin.start(), taken


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The lines of `text` with their places; pieces of a long one."""
    for line in re.finditer(r"[^\n]+", text):
        for start in range(line.start(), line.end(), _PIECE - _OVERLAP):
            yield start, text[start : min(start + _PIECE, line.end())]
            if start + _PIECE >= line.end():
                break


def _found(plugin: "BasePlugin", piece: str) -> set[str]:
    """The secrets that `plugin` finds in `piece`. Shorter ones than 4 characters are words of the text."""
    entropy = getattr(plugin, "calculate_shannon_entropy", None)
    values = {str(value) for value in plugin.analyze_string(piece)}
    if entropy is not None:
        values = {value for value in values if entropy(value) > plugin.entropy_limit}  # type: ignore[attr-defined]
    return {value for value in values if len(value) >= 4}


@cache
def _plugins() -> "tuple[BasePlugin, ...]":
    """The detectors of detect-secrets, in the order of their names."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    classes: Iterable[type[BasePlugin]] = get_mapping_from_secret_type_to_class().values()
    used = [plugin for plugin in classes if plugin.__name__ not in _NOT_USED]
    return tuple(plugin() for plugin in sorted(used, key=lambda plugin: plugin.__name__))
