"""What systems are built on: the file systems.yaml beside their runs.

What belongs here: its settings and its messages. What does not: whether a system is related to a labeler
(benchmark/systems/kinship.py).

    systems:
      dense: {base_model: all-MiniLM-L6-v2}
      distilled: {teacher: gpt-4o}
"""

from collections.abc import Collection

import pydantic
from pydantic import Field

from relabel_assets.corpus.config.settings import MAX_NAME_CHARACTERS, Settings
from relabel_assets.errors import ConfigError
from relabel_assets.intake.input_limits import MAX_SETTINGS_BYTES
from relabel_assets.intake.text import one_line
from relabel_assets.intake.yaml_text import BadYaml, parse_yaml


class SystemOrigin(Settings):
    """What one system is built on."""

    base_model: str | None = Field(None, max_length=MAX_NAME_CHARACTERS)
    teacher: str | None = Field(None, max_length=MAX_NAME_CHARACTERS)


class _File(Settings):
    systems: dict[str, SystemOrigin] = Field(default_factory=dict)


def parse_origins(text: str, *, file: str, systems: Collection[str]) -> dict[str, SystemOrigin]:
    """The origin of each system that `text`, the content of a systems.yaml, names.

    Raises ConfigError for text that is not such a file, and for a system without a run.

    >>> text = "systems: {dense: {base_model: all-MiniLM-L6-v2}}"
    >>> parse_origins(text, file="systems.yaml", systems=["dense"])["dense"].base_model
    'all-MiniLM-L6-v2'
    """
    try:
        value = parse_yaml(text, max_bytes=MAX_SETTINGS_BYTES).value
        origins = _File.model_validate({} if value is None else value).systems
    except BadYaml as error:
        where = file if error.line is None else f"{file}:{error.line}"
        raise ConfigError(f"{where}: {error}. Correct that line.") from error
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        place = one_line(".".join(str(part) for part in fault["loc"]))[:100]
        raise ConfigError(
            f"{file}: {place}: {fault['msg']}. Write: systems: {{NAME: {{base_model: ..., teacher: ...}}}}."
        ) from error
    unknown = sorted(set(origins) - set(systems))
    if unknown:
        raise ConfigError(
            f"{file}: there is no run of {one_line(', '.join(unknown))}. Systems with a run: "
            f"{', '.join(sorted(systems)) or 'none'}."
        )
    return origins
