"""The progress of long work: the type of its callbacks, the time left, and who shows it.

What belongs here: the type, the estimate, and the one display of this process. What does not: drawing a
bar (cli/progress_display.py), and Dagster's log (graph/step_log.py).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from relabel_assets import stopping

# A first piece alone says little: it may have loaded a model.
_LEAST_S_FOR_AN_ESTIMATE = 1.0


class Progress(Protocol):
    """`done` of `total` pieces of `step` are finished; `note` is a remark, such as a loss.

    A total of 0 is not known.
    """

    def __call__(self, step: str, done: int, total: int, note: str = "") -> None: ...


def silent(step: str, done: int, total: int, note: str = "") -> None:
    """Report nothing."""


def renamed(progress: Progress, step: str) -> Progress:
    """`progress`, whose reports are all of `step`: what somebody else's pieces are for.

    >>> seen = []
    >>> renamed(lambda *report: seen.append(report), "measuring dev, pairs")("scoring pairs", 1, 2)
    >>> seen
    [('measuring dev, pairs', 1, 2, '')]
    """

    own_step = step

    def report(step: str, done: int, total: int, note: str = "") -> None:
        progress(own_step, done, total, note)

    return report


class TimeLeft:
    """Estimates of the seconds left of each step, from its speed since its first report.

    >>> now = iter([0.0, 10.0, 20.0])
    >>> left = TimeLeft(clock=lambda: next(now))
    >>> [left("training", done, 40) for done in (0, 10, 20)]
    [None, 30.0, 20.0]
    """

    def __init__(self, clock: "Clock" = time.monotonic) -> None:
        self._clock = clock
        self._firsts = dict[str, tuple[float, int, int]]()

    def __call__(self, step: str, done: int, total: int) -> float | None:
        """The seconds left, or None where nothing can be said yet."""
        now = self._clock()
        began_at, first, last = self._firsts.get(step, (now, done, done))
        if done < last:  # the step has begun again, with the next chunk or epoch
            began_at, first = now, done
        self._firsts[step] = (began_at, first, done)
        elapsed = now - began_at
        if not total or done <= first or elapsed < _LEAST_S_FOR_AN_ESTIMATE:
            return None
        return max(0.0, elapsed / (done - first) * (total - done))


class Clock(Protocol):
    def __call__(self) -> float: ...


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> [duration(seconds) for seconds in (0.4, 59, 61, 3599, 7300)]
    ['1 s', '59 s', '1 min 01 s', '59 min 59 s', '2 h 01 min']
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class Display(Protocol):
    """Shows the work of this process in its terminal or log."""

    def begin(self, subject: str) -> None: ...

    def update(self, subject: str, step: str, done: int, total: int, note: str) -> None: ...

    def end(self, subject: str) -> None: ...


_display: Display | None = None


def show_on(display: Display | None) -> None:
    """From now on `display` shows the work of this process; None shows nothing."""
    global _display  # noqa: PLW0603 (there is one terminal)
    _display = display


def has_display() -> bool:
    """Whether somebody sees the reports of working_on."""
    return _display is not None


@contextmanager
def working_on(subject: str) -> Iterator[Progress]:
    """Within the block, the display says that `subject` is worked on; the callback gives the details.

    Each report is a moment at which a stop that was dropped is obeyed.

    >>> with working_on("demo / seed_docs") as progress:
    ...     progress("reading, files", 1, 2)
    """
    display = _display

    def report(step: str, done: int, total: int, note: str = "") -> None:
        stopping.check()
        if display:
            display.update(subject, step, done, total, note)

    stopping.check()
    if display:
        display.begin(subject)
    try:
        yield report
    finally:
        if display:
            display.end(subject)
