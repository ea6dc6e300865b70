"""stdin, stdout and stderr: closed ones lead nowhere, and any character can be written.

What belongs here: the streams themselves. What does not: what is printed (console.py). It imports nothing
of this project, so that the command starts quickly.
"""

import os
import sys
from contextlib import suppress


def fill_closed_streams() -> None:
    """Lead closed streams nowhere.

    A file or pipe that is opened later would get the number of a closed stream, and what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one


def open_streams() -> None:
    """Make printing safe. A terminal that cannot show a character shows its escape."""
    fill_closed_streams()
    # Python has None for a stream that was closed when it started.
    sys.stdin = sys.stdin or open(0, closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def let_go_of_streams() -> None:
    """Drop what stdout and stderr cannot write. Python would try again at its end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
