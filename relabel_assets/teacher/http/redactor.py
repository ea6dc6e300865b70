"""Redaction of secrets from everything that an endpoint sends, in every spelling of a secret.

What belongs here: finding a secret in text and in JSON values. What does not: which secrets there are
(credentials.py).
"""

import re
from collections.abc import Iterable
from html.entities import html5
from typing import Any

# A shorter key, such as "none" or "EMPTY" for a local server, is no secret but a word of replies.
SHORTEST_SECRET = 8
PLACEHOLDER = "[key]"
# Text that was escaped n times has 2**n - 1 backslashes in a row. A run is read from its start only, and
# never given back: so no run is read twice.
_BACKSLASHES = r"(?<!\\)\\++"
_ESCAPE_SIGNS = ("\\", "%", "&")  # without one of them, a secret can only be there as it is


class Redactor:
    r"""Replaces each of `secrets` by [key], also where it is escaped as in JSON, URLs or HTML.

    The time is linear in the length of the text.

    >>> redact = Redactor(["sk-0123456789"])
    >>> redact.text(r"Incorrect API key: \\u0073k-0123456%3789")
    'Incorrect API key: [key]'
    >>> redact.value({"sk-0123456789": ["Bearer sk-0123456789"]})
    {'[key]': ['Bearer [key]']}
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first, because one may be a part of another.
        distinct = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len)
        self._secrets = distinct[::-1]
        self._pattern = re.compile("|".join(map(_spellings, self._secrets)))

    def text(self, text: str) -> str:
        """`text` without the secrets."""
        if not self._secrets:
            return text
        if any(sign in text for sign in _ESCAPE_SIGNS):
            return self._pattern.sub(PLACEHOLDER, text)
        for secret in self._secrets:
            text = text.replace(secret, PLACEHOLDER)
        return text

    def value(self, value: Any) -> Any:
        """`value`, a decoded JSON value of limited depth, without the secrets, in keys too."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.value(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value


def _spellings(secret: str) -> str:
    """A pattern for all spellings of `secret`. A run of backslashes in it matches any run."""
    parts = re.findall(r"\\+|[^\\]", secret)
    return "".join(r"\\++" if part[0] == "\\" else _spelled(part) for part in parts)


def _spelled(character: str) -> str:
    """A pattern for the spellings of one character."""
    code = ord(character)
    hexadecimal = "".join(f"[{digit}{digit.upper()}]" for digit in f"{code:x}")
    utf8 = "".join(f"%(?:25){{0,8}}{byte:02x}" for byte in character.encode("utf-8", "replace"))
    names = [name.rstrip(";") for name, meaning in html5.items() if meaning == character]
    references = [f"#0{{0,8}}{code};?", f"#[xX]0{{0,8}}{hexadecimal};?"]
    references += [f"{name};?" for name in sorted(set(names))]
    escapes = [
        rf"[uU]\{{?0{{0,8}}{hexadecimal}\}}?",
        rf"x0{{0,2}}{hexadecimal}",
        f"0{{0,2}}{code:o}",
    ]
    if not character.isalnum():  # "\n" is no n, but "\/" is a slash
        escapes.append(re.escape(character))
    spellings = [
        re.escape(character),
        f"{_BACKSLASHES}(?:{'|'.join(escapes)})",
        f"(?i:{utf8})",
        f"&(?:amp;){{0,8}}(?:{'|'.join(references)})",
    ]
    return f"(?:{'|'.join(spellings)})"


NO_SECRETS = Redactor()
