"""Rows of a JSON Lines file, each with its line: an object, or the reason why there is none.

What belongs here: blank lines, the byte order mark, and the object of a line. What does not: the
members of an object, and which of them a file must have.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from relabel_assets.intake.input_limits import MAX_LINE_BYTES
from relabel_assets.intake.json_text import BadJson, parse_json
from relabel_assets.intake.one_input import SetAside

JsonRow = dict[str, Any] | SetAside


def json_rows(
    lines: Iterable[tuple[int, bytes]],
    check_columns: Callable[[Sequence[str]], None] = lambda names: None,
) -> Iterator[tuple[int, JsonRow]]:
    """The object of each of the numbered `lines`, or the reason why it cannot be used.

    `check_columns` gets the names in the first object, and raises SetAside if they cannot be used: then
    that is its reason, and the next object is checked. Blank lines are skipped.

    >>> [number for number, row in json_rows([(1, b'{"a": 1}\\n'), (2, b"\\n"), (3, b"[]\\n")])]
    [1, 3]
    """
    is_first = True
    for number, raw in lines:
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not line.strip():
            continue
        try:
            row = _object(line)
            if is_first:
                check_columns(list(row))
        except SetAside as reason:
            yield number, reason
        else:
            is_first = False
            yield number, row


def _object(line: bytes) -> dict[str, Any]:
    """The JSON object in a line. Raises SetAside for anything else, and for a line over the limit."""
    if len(line) > MAX_LINE_BYTES:
        raise SetAside("the line is too long", f"At most {MAX_LINE_BYTES:,} bytes are read.")
    try:
        value = parse_json(line)
    except UnicodeDecodeError as error:
        raise SetAside("not UTF-8 text", "Save the file as UTF-8.") from error
    except BadJson as error:
        torn = "" if line.endswith(b"\n") else ". The file ends in the middle of it"
        raise SetAside(f"not JSON ({error}){torn}", "Write one JSON object per line.") from error
    if not isinstance(value, dict):
        raise SetAside(
            f"a {type(value).__name__}, not a JSON object", 'Write {"name": value, ...}.'
        )
    return value
