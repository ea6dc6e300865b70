"""The secrets of an endpoint: its key, from the environment, and what its address holds.

What belongs here: finding them, refusing a key that cannot be one, and the redactor of all of them. What
does not: redacting itself (redactor.py), and sending (endpoint.py).

No message shows a secret. It names the variable, and the place and the kind of a character in it.
"""

import os
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import parse_qsl, unquote, urlsplit
from urllib.request import getproxies

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.teacher.http.redactor import SHORTEST_SECRET, Redactor

# Variables that openai's client sends in headers beside the key.
_HEADER_VARIABLES = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"  # straight and curly
_PLAIN_NAMES = {
    " ": "a space",
    "\n": "a line break",
    "\r": "a line break",
    "\t": "a tab",
    "\ufeff": "a byte order mark (U+FEFF)",
}
_NOT_SHOWN = "Set it again without it; the key is not shown here."


def base_url_of(config: TeacherConfig) -> str | None:
    """The address from corpus.yaml, else from the environment; None for the client's default.

    >>> base_url_of(TeacherConfig(base_url="http://127.0.0.1:8000/v1"))
    'http://127.0.0.1:8000/v1'
    """
    variable = "AZURE_OPENAI_ENDPOINT" if config.api == "azure" else "OPENAI_BASE_URL"
    return config.base_url or os.environ.get(variable) or None


def key_variable(config: TeacherConfig) -> str:
    """The variable of the environment that holds the key. Azure takes OPENAI_API_KEY without it too.

    >>> key_variable(TeacherConfig(api="azure"))
    'AZURE_OPENAI_API_KEY'
    """
    return "AZURE_OPENAI_API_KEY" if config.api == "azure" else "OPENAI_API_KEY"


def read_key(config: TeacherConfig) -> str:
    """The key from the environment; "none" for a server that needs none.

    Raises TeacherError for a key that cannot be sent, and for a variable beside it that cannot.

    >>> read_key(TeacherConfig(base_url="http://127.0.0.1:8000/v1"))  # doctest: +SKIP
    'none'
    """
    names = tuple(dict.fromkeys((key_variable(config), "OPENAI_API_KEY")))
    for name in (*names, *_HEADER_VARIABLES):
        if fault := fault_in_key(os.environ.get(name, "").strip(), name):
            raise TeacherError(f"{name} cannot be sent: {fault}. {_NOT_SHOWN}")
    values = (os.environ.get(name, "").strip() for name in names)
    key = next((value for value in values if value), None)
    if key is None and (config.api == "azure" or base_url_of(config) is None):
        raise TeacherError(
            f"the teacher {config.model!r} cannot be asked: {names[0]} is not set. Set it in the "
            "environment (it is never written anywhere), or name a server that needs no key with "
            "teacher.base_url in corpus.yaml."
        )
    return key or "none"


def fault_in_key(key: str, name: str) -> str | None:
    """Why `key`, the value of the variable `name`, is no key; None if it may be one.

    >>> fault_in_key("sk-0123 456", "OPENAI_API_KEY")
    'its character 8 of 11 is a space, which no key has'
    >>> fault_in_key("'sk-0123'", "OPENAI_API_KEY")
    'it stands in quotation marks, which are no part of it'
    """
    if len(key) > 1 and key[0] in _QUOTES and key[-1] in _QUOTES:
        return "it stands in quotation marks, which are no part of it"
    for prefix in ("Bearer ", "export ", f"{name}="):
        if key.lower().startswith(prefix.lower()):
            return f"it begins with {prefix.strip()!r}, which is no part of it"
    for position, character in enumerate(key, start=1):
        if not "!" <= character <= "~" or character in _QUOTES:
            kind = kind_of(character)
            return f"its character {position:,} of {len(key):,} is {kind}, which no key has"
    return None


def kind_of(character: str) -> str:
    """The kind of a character in words, for a message that does not show the text around it.

    >>> kind_of("\\n"), kind_of("\\u2013")
    ('a line break', 'EN DASH (U+2013)')
    """
    code = f"U+{ord(character):04X}"
    if character in _PLAIN_NAMES:
        return _PLAIN_NAMES[character]
    if unicodedata.category(character) == "Cc":
        return f"a control character ({code})"
    return f"{unicodedata.name(character, 'a character without a name')} ({code})"


def fault_in_address(address: str) -> str | None:
    """Why user, password or query string of `address` cannot be sent; None if they can.

    >>> fault_in_address("http://user:pass\\u2013word@host/v1")
    'character 10 of its user and password is EN DASH (U+2013). Write it percent-encoded'
    """
    parts = urlsplit(address)
    userinfo = parts.netloc.rpartition("@")[0]
    for what, text in (("user and password", userinfo), ("query string", parts.query)):
        for position, character in enumerate(text, start=1):
            if not "!" <= character <= "~":
                kind = kind_of(character)
                return f"character {position} of its {what} is {kind}. Write it percent-encoded"
    return None


def redactor_of(config: TeacherConfig, key: str) -> Redactor:
    """The redactor of the key, of user, password and query string of the address, and of the proxies'.

    It knows each in Base64 too: HTTP sends user and password so, and a server may echo its headers.

    >>> config = TeacherConfig(base_url="http://user:password1@127.0.0.1:8000/v1?token=0123456789")
    >>> redactor_of(config, "sk-0123456789").text("sk-0123456789 password1 0123456789")
    '[key] [key] [key]'
    """
    secrets = [key]
    for address in (base_url_of(config) or "", *getproxies().values()):
        try:
            parts = urlsplit(address)
        except ValueError:
            continue
        userinfo = parts.netloc.rpartition("@")[0]
        user, _, password = userinfo.partition(":")
        # HTTP sends a colon in any case.
        raw = [userinfo, f"{user}:{password}", password, parts.query]
        raw += [value for _, value in parse_qsl(parts.query)]
        secrets += [*raw, *map(unquote, raw)]
    return Redactor(_with_base64(secrets))


def _with_base64(secrets: list[str]) -> list[str]:
    """`secrets`, and each of them in Base64, without the padding at its end."""
    return secrets + [
        encode(secret.encode("utf-8", "replace")).decode().rstrip("=")
        for secret in secrets
        if len(secret) >= SHORTEST_SECRET
        for encode in (b64encode, urlsafe_b64encode)
    ]
