"""The console of all commands: text from data is shown, and does nothing to the terminal.

What belongs here: the two consoles, OUT and ERR. What does not: what is printed (output.py and its
neighbours), and log lines (logs.py).
"""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import rich.console
from rich.segment import Segment
from rich.text import Text

from relabel_assets.intake.text import printable


class Console(rich.console.Console):
    """A rich console that shows control characters as escapes, and `:smile:` as it was written.

    Text from data must also pass rich.markup.escape, because strings may hold markup.
    A stderr that is closed or full is silent: a message that nobody reads stops no run.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        # Before the layout, so that the width of a cell is that of its escapes.
        return super().render_str(printable(text), **settings)

    def render(
        self,
        renderable: rich.console.RenderableType,
        options: rich.console.ConsoleOptions | None = None,
    ) -> Iterable[Segment]:
        # Text objects and titles do not pass render_str.
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)

    def print(self, *objects: Any, **settings: Any) -> None:
        try:
            super().print(*objects, **settings)
        except OSError:
            if not self.stderr:
                raise
            self.quiet = True

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 (the BrokenPipeError that rich caught: print, Typer or main ends it)


def is_debugging() -> bool:
    """Whether --debug was given."""
    return bool(os.environ.get("RELABEL_DEBUG"))


def terminal_width() -> int | None:
    """None lets rich ask the terminal. Piped output has no width.

    At 160 characters no cell of the benchmark table with its interval is folded.
    """
    return None if sys.stdout is not None and sys.stdout.isatty() else 160


def open_streams() -> None:
    """Make printing safe: closed streams lead nowhere, and any character can be written.

    A file that is opened later would get the number of a closed stream, and what is printed. A terminal
    that cannot show a character shows its escape.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
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


OUT = Console(width=terminal_width())
ERR = Console(stderr=True, width=terminal_width())
