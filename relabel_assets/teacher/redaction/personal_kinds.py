"""The kinds of personal data and secrets by name, and which of them a short text has.

What belongs here: one list of all kinds. What does not: where their values are (personal_values.py,
secret_values.py), and replacing them (redaction.py).
"""

import re
from collections.abc import Callable, Iterable
from functools import partial

from relabel_assets.teacher.redaction import personal_values
from relabel_assets.teacher.redaction.secret_values import secrets

Finder = Callable[[str], Iterable[tuple[int, int]]]
# Every kind has a digit, an @ or a long word. Most queries have none, and detect-secrets takes milliseconds.
_MAY_HAVE = re.compile(r"[\d@]|\S{16}")


def finders(phone_region: str | None) -> dict[str, Finder]:
    """What finds the places (start, end) of each kind in a text, by the names of `teacher.redact`.

    >>> list(finders(None))
    ['secrets', 'emails', 'phone_numbers', 'cards', 'ibans', 'ips']
    """
    return {
        "secrets": secrets,
        "emails": personal_values.emails,
        "phone_numbers": partial(personal_values.phone_numbers, region=phone_region),
        "cards": personal_values.cards,
        "ibans": personal_values.ibans,
        "ips": personal_values.ips,
    }


def personal_kinds(text: str, phone_region: str | None = None) -> list[str]:
    """The kinds of personal data and secrets in `text`, by the names of `teacher.redact`.

    >>> personal_kinds("mail ana@example.com"), personal_kinds("error 0x80070005 in release 7.4.2")
    (['emails'], [])
    """
    if not _MAY_HAVE.search(text):
        return []
    return [kind for kind, find in finders(phone_region).items() if any(True for _ in find(text))]
