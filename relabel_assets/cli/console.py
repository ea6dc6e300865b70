"""The console of all commands: text from data is shown, and does nothing to the terminal.

What belongs here: the two consoles, OUT and ERR. What does not: what is printed (output.py and its
neighbours), log lines (logs.py), and the streams themselves (standard_streams.py).
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import IO, Any

import rich.console
from rich.segment import Segment
from rich.text import Text

from relabel_assets.intake.text import printable

_NO_WIDTH = 100_000  # characters: no line is longer


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

    def print_folded(self, first: str, text: str, *, indent: int, style: str = "") -> None:
        """Print `first` and `text`. What does not fit the width is below it, indented; words stay whole.

        A path or a command is never cut, so it can be copied.
        """
        lines = textwrap.fill(
            text,
            self.width,
            initial_indent=first,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        self.print(Text(lines, style), highlight=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 (the BrokenPipeError that rich caught: print, Typer or main ends it)


def is_debugging() -> bool:
    """Whether --debug was given."""
    return bool(os.environ.get("RELABEL_DEBUG"))


def is_plain() -> bool:
    """Whether stdout takes plain lines alone: a pipe, a file, or a terminal with TERM=dumb."""
    return not _is_terminal(sys.stdout) or os.environ.get("TERM") == "dumb"


def size_of(stream: IO[str] | None) -> dict[str, int | None]:
    """The width and height of a console on `stream`. None lets rich ask the terminal.

    COLUMNS is honoured everywhere. A pipe without it has no width: nothing is folded there.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        width = min(int(columns), _NO_WIDTH)
    elif not _is_terminal(stream):
        width = _NO_WIDTH
    elif os.environ.get("TERM") == "dumb":
        width = shutil.get_terminal_size().columns
    else:
        return {"width": None, "height": None}
    return {"width": width, "height": 25}  # rich takes a dumb terminal's width only with a height


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


OUT = Console(**size_of(sys.stdout))
ERR = Console(stderr=True, **size_of(sys.stderr))
