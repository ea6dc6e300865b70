"""What a file states of itself: title, author, dates. Programs fill them with nonsense, which is no answer.

What belongs here: which stated values count. What does not: where a format keeps them (the readers).
"""

import email.utils
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from relabel_assets.intake.formats.parsing.blocks import one_space
from relabel_assets.intake.text import storable

_LONGEST = 500  # characters of a title or of authors: a longer one is a text that slipped there
# What programs write where nobody gave a title, and names of files.
_NO_TITLE = re.compile(
    r"(?:microsoft (?:word|powerpoint|excel|office)\b.*|untitled.*|unbenannt.*|sans titre.*|sin t[íi]tulo.*"
    r"|(?:new |word |powerpoint |html )?"
    r"(?:document|dokument|presentation|präsentation|présentation|slide|title)[ _-]*\d*"
    r"|powerpoint[- ]präsentation|présentation powerpoint|presentación de powerpoint"
    r"|no title|none|index|home"
    r"|.*\.(?:docx?|docm|dotx?|pdf|indd|pptx?|ppsx?|xlsx?|od[tps]|rtf|tex|dvi|qxd|pub|html?|txt|md))",
    re.I | re.S,
)
_NO_AUTHOR = re.compile(
    r"(?:unknown|anonymous|author|admin(?:istrator)?|user|owner|root|guest|none|n/?a|default|python-docx"
    r"|microsoft office user|(?:windows|office) user|benutzer|utilisateur|usuario)[ _-]*\d*|https?://.*",
    re.I | re.S,
)
_NO_VALUES = ("unspecified", "anonymous", "untitled")
# Fixed, so that a text read again another year is the same: 1601, 1970 and 1904 are zeros of clocks.
_FIRST_YEAR, _YEAR_AFTER_LAST = 1980, 2050
# The templates of python-docx and python-pptx: nobody changed a document then.
_OF_TEMPLATES = ("2013-12-23T23:15:00", "2013-01-27T09:14:16", "2013-01-27T09:15:58")
_FORMATS = (
    "%B %d, %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%d %B, %Y",
    "%d %b, %Y",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%Y-%m-%d %H:%M",
)


def title_of(value: Any) -> str | None:
    """`value` as a title; None for what a program wrote, the name of a file, and what has no letters.

    >>> title_of(" Leave  policy "), title_of("Microsoft Word - leave.doc"), title_of("untitled")
    ('Leave policy', None, None)
    """
    return _stated(value, _NO_TITLE)


def author_of(value: Any) -> str | None:
    """`value` as an author; None for a program's word for a user, and for an address.

    >>> author_of("Ana Ek"), author_of("Administrator"), author_of("https://example.org/ana")
    ('Ana Ek', None, None)
    """
    return _stated(value, _NO_AUTHOR)


def date_of(value: Any) -> str | None:
    """A date or a time in ISO 8601; None for other texts, and for years before 1980 and from 2050.

    A date that may be read in two ways (03/04/2024) is none.

    >>> date_of("2024-03-01T10:00:00Z"), date_of("March 3, 2024"), date_of("1601-01-01")
    ('2024-03-01T10:00:00+00:00', '2024-03-03', None)
    """
    moment = value if isinstance(value, date) else _moment(one_space(str(value or "")))
    if moment is None or not _FIRST_YEAR <= moment.year < _YEAR_AFTER_LAST:
        return None
    if isinstance(moment, datetime):
        moment = moment.replace(microsecond=0)
    text = moment.isoformat()
    return None if text.startswith(_OF_TEMPLATES) else text


def metadata_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The `values` that are there: texts in one line, dates in ISO 8601.

    >>> metadata_of({"subject": " Leave ", "keywords": "", "created": datetime(2024, 3, 1)})
    {'subject': 'Leave', 'created': '2024-03-01T00:00:00'}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        kept = date_of(value) if isinstance(value, date) else value
        if isinstance(kept, str):
            kept = one_space(storable(kept))
        if kept and kept not in _NO_VALUES:
            found[name] = kept
    return found


def _stated(value: Any, nonsense: re.Pattern[str]) -> str | None:
    text = one_space(storable(str(value or "")))
    has_letter = any(character.isalpha() for character in text)
    return text if has_letter and len(text) <= _LONGEST and not nonsense.fullmatch(text) else None


def _moment(text: str) -> date | None:
    is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
    if not re.match(r"\d{4}-?\d\d", text) and not re.search(r"[A-Za-z./ ]", text):
        return None  # a number
    try:
        return date.fromisoformat(text) if is_date else datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            parsed = datetime.strptime(text, form)
        except ValueError:
            continue
        return parsed if "%H" in form else parsed.date()
    try:
        return email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
