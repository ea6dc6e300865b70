"""The settings of one corpus folder: what its corpus.yaml states, the texts it names, and its teacher.

What belongs here: reading them from the folder. What does not: what a setting means (config/), and the rows
of the folder (folder.py).
"""

from relabel_assets.corpus.config.config import CorpusConfig
from relabel_assets.corpus.config.config_file import parse_corpus_config
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.corpus.corpus_files import CorpusFiles
from relabel_assets.corpus.part_files import SETTINGS
from relabel_assets.errors import ConfigError
from relabel_assets.intake.text import shown


def stated_config(files: CorpusFiles) -> CorpusConfig:
    """The settings of corpus.yaml, as they are written there; the defaults without one.

    Raises ConfigError for a malformed one, and for one that names another corpus.

    >>> from pathlib import Path
    >>> stated_config(CorpusFiles("demo", Path("/nowhere"))).teacher.kind is None
    True
    """
    file = files.settings
    text = files.text(file) if file else ""
    config = parse_corpus_config(text, file=f"{files.name}/{file or SETTINGS[0]}")
    if config.name not in (None, files.name):
        raise ConfigError(
            f"{files.name}/{file}: name is {config.name!r}, and the folder is "
            f"{files.name!r}. Rename one of them, or leave name out."
        )
    return config


def offline(config: CorpusConfig) -> CorpusConfig:
    """`config` with teacher.mode offline, whatever it states.

    >>> offline(CorpusConfig()).teacher.mode
    'offline'
    """
    teacher = config.teacher.model_copy(update={"mode": "offline"})
    return config.model_copy(update={"teacher": teacher})


def with_teacher(config: CorpusConfig, model: str) -> CorpusConfig:
    """`config` with the live teacher `model` in place of any.

    >>> with_teacher(CorpusConfig(), "gpt-4o-mini").teacher.kind
    'openai'
    """
    return config.model_copy(update={"teacher": TeacherConfig(kind="openai", model=model)})


def named_text(files: CorpusFiles, file: str) -> str:
    """The text of a file that corpus.yaml names. Raises ConfigError if it cannot be read.

    >>> from pathlib import Path
    >>> named_text(CorpusFiles("demo", Path("/nowhere")), "rubric.yaml")
    Traceback (most recent call last):
    relabel_assets.errors.ConfigError: demo/corpus.yaml names 'rubric.yaml'. ...
    """
    try:
        return files.text(file)
    except ConfigError as error:
        raise ConfigError(f"{files.name}/corpus.yaml names {shown(file)}. {error}") from error


def teacher_kind(teacher: TeacherConfig, *, has_recorded_labels: bool) -> str:
    """none, recorded or openai. Default: recorded if there are recorded grades.

    Without them it is openai where corpus.yaml has any setting of a teacher. Nothing is ever sent for
    none.

    >>> teacher_kind(TeacherConfig(), has_recorded_labels=False)
    'none'
    >>> teacher_kind(TeacherConfig(model="gpt-4o-mini"), has_recorded_labels=False)
    'openai'
    """
    if teacher.kind or has_recorded_labels:
        return teacher.kind or "recorded"
    return "openai" if teacher.is_named else "none"


def no_teacher(files: CorpusFiles) -> ConfigError:
    """The error of a corpus without a teacher: nothing may be sent."""
    return ConfigError(
        f"corpus {files.name!r} has no teacher, so nothing is sent. Name one in "
        f"{files.name}/{files.settings or SETTINGS[0]}, such as "
        "teacher: {kind: openai, model: gpt-4o-mini, budget_usd: 5}, or put grades in "
        "teacher_labels.jsonl."
    )
