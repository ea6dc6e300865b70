"""The objects of a JSON array and the answers in them, each with the line where it begins.

What belongs here: splitting the array, and one bad object costs itself. What does not: what an object
means (label_studio.py, argilla.py).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import MAX_ROWS_FILE_BYTES
from relabel_assets.intake.json_text import BadJson, checked, decoder
from relabel_assets.intake.one_input import SetAside
from relabel_assets.review.forms.form import Answer

_SPACE = " \t\r\n"


def json_array(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object of the array in `file` with its line. Raises SetAside, with the line, for all else.

    >>> import io
    >>> [line for line, _ in json_array(io.BytesIO(b'[{"id": 1},\\n {"id": 2}]'))]
    [1, 2]
    """
    try:
        text = file.read(MAX_ROWS_FILE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SetAside("not UTF-8 text", "Save the file as UTF-8.") from error
    decode = decoder().raw_decode
    place, line = _skipped(text, 0, _SPACE), 1
    if text[place : place + 1] != "[":
        raise SetAside("it is no JSON array", "Export it as JSON: a list of tasks or records.")
    line += text.count("\n", 0, place)
    place += 1
    is_first = True
    while True:
        start = _skipped(text, place, _SPACE)
        line += text.count("\n", place, start)
        if text[start : start + 1] == "]":
            if text[start + 1 :].strip():
                raise _broken(line, "text after the array")
            return
        if not is_first:
            if text[start : start + 1] != ",":
                raise _broken(line, "a comma or ] is missing")
            place = _skipped(text, start + 1, _SPACE)
            line += text.count("\n", start, place)
            start = place
        try:
            value, place = decode(text, start)
            value = checked(value, text[start:place])
        except (ValueError, RecursionError, BadJson) as error:
            at = getattr(error, "lineno", line)
            raise _broken(at, getattr(error, "msg", str(error))) from error
        if not isinstance(value, dict):
            raise _broken(line, f"a {type(value).__name__}, not an object")
        yield line, value
        line += text.count("\n", start, place)
        is_first = False


def answers_in_array(
    file: BinaryIO, answers: Callable[[int, dict[str, Any]], Iterable[Answer]]
) -> Iterator[tuple[int, Answer | SetAside]]:
    """The `answers` of each object of the array with its line, or the SetAside that they raised.

    >>> import io
    >>> array = io.BytesIO(b'[{"grade": 2}]')
    >>> answer = lambda line, row: [Answer(line, "pair-1", None, None, row["grade"])]
    >>> [(line, answer.grade) for line, answer in answers_in_array(array, answer)]
    [(1, 2)]
    """
    for line, row in json_array(file):
        try:
            yield from ((line, answer) for answer in answers(line, row))
        except SetAside as reason:
            yield line, reason


def _broken(line: int, reason: str) -> SetAside:
    return SetAside(f"not JSON from line {line:,} on ({reason})", "Export it again.")


def _skipped(text: str, place: int, characters: str) -> int:
    while place < len(text) and text[place] in characters:
        place += 1
    return place
