"""The selection of tables after `-s`: table names and `+`, as in dbt, in Dagster's selection syntax.

What belongs here: rewriting a selection. What does not: resolving it (runner.py).

Dagster's syntax names a table as `key:"labels"`. Its older syntax takes a bare name, but no `or`, and there
`+labels` is one layer of upstream tables. Here a bare name means the same as `key:`, everywhere.
"""

import re
from collections.abc import Collection

from relabel_assets.errors import ConfigError
from relabel_assets.intake.text import shown

_WORDS = ("and", "or", "not", "sinks", "roots")
# What is no table: texts in quotes, and an attribute with its value, such as group:student or tag:a="b".
_VALUE = r'(?:"[^"]*"|[^\s()+="]+)'
_OTHER = rf'"[^"]*"|\w+\s*:\s*{_VALUE}(?:\s*=\s*{_VALUE})?'
_UP, _DOWN = r"(?:(?P<up>\*|\+{2,9}|\d*\s*\+)\s*)?", r"(?P<down>\s*(?:\*|\+{1,9}\d*))?"
_TABLE = rf"{_UP}(?P<name>\b[A-Za-z_][\w./-]*+)(?!\s*:){_DOWN}"
_TOKEN = re.compile(rf"{_OTHER}|{_TABLE}")


def with_keys(selection: str, tables: Collection[str]) -> str:
    """`selection` with `key:"name"` in place of each bare name. `+name` is all upstream, `1+name` one layer.

    The older forms keep their meaning: `*name` is all upstream, and `++name` two layers. Raises ConfigError
    for a name that is not in `tables`.

    >>> with_keys("+student_model or 1+labels", ["student_model", "labels"])
    '+key:"student_model" or 1+key:"labels"'
    >>> with_keys("labels*", ["labels"])
    'key:"labels"+'
    """

    def rewrite(token: re.Match[str]) -> str:
        name = token["name"]
        if name is None or name.lower() in _WORDS:
            return token[0]
        if name not in tables:
            raise ConfigError(
                f"--select: there is no table {shown(name)}. Tables: {', '.join(tables)}."
            )
        return _layers(token["up"], is_up=True) + f'key:"{name}"' + _layers(token["down"])

    return _TOKEN.sub(rewrite, selection)


def _layers(written: str | None, *, is_up: bool = False) -> str:
    """`+` with its number of layers, as Dagster's syntax has it."""
    text = re.sub(r"\s", "", written or "").replace("*", "+")
    if re.fullmatch(r"\+{2,}", text):
        return f"{len(text)}+" if is_up else f"+{len(text)}"
    return text
