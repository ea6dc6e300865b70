"""Parsing a corpus.yaml, and the message for one that is wrong.

What belongs here: turning the file's text into settings. What does not: the settings themselves
(config.py) and finding the file (folder.py).
"""

import difflib
from pathlib import PurePath
from typing import Any, get_args

import pydantic
import yaml

from relabel_assets.corpus.config import CorpusConfig
from relabel_assets.errors import ConfigError


def parse_corpus_config(text: str, *, file: str) -> CorpusConfig:
    """The settings in `text`, the content of a corpus.yaml; messages call it `file`.

    Raises ConfigError for text that is not YAML, a value out of bounds, or an unknown key. The
    message names the nearest key that exists.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = file if line is None else f"{file}:{line + 1}"
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"{where}: not YAML ({problem}). Correct that line.") from error
    if raw is None:
        return CorpusConfig()
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{file}: must be keys and values such as 'description: ...', "
            f"not a {type(raw).__name__}."
        )
    try:
        return CorpusConfig.model_validate(raw)
    except pydantic.ValidationError as error:
        messages = [_message(problem, file) for problem in error.errors()]
        raise ConfigError("\n".join(messages)) from error


def _message(problem: Any, file: str) -> str:
    """The sentence for one problem that pydantic reports."""
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{PurePath(file)}: {path}: {problem['msg']} (it is {problem['input']!r})."
    allowed = _keys_at(problem["loc"][:-1])
    nearest = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{PurePath(file)}: {path} is not a setting. {hint}Allowed here: {', '.join(allowed)}."


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
