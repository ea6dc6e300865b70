"""Parsing a corpus.yaml, and the message for one that is wrong.

What belongs here: turning the file's text into settings. What does not: the settings themselves
(config.py) and finding the file (corpus/folder_settings.py).
"""

import difflib
import re
from typing import Any, get_args

import pydantic

from relabel_assets.corpus.config.config import CorpusConfig
from relabel_assets.errors import ConfigError
from relabel_assets.intake.input_limits import MAX_SETTINGS_BYTES
from relabel_assets.intake.text import one_line
from relabel_assets.intake.yaml_text import BadYaml, Yaml, parse_yaml
from relabel_assets.plural import counted

_LONGEST_PATH = 100  # characters of a key in a message
_MOST_LISTED = 10  # mistakes: a file of another program has a thousand keys
_NUMBER = re.compile(r"[-+]?[0-9.]{1,12}")


def parse_corpus_config(text: str, *, file: str) -> CorpusConfig:
    """The settings in `text`, the content of a corpus.yaml; messages call it `file`.

    Raises ConfigError for text that is not YAML, a value out of bounds, or an unknown key. The
    message names the line, and the nearest key that exists.
    """
    try:
        parsed = parse_yaml(text, max_bytes=MAX_SETTINGS_BYTES)
    except BadYaml as error:
        raise ConfigError(f"{at_line(file, error.line)}: {error}. Correct that line.") from error
    if parsed.value is None:
        return CorpusConfig()
    if not isinstance(parsed.value, dict):
        kind = "a list" if isinstance(parsed.value, list) else "a text"
        raise ConfigError(
            f"{file}: must be keys and values, not {kind}. Write lines such as 'description: ...'."
        )
    try:
        return CorpusConfig.model_validate(parsed.value)
    except pydantic.ValidationError as error:
        faults = error.errors()
        messages = [_message(fault, file, parsed) for fault in faults[:_MOST_LISTED]]
        if len(faults) > _MOST_LISTED:
            n_more = counted(len(faults) - _MOST_LISTED, "more mistake")
            messages.append(f"{file}: {n_more}. Correct these first.")
        raise ConfigError("\n".join(messages)) from error


def at_line(file: str, line: int | None) -> str:
    """The place of a mistake: `file`, or `file:line`."""
    return file if line is None else f"{file}:{line}"


def _message(problem: Any, file: str, parsed: Yaml) -> str:
    """The sentence for one problem that pydantic reports.

    It shows no value but a number: a value under a wrong key may be a password.
    """
    where = at_line(file, parsed.line_of(problem["loc"]))
    path = (
        one_line(".".join(str(part) for part in problem["loc"]))[:_LONGEST_PATH] or "the empty key"
    )
    if problem["type"] != "extra_forbidden":
        value = problem["input"]
        is_number = isinstance(value, str) and _NUMBER.fullmatch(value)
        shown_value = f" (it is {value})" if is_number else ""
        is_section = problem["type"] in ("model_type", "dict_type")
        message = "settings are expected here" if is_section else problem["msg"]
        return f"{where}: {path}: {message}{shown_value}. docs/corpus-yaml.md has all settings."
    allowed = _keys_at(problem["loc"][:-1])
    nearest = difflib.get_close_matches(str(problem["loc"][-1])[:100], allowed, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{where}: {path} is not a setting. {hint}Allowed here: {', '.join(allowed)}."


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """The keys that are allowed in the settings under `path`, which may be optional."""
    model: type[pydantic.BaseModel] = CorpusConfig
    for part in path:
        annotation = model.model_fields[str(part)].annotation
        model = next(kind for kind in (annotation, *get_args(annotation)) if _is_model(kind))
    return list(model.model_fields)


def _is_model(kind: Any) -> bool:
    """Whether `kind` is the class of a settings model."""
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)
