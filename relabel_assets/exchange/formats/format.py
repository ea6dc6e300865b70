"""What every format of judgments has: a name, a line of help, and functions that check, write and read.

What belongs here: that interface, and reading steps that several formats share. What does not: one format
(its own file beside this one), and their list (all_formats.py).
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from relabel_assets.exchange.judgments import Judgment, Judgments, Unwritable
from relabel_assets.intake.input_limits import GIB, MAX_LINE_BYTES, MAX_QUERY_CHARACTERS
from relabel_assets.intake.json_text import BadJson, parse_json
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.regular_files import numbered_lines, open_text
from relabel_assets.intake.text import shown

# One JSON document is in memory at once, with about ten times its bytes as Python objects. 100,000
# judgments are some 10 MB.
MAX_JSON_BYTES = GIB // 4
Read = Iterator[tuple[int | None, Judgment | SetAside]]


@dataclass(frozen=True)
class Format:
    """One format. `write` writes to a scratch path: a file, or a folder where `is_folder`.

    `unwritable` gives the rows that it cannot hold; `instead` names formats that can. `read` gives each
    judgment of a path with its line, or the reason why it cannot be used; `max_grade` is the rubric's.
    """

    name: str
    line: str
    ending: str
    unwritable: Callable[[Judgments], Iterator[Unwritable]]
    write: Callable[[Judgments, Path], None]
    read: Callable[[Path, int], Read]
    instead: tuple[str, ...] = ("csv", "parquet")
    is_folder: bool = False
    has_provenance: bool = False  # in its own columns: it needs no file beside it


def whole_grade(value: Any, max_grade: int) -> int:
    """A grade as files of other tools write it: 2, 2.0, "2" or "2.000".

    Raises SetAside for all else, and for a grade outside of the rubric.

    >>> whole_grade("2.000", 3), whole_grade(1.0, 3)
    (2, 1)
    """
    number: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value.strip()):
        number = float(value)
    if number is None or not math.isfinite(number) or number not in range(max_grade + 1):
        remedy = f"Grades of the rubric: 0 to {max_grade}, as a whole number."
        raise SetAside(f"the grade is {shown(value)}", remedy)
    return int(number)


def query_text(value: Any) -> str:
    """A query's text. Raises SetAside where there is none.

    >>> query_text(" leave ")
    'leave'
    """
    if not isinstance(value, str) or not value.strip():
        raise SetAside(f"the query is {shown(value)}", "Give it its text.")
    if len(value) > MAX_QUERY_CHARACTERS:
        raise SetAside(
            "the query is too long", f"At most {MAX_QUERY_CHARACTERS:,} characters are read."
        )
    return value.strip()


def opened(path: Path) -> BinaryIO:
    """The text file at `path`. Raises SetAside for one that is packed, too large, or no regular file.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file, opened(Path(file.name)) as text:
    ...     text.read()
    b''
    """
    return open_text(path.parent, path.name, max_bytes=MAX_JSON_BYTES)


def read_lines(path: Path, judgment_of: Callable[[int, str], Judgment | None]) -> Read:
    """What `judgment_of` makes of each line of a file, from its number and text; None for no judgment.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.txt"
    ...     _ = path.write_text("d1\\n\\n")
    ...     [(line, judgment)] = read_lines(
    ...         path, lambda number, text: Judgment(text.strip(), 2) if text.strip() else None
    ...     )
    >>> line, judgment.doc_id
    (1, 'd1')
    """
    with opened(path) as file:
        for number, raw in numbered_lines(file):
            try:
                judgment = judgment_of(number, _text_of(raw))
                if judgment:
                    yield number, judgment
            except SetAside as reason:
                yield number, reason


def _text_of(raw: bytes) -> str:
    """The text of a line, with its end. Raises SetAside for a too long one, and for one not in UTF-8."""
    if len(raw) > MAX_LINE_BYTES:
        raise SetAside("the line is too long", f"At most {MAX_LINE_BYTES:,} bytes are read.")
    try:
        return raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise SetAside("not UTF-8 text", "Save the file as UTF-8.") from error


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`. Raises SetAside for all else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.json"
    ...     _ = path.write_text('{"requests": []}')
    ...     json_object(path)
    {'requests': []}
    """
    with opened(path) as file:
        try:
            value = parse_json(file.read().removeprefix(b"\xef\xbb\xbf"))
        except UnicodeDecodeError as error:
            raise SetAside("not UTF-8 text", "Save the file as UTF-8.") from error
        except BadJson as error:
            raise SetAside(f"not JSON ({error})", "Export it again.") from error
    if not isinstance(value, dict):
        raise SetAside(f"a {type(value).__name__}, not a JSON object", "Export it again.")
    return value


def members(value: Any, name: str, kind: type) -> Any:
    """The member `name` of a JSON object, which is of `kind`. Raises SetAside for all else.

    >>> members({"ratings": [1]}, "ratings", list)
    [1]
    """
    inner = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(inner, kind):
        expected = {"list": "a list", "dict": "an object", "str": "text"}[kind.__name__]
        raise SetAside(f"{name} is {shown(inner)}, not {expected}", "Correct it.")
    return inner


def write_json(value: Any, path: Path) -> None:
    """`value` as JSON, in UTF-8 and indented, so that people can read it and tools can compare it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json({"a": 1}, Path(folder) / "a.json")
    ...     (Path(folder) / "a.json").read_text()
    '{\\n "a": 1\\n}\\n'
    """
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
