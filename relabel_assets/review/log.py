"""The log of reviews: all files of a folder, followed while people grade.

What belongs here: what each assessor did, and how fast. What does not: appending (store.py), and what is
asked next (desk.py).
"""

import io
import statistics
import threading
from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_ROWS_FILE_BYTES
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.intake.regular_files import numbered_lines, open_regular
from relabel_assets.review.review import Review
from relabel_assets.review.standing import Pair, Standing
from relabel_assets.review.store import FOLDER, review_files, reviews_of_lines, wait_for_writer

# Longer is a break and no grade. Not measured: a long document is read in some minutes.
_LONGEST_S = 300.0


class ReviewLog:
    """The reviews in `folder`. `refresh` reads what any process appended since the last time.

    Threads that share it hold its `lock` from `refresh` to the last look.

    >>> log = ReviewLog(Path("no/reviews"), max_grade=3)
    >>> log.refresh()
    >>> log.assessors()
    []
    """

    def __init__(self, folder: Path, *, max_grade: int) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.problems: list[Problem] = []
        self._unreadable: set[str] = set()
        self._max_grade = max_grade
        self._read_until: dict[str, int] = {}
        self._n_lines: dict[str, int] = {}
        self._files: dict[str, Standing] = defaultdict(Standing)
        self._times: dict[str, list[datetime]] = defaultdict(list)

    def refresh(self) -> None:
        """Read the new lines of every file. A line without its end is read once it has one."""
        for name in review_files(self.folder):
            if name not in self._unreadable:
                n_problems = len(self.problems)
                with costs_itself(self.problems, f"{FOLDER}/{name}"):
                    self._refresh(name)
                if any(problem.line is None for problem in self.problems[n_problems:]):
                    self._unreadable.add(name)  # a problem is reported once

    def _refresh(self, name: str) -> None:
        start = self._read_until.get(name, 0)
        with suppress(OSError):
            n_bytes = (self.folder / name).stat().st_size
            if n_bytes == start:
                return
            if n_bytes < start:  # somebody put another file in its place
                self._files.pop(name)
                start = self._n_lines[name] = 0
        with open_regular(self.folder, name, max_bytes=MAX_ROWS_FILE_BYTES) as file:
            wait_for_writer(file)
            file.seek(start)
            raw = file.read()
        whole = raw[: raw.rfind(b"\n") + 1]
        self._read_until[name] = start + len(whole)
        lines = list(numbered_lines(io.BytesIO(whole)))
        n_before = self._n_lines.get(name, 0)
        self._n_lines[name] = n_before + len(lines)
        for review in reviews_of_lines(
            ((n_before + number, line) for number, line in lines),
            file=f"{FOLDER}/{name}",
            max_grade=self._max_grade,
            problems=self.problems,
        ):
            if self._files[name].add(review) and review.action != "undo":
                self._times[review.assessor].append(review.reviewed_at)

    def assessors(self) -> list[str]:
        """Everybody who has reviewed a pair, sorted."""
        return sorted(self._times)

    def has(self, assessor: str, request_id: str) -> bool:
        """Whether an action with this id is on the disk."""
        return self._files[f"{assessor}.jsonl"].has(request_id)

    def of(self, assessor: str, pair: Pair) -> Review | None:
        """The review of `pair` by `assessor` that counts."""
        found = [standing.of(assessor, pair) for standing in self._files.values()]
        reviews = [review for review in found if review is not None]
        return max(reviews, key=lambda review: review.reviewed_at, default=None)

    def last(self, assessor: str) -> Review | None:
        """The last action of `assessor` that an undo would take back."""
        return self._files[f"{assessor}.jsonl"].last(assessor)

    def seconds_per_review(self, assessor: str) -> float | None:
        """The median time between two reviews of `assessor`, breaks left out; None before the second."""
        times = self._times[assessor]
        gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
        kept = [gap for gap in gaps if 0 < gap <= _LONGEST_S]
        return statistics.median(kept) if kept else None
