"""What a step logs: a line when it begins and ends, its progress, and what was set aside.

What belongs here: those lines, for the terminal, Dagster's log and JSON logs. What does not: their formats
(logs.py), and the work of the step (table_asset.py).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import dagster as dg

from relabel_assets.errors import Problem
from relabel_assets.graph import catalog
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.intake.text import one_line
from relabel_assets.progress import Progress, TimeLeft, duration, has_display, silent

PROGRESS = logging.getLogger("relabel_assets.progress")
_PROBLEMS_SHOWN = 20  # one screen
_SECONDS_BETWEEN_LINES = 5  # not measured: a reader sees progress, and a long run's log stays short


@dataclass(frozen=True)
class StepLog:
    """The lines of one `table` in one Dagster run."""

    context: dg.AssetExecutionContext
    table: str

    def subject(self, corpus: str) -> str:
        return f"{corpus} / {self.table}"

    def line(self, corpus: str, text: str, **counts: float) -> None:
        """Log a line for the terminal, with `counts` as fields for JSON logs."""
        fields = self._fields(corpus) | counts
        PROGRESS.info("%s%s", self.subject(corpus), text, extra=fields)

    def notices(self, corpus: str, notices: Sequence[str]) -> None:
        """Log a warning for each of the `notices`."""
        for notice in notices:
            PROGRESS.warning("  %s", one_line(notice), extra=self._fields(corpus))

    def problems(self, corpus: str, problems: Sequence[Problem]) -> None:
        """Log the first `problems`, and the command that lists all of them."""
        for problem in problems[:_PROBLEMS_SHOWN]:
            with suppress(*INPUT_ERRORS):
                self.context.log.warning(f"set aside: {one_line(str(problem))}")
            PROGRESS.warning("  set aside: %s/%s", corpus, problem, extra=self._fields(corpus))
        n_more = len(problems) - _PROBLEMS_SHOWN
        if n_more > 0:
            query = catalog.set_aside_query(corpus, self.table)
            PROGRESS.warning(
                '  set aside: %s more. All of them: relabel sql "%s"',
                f"{n_more:,}",
                query,
                extra=self._fields(corpus),
            )

    def progress(self, corpus: str, shown: Progress) -> Progress:
        """The callback that the step reports to. Each report goes to `shown` too."""
        fields = self._fields(corpus)
        return logged_progress(self.subject(corpus), self.context.log.info, shown, fields=fields)

    def _fields(self, corpus: str) -> dict[str, str]:
        """The fields of each JSON log line (logs.py)."""
        return {"corpus": corpus, "asset": self.table, "run": self.context.run_id}


def logged_progress(
    subject: str,
    log: Callable[[str], object],
    shown: Progress = silent,
    *,
    fields: Mapping[str, str] | None = None,
) -> Progress:
    """A callback that logs a line at most every five seconds, with `fields` for JSON logs.

    Each report goes to `shown` too. Where a display shows it, Dagster alone gets the line.
    """
    last_at = time.monotonic()
    time_left = TimeLeft()

    def report(step: str, done: int, total: int, note: str = "") -> None:
        nonlocal last_at
        shown(step, done, total, note)
        left, now = time_left(step, done, total), time.monotonic()
        if now - last_at < _SECONDS_BETWEEN_LINES:
            return
        last_at = now
        share = f"{done:,}/{total:,}" if total else f"{done:,}"
        remark = ", ".join(filter(None, (note, f"{duration(left)} left" if left else "")))
        line = one_line(f"{subject}: {step} {share} {remark}")
        # Dagster writes it to its database. A line that cannot be written costs no work.
        with suppress(*INPUT_ERRORS):
            log(line)
        if not has_display():
            PROGRESS.info("  %s", line, extra=fields)

    return report
