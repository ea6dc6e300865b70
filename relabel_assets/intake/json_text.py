"""JSON from outside: parsed within limits of depth and digits, with text that can be stored.

What belongs here: parse_json, the only JSON parser for foreign text. What does not: what a value means.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

from relabel_assets.intake.input_limits import MAX_INTEGER_DIGITS, MAX_JSON_DEPTH
from relabel_assets.intake.text import is_storable, storable

_SPELLS_UNSTORABLE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")

Pairs = list[tuple[str, Any]]


class BadJson(ValueError):
    """The text is not JSON, or is nested too deep. The message says which, and where."""


class TooDeep(BadJson):
    """The text is nested too deep. Whoever wrote it is likely to write it so again."""


def parse_json(
    raw: bytes | str,
    *,
    object_of: Callable[[Pairs], Any] | None = None,
    max_depth: int = MAX_JSON_DEPTH,
) -> Any:
    """The value of `raw`, JSON in UTF-8.

    Lone surrogates and NUL become U+FFFD, so every text can be stored. An integer of more than 300
    digits becomes a float. `object_of` builds an object from its members, as object_pairs_hook.

    Raises BadJson for anything else than JSON, and TooDeep for values nested more than `max_depth`
    deep. Raises UnicodeDecodeError for bytes that are not UTF-8.

    >>> parse_json(b'{"grade": 2}')
    {'grade': 2}
    >>> parse_json('"a\\\\ud800"')
    'a\ufffd'
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8")
    try:
        value = decoder(object_of).decode(text)
    except RecursionError as error:
        raise TooDeep(f"nested more than {max_depth} deep") from error
    except json.JSONDecodeError as error:
        raise BadJson(f"{error.msg} at character {error.pos + 1:,}") from error
    except ValueError as error:
        raise BadJson(str(error)) from error
    return checked(value, text, max_depth)


@cache
def decoder(
    object_of: Callable[[Pairs], Any] | None = None, *, is_strict: bool = True
) -> json.JSONDecoder:
    """A decoder with the limit on digits. Pass its values to `checked`.

    Unless `is_strict`, line breaks and other control characters in a string stand for themselves.
    """
    return json.JSONDecoder(object_pairs_hook=object_of, parse_int=_integer, strict=is_strict)


def members_that_occur_once(pairs: Pairs) -> dict[str, Any]:
    """An object without the members that it has twice: neither of the two can be trusted.

    >>> members_that_occur_once([("grade", 1), ("model", "m"), ("grade", 2)])
    {'model': 'm'}
    """
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    counts = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if counts[name] == 1}


def checked(value: Any, text: str, max_depth: int = MAX_JSON_DEPTH) -> Any:
    """`value`, parsed from `text`, with storable texts. Raises TooDeep if it is nested too deep."""
    # Most texts cannot be deep, and spell no such character: then nothing is walked.
    if text.count("[") + text.count("{") > max_depth:
        _check_depth(value, max_depth)
    is_spelled = "\\u" in text and _SPELLS_UNSTORABLE.search(text)
    # A text of ASCII is storable but for NUL, which a decoder that is not strict allows.
    has_unstorable = "\0" in text if text.isascii() else not is_storable(text)
    if is_spelled or has_unstorable:
        return _storable(value)
    return value


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)


def _check_depth(value: Any, max_depth: int) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(max_depth):
        members = (item.values() if isinstance(item, dict) else item for item in level)
        level = [inner for items in members for inner in items if isinstance(inner, dict | list)]
        if not level:
            return
    raise TooDeep(f"nested more than {max_depth} deep")


def _storable(value: Any) -> Any:
    """`value` with storable texts, in keys too. Its depth is limited."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(name): _storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value
