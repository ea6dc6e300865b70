"""The progress of a command on stderr: a bar in a terminal, a line now and then elsewhere.

What belongs here: the two displays, and the log lines between them. What does not: what is reported
(progress.py), and the formats of log lines (logs.py).
"""

import logging
import os
import sys
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from relabel_assets import progress, stopping
from relabel_assets.cli.console import Console
from relabel_assets.cli.options import OutputFormat
from relabel_assets.intake.text import one_line
from relabel_assets.logs import JsonLines, TextLines

_LOGGER = logging.getLogger("relabel_assets.progress")
_SECONDS_BETWEEN_LINES = 10.0  # not measured: a log of an hour has at most some hundred of them
_REFRESHES_PER_SECOND = 4
_BEGIN = " ..."  # the end of a line that announces work: the bar says it


def show_progress(log_format: OutputFormat = OutputFormat.TEXT) -> None:
    """Show the progress of this process on stderr: as a bar if it is a terminal, else as lines."""
    handler: logging.Handler
    if log_format is OutputFormat.TEXT and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        bar = _Bar()
        progress.show_on(bar)
        handler = _BarHandler(bar)
        handler.setFormatter(TextLines())
    else:
        progress.show_on(_Lines())
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines() if log_format is OutputFormat.JSON else TextLines())
    logging.raiseExceptions = False  # a line that cannot be written is lost, and nothing else
    _LOGGER.handlers, _LOGGER.propagate = [handler], False
    _LOGGER.setLevel(logging.INFO)


@dataclass
class _Step:
    """A step in progress: `total` is 0 where it is not known."""

    done: int
    total: int
    note: str
    left: float | None

    def share(self) -> str:
        return f"{self.done:,}/{self.total:,}" if self.total else f"{self.done:,}"

    def remark(self) -> str:
        left = f"{progress.duration(self.left)} left" if self.left is not None else ""
        return ", ".join(part for part in (left, one_line(self.note)) if part)


class _Steps(dict[str, _Step]):
    """The steps in progress, those that contain others first: epochs, and the batches of one."""

    def __init__(self) -> None:
        super().__init__()
        self._time_left = progress.TimeLeft()

    def report(self, name: str, done: int, total: int, note: str) -> None:
        if name not in self:  # nobody says when a step without a total ends: the next one does
            for other in [other for other, step in self.items() if not step.total]:
                del self[other]
        self[name] = _Step(done, total, note, self._time_left(name, done, total))
        if total and done >= total:
            del self[name]


class _Lines:
    """A line of the log at most every ten seconds."""

    def __init__(self) -> None:
        self._last_at = time.monotonic()
        self._steps = _Steps()

    def begin(self, subject: str) -> None:
        self._steps = _Steps()

    def update(self, subject: str, step: str, done: int, total: int, note: str) -> None:
        self._steps.report(step, done, total, note)
        now = time.monotonic()
        if now - self._last_at < _SECONDS_BETWEEN_LINES or not self._steps:
            return
        self._last_at = now
        steps = [
            f"{name} {step.share()} {step.remark()}".rstrip() for name, step in self._steps.items()
        ]
        corpus, _, table = subject.partition(" / ")
        fields = {"corpus": corpus, "asset": table} if table else None
        _LOGGER.info("  %s: %s", subject, "; ".join(steps), extra=fields)

    def end(self, subject: str) -> None:
        pass


class _Bar:
    """The work in progress in the last lines of the terminal. It is drawn while there is work only."""

    def __init__(self) -> None:
        # A duplicate: Dagster leads stderr to a file during a step.
        stderr = os.dup(sys.stderr.fileno())
        file = os.fdopen(stderr, "w", encoding=sys.stderr.encoding, errors="backslashreplace")
        self.console = Console(file=file)
        self._live: Live | None = None
        self._lock = threading.RLock()
        self._subjects = dict[str, _Subject]()
        self._undo = ExitStack()

    def begin(self, subject: str) -> None:
        with self._lock:
            self._subjects[subject] = _Subject(subject)
            if self._live is None:
                self._live = Live(
                    get_renderable=self._render,
                    console=self.console,
                    transient=True,
                    refresh_per_second=_REFRESHES_PER_SECOND,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._undo.enter_context(stopping.before_interrupt(self._stop))
                self._live.start()

    def update(self, subject: str, step: str, done: int, total: int, note: str) -> None:
        with self._lock:
            if subject in self._subjects:
                self._subjects[subject].steps.report(step, done, total, note)

    def end(self, subject: str) -> None:
        with self._lock:
            self._subjects.pop(subject, None)
            if not self._subjects:
                self._stop()

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        with self._lock:
            self.console.print(Text(line), highlight=False, soft_wrap=True)

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live:
            with suppress(OSError):
                live.stop()
            self._undo.close()

    def _render(self) -> RenderableType:
        with self._lock:
            return Group(*(subject.render() for subject in self._subjects.values()))


class _Subject:
    """A table or file that is worked on, with its steps in progress."""

    def __init__(self, name: str) -> None:
        self._name, self._began_at = name, time.monotonic()
        self._spinner = Spinner("line")
        self.steps = _Steps()

    def render(self) -> RenderableType:
        """A line with the seconds so far, and two for each step: its bar and its time left."""
        elapsed = progress.duration(time.monotonic() - self._began_at)
        self._spinner.update(text=Text(f"{one_line(self._name)}, {elapsed}", no_wrap=True))
        lines: list[RenderableType] = [self._spinner]
        for name, step in self.steps.items():
            row = Table.grid(padding=(0, 1), expand=True)
            row.add_column(no_wrap=True)
            row.add_column(ratio=1)
            row.add_column(no_wrap=True, justify="right")
            bar = ProgressBar(step.total or None, step.done, pulse=not step.total)
            row.add_row(Text(f"  {one_line(name)}"), bar, step.share())
            lines.append(row)
            if remark := step.remark():
                lines.append(Text(f"    {remark}", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)


class _BarHandler(logging.Handler):
    """Prints log lines above the bar, but those that say what the bar says."""

    def __init__(self, bar: _Bar) -> None:
        super().__init__()
        self._bar = bar

    def emit(self, record: logging.LogRecord) -> None:
        if not record.getMessage().endswith(_BEGIN):
            with suppress(OSError, ValueError):
                self._bar.print(self.format(record))
