"""The exceptions that a user can act on, and the record of an input that was set aside.

What belongs here: exceptions whose message names the culprit, the allowed values and the remedy. What
does not: programming errors, which stay plain Python exceptions (intake/unexpected.py). This module
imports no other module of the project.
"""

from dataclasses import dataclass


class RelabelError(Exception):
    """An error that a user can fix. The command prints `str(error)` and exits with `exit_code`."""

    exit_code = 1


class CorpusError(RelabelError):
    """A corpus folder cannot be used, or one of its files: `problem` names that file."""

    exit_code = 3

    def __init__(self, message: str, problem: "Problem | None" = None) -> None:
        super().__init__(message)
        self.problem = problem


class ConfigError(RelabelError):
    """A setting, a rubric or a prompt file is wrong."""

    exit_code = 4


class ContractError(RelabelError):
    """A frame breaks the declaration of its table."""

    exit_code = 5


class WarehouseError(RelabelError):
    """The warehouse cannot be opened, read or written."""

    exit_code = 6


class TeacherError(RelabelError):
    """The teacher cannot answer: no key, no endpoint, an unknown model."""

    exit_code = 7


class StudentError(RelabelError):
    """A student cannot be trained, loaded or run."""

    exit_code = 8


@dataclass(frozen=True)
class Problem:
    """One input of a corpus folder that was set aside, so that the rest could be used.

    `file` is relative to the corpus folder. `line` counts from 1; None means the whole file.

    >>> print(Problem("queries.jsonl", 3, "the query has no text", "Add `text`."))
    queries.jsonl:3: the query has no text. Add `text`.
    """

    file: str
    line: int | None
    message: str
    remedy: str

    def __str__(self) -> str:
        location = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{location}: {self.message.rstrip('.')}. {self.remedy}".rstrip()
