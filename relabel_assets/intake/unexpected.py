"""One line for an error that nobody expected: its type, its text and the place in the code.

What belongs here: that line. What does not: who catches such an error (cli/main.py, graph/failures.py),
and errors with a remedy of their own (errors.py).
"""

import traceback
from pathlib import Path

from relabel_assets.intake.text import one_line

_PACKAGE = Path(__file__).resolve().parents[1]
_LONGEST_TEXT = 500  # characters: some messages of libraries hold a whole document


def unexpected(error: BaseException) -> str:
    """What went wrong and where, in one printable line.

    >>> unexpected(KeyError("grade"))
    "an unexpected error: KeyError: 'grade'"
    """
    if isinstance(error, MemoryError):
        return f"the memory of this machine is full{_place(error)}"
    text = one_line(str(error)[:_LONGEST_TEXT])
    kind = type(error).__name__
    return f"an unexpected error: {kind}{': ' if text else ''}{text}{_place(error)}"


def _place(error: BaseException) -> str:
    """The last line of the package that the error passed, such as " (graph/step.py:48)"."""
    frames = reversed(list(traceback.walk_tb(error.__traceback__)))
    for frame, line in frames:
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            return f" ({file.relative_to(_PACKAGE).as_posix()}:{line})"
    return ""
