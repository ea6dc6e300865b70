"""Which kinds of personal data and secrets a short text has.

What belongs here: their names. What does not: where they are (personal_values.py, secret_values.py).
"""

import re
from collections.abc import Callable, Iterator

from relabel_assets.teacher.redaction import personal_values
from relabel_assets.teacher.redaction.secret_values import secrets

# Every kind has a digit, an @ or a long word. Most queries have none, and detect-secrets takes milliseconds.
_MAY_HAVE = re.compile(r"[\d@]|\S{16}")


def personal_kinds(text: str, phone_region: str | None = None) -> list[str]:
    """The kinds of personal data and secrets in `text`, by the names of `teacher.redact`.

    >>> personal_kinds("mail ana@example.com"), personal_kinds("error 0x80070005 in release 7.4.2")
    (['emails'], [])
    """
    if not _MAY_HAVE.search(text):
        return []
    finders: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
        "emails": personal_values.emails,
        "cards": personal_values.cards,
        "ibans": personal_values.ibans,
        "ips": personal_values.ips,
        "phone_numbers": lambda text: personal_values.phone_numbers(text, phone_region),
        "secrets": secrets,
    }
    return [kind for kind, find in finders.items() if next(iter(find(text)), None)]
