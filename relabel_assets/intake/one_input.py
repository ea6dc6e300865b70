"""The rule that one bad input costs itself: a row, a file, a corpus, and never its neighbour.

What belongs here: which errors are an input's own, and what becomes of it then. What does not: finding
bad inputs, and their remedies.
"""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TypeVar

import polars as pl

from relabel_assets.errors import CorpusError, Problem, RelabelError, WarehouseError
from relabel_assets.intake.input_limits import MAX_UNUSABLE_ROWS
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import one_line, printable

_LONGEST_REASON = 200  # characters: a message stays a line or two
_REMEDY = "Correct it, or take it out."
Result = TypeVar("Result")
# Polars raises PanicException, which is no Exception, for some damaged files.
INPUT_ERRORS: tuple[type[BaseException], ...] = (Exception, pl.exceptions.PanicException)


class costs_itself:
    """A block that reads one input. An error inside becomes a problem of that input.

    `file` and `line` as in Problem. Errors of the warehouse pass: they are not the input's. So do
    Ctrl-C and the end of the process. Raises CorpusError after 100,000 rows of one file.

    >>> problems = []
    >>> with costs_itself(problems, "queries.jsonl", 3):
    ...     raise SetAside("the query has no text", "Add `text`.")
    >>> print(problems[0])
    queries.jsonl:3: the query has no text. Add `text`.
    """

    __slots__ = ("_file", "_line", "_problems")

    def __init__(self, problems: list[Problem], file: str, line: int | None = None) -> None:
        self._problems, self._file, self._line = problems, file, line

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if (
            error is None
            or not isinstance(error, INPUT_ERRORS)
            or isinstance(error, WarehouseError)
        ):
            return False
        self._problems.append(problem_of(error, self._file, self._line))
        if self._line is not None and len(self._problems) > MAX_UNUSABLE_ROWS:
            first = self._problems[0]
            message = f"more than {MAX_UNUSABLE_ROWS:,} rows cannot be used. The first: {first}"
            problem = Problem(one_line(self._file), None, message, "")
            raise CorpusError(str(problem), problem) from error
        return True


def problem_of(error: BaseException, file: str, line: int | None = None) -> Problem:
    """The problem of the input that raised `error`."""
    if isinstance(error, CorpusError) and error.problem:
        return error.problem
    file = one_line(file)
    if isinstance(error, SetAside):
        return Problem(file, line, one_line(error.message), one_line(error.remedy))
    if isinstance(error, RelabelError):
        return Problem(file, line, printable(str(error)), "")
    return Problem(file, line, f"it cannot be read: {reason_of(error)}", _REMEDY)


def reason_of(error: BaseException) -> str:
    """One printable line for an error of Python, the system or a library.

    >>> reason_of(PermissionError(13, "Permission denied", "/x/a.md"))
    'Permission denied'
    >>> reason_of(KeyError("grade"))
    "KeyError: 'grade'"
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return printable(text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "...")


def for_each_corpus(
    names: Iterable[str],
    work: Callable[[str], Result],
    on_failure: Callable[[str, RelabelError], None],
) -> Iterator[tuple[str, Result]]:
    """(name, `work(name)`) of each corpus. One that fails is given to `on_failure`; the others go on.

    Raises WarehouseError: the warehouse is everybody's. Raises BrokenPipeError: nobody reads the output
    any more.

    >>> def work(name):
    ...     return 1 / len(name)
    >>> list(for_each_corpus(["demo", ""], work, lambda name, error: print(error)))
    corpus '' cannot be used: ZeroDivisionError: division by zero. Correct it, or take it out.
    [('demo', 0.25)]
    """
    for name in names:
        try:
            result = work(name)
        except (WarehouseError, BrokenPipeError):
            raise
        except INPUT_ERRORS as error:
            on_failure(name, corpus_error(name, error))
        else:
            yield name, result


def corpus_error(name: str, error: BaseException) -> RelabelError:
    """`error` if it is one for users; else a CorpusError that names the corpus and the reason."""
    if isinstance(error, RelabelError):
        return error
    problem = f"corpus {name!r} cannot be used: {reason_of(error)}. {_REMEDY}"
    wrapped = CorpusError(problem)
    wrapped.__cause__ = error
    return wrapped
