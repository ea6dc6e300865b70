"""Text from outside: characters that cannot be stored, and characters that must not reach a terminal.

What belongs here: replacing single characters. What does not: JSON (json_text.py), Markdown and HTML.
"""

import re
from typing import Any

# Lone surrogates cannot be written as UTF-8, and NUL ends strings in many programs.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LONGEST_SHOWN = 60  # characters of a value: a message stays one line
# Control characters but line feed and tab, surrogates, and characters that reorder or hide text.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)


def storable(text: str) -> str:
    """`text` with U+FFFD in place of NUL and of each lone surrogate.

    >>> storable("a\\ud800b")
    'a\ufffdb'
    """
    return _UNSTORABLE.sub("\ufffd", text)


def is_storable(text: str) -> bool:
    """Whether `text` has neither NUL nor a lone surrogate."""
    return _UNSTORABLE.search(text) is None


def printable(text: str) -> str:
    r"""`text` for a terminal or a log: control characters are shown as escapes and do nothing.

    A byte of a file name that is not UTF-8 is shown as \xff.

    >>> printable("red \x1b[31m alert")
    'red \\x1b[31m alert'
    """
    return _UNPRINTABLE.sub(_escaped, text)


def shown(value: Any) -> str:
    """`value` for a message, as Python writes it: at most 60 characters.

    >>> shown("a" * 100)[-5:]
    'aaaa…'
    """
    if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
        # The repr of all of a long text would be made for nothing.
        value = value[:_LONGEST_SHOWN] + "…"
    return cut(repr(value), _LONGEST_SHOWN)


def cut(text: str, n_characters: int) -> str:
    """`text` in at most `n_characters`; an ellipsis ends one that was longer.

    >>> cut("parental leave", 9), cut("leave", 9)
    ('parental…', 'leave')
    """
    return text if len(text) <= n_characters else text[: n_characters - 1] + "…"


def one_line(text: str) -> str:
    """`printable` text without line breaks: a message from data cannot begin a line of its own.

    >>> one_line("bad\\n  ok")
    'bad ok'
    """
    return printable(" ".join(text.split()))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode's form of an undecodable byte
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
