"""Rows of JSON, each with its line: the objects of JSON Lines or of one array.

What belongs here: lines, the array, and the object in each. What does not: the members of an object, and
which of them a file must have.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import KIB, MAX_ARRAY_BYTES, MAX_LINE_BYTES, MIB
from relabel_assets.intake.json_text import BadJson, checked, decoder, parse_json
from relabel_assets.intake.set_aside import SetAside

JsonRow = dict[str, Any] | SetAside
_SPACE = " \t\r\n"


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


def is_array(file: BinaryIO) -> bool:
    """Whether `file` begins as a JSON array. It is at its start then."""
    file.seek(0)
    start = file.read(KIB).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    return start.startswith(b"[")


def array_rows(file: BinaryIO) -> Iterator[tuple[int, JsonRow]]:
    """Each object of the array in `file` with the line where it begins. Any other value costs itself.

    Raises SetAside, with the line, where the rest is no JSON, and for a file too large to parse whole.

    >>> import io
    >>> [line for line, _ in array_rows(io.BytesIO(b'[{"id": 1},\\n {"id": 2}]'))]
    [1, 2]
    """
    text = _whole_text(file)
    decode = decoder().raw_decode
    place, line = _skipped(text, 0), 1
    if text[place : place + 1] != "[":
        raise SetAside("it is no JSON array", "Write [{...}, {...}].")
    line += text.count("\n", 0, place)
    start = _skipped(text, place + 1)
    line += text.count("\n", place, start)
    is_first = True
    while text[start : start + 1] != "]" or not is_first:
        try:
            value, end = decode(text, start)
            value = checked(value, text[start:end])
        except (ValueError, RecursionError) as error:
            at = line + getattr(error, "lineno", 1) - text.count("\n", 0, start) - 1
            raise _broken(max(at, line), getattr(error, "msg", str(error))) from error
        if isinstance(value, dict):
            yield line, value
        else:
            yield line, SetAside(f"a {type(value).__name__}, not an object", "Write {...}.")
        is_first = False
        after = _skipped(text, end)
        line += text.count("\n", start, after)
        start = after
        if text[start : start + 1] == "]":
            break
        if text[start : start + 1] != ",":
            raise _broken(line, "a comma or ] is missing")
        after = _skipped(text, start + 1)
        line += text.count("\n", start, after)
        start = after
    if text[start + 1 :].strip():
        raise _broken(line, "text after the array")


def _whole_text(file: BinaryIO) -> str:
    file.seek(0)
    content = file.read(MAX_ARRAY_BYTES + 1)
    if len(content) > MAX_ARRAY_BYTES:
        message = f"an array of more than {MAX_ARRAY_BYTES // MIB:,} MiB"
        raise SetAside(message, "Write it as JSON Lines: one object a line, without [ and ].")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SetAside(f"not UTF-8 text in line {line:,}", "Save the file as UTF-8.") from error


def _broken(line: int, reason: str) -> SetAside:
    return SetAside(f"not JSON from line {line:,} on ({reason})", "Correct that line.")


def _skipped(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place


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
