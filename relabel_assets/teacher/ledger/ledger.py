"""The ledger: every teacher request and response, on the disk before it is used.

What belongs here: appending lines, looking up a key, and the lock for sending. What does not: the
format of a line (lines.py), parsing replies (teacher/replies.py) and statistics (report.py).

There is one file for each corpus and day: <folder>/<corpus>/<YYYY-MM-DD>.jsonl. Files only grow.
Any other *.jsonl below the folder is read too, so results from elsewhere can be put there. A file that
cannot be read costs itself: it becomes a notice.
"""

import datetime as dt
import errno
import os
import stat
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import filelock

from relabel_assets.errors import TeacherError
from relabel_assets.files import flush_folder, make_private
from relabel_assets.intake.one_input import SetAside, reason_of
from relabel_assets.intake.text import printable
from relabel_assets.teacher.ledger.chain import chained, last_chain
from relabel_assets.teacher.ledger.lines import Line, read_line, read_start
from relabel_assets.teacher.ledger.raw_lines import TOO_LONG, RawLine, line_at, raw_lines
from relabel_assets.teacher.ledger.shares import cost_share_usd, shares_of

# How often to try a lock that another process holds.
_APPEND_POLL_S = 0.005  # an append takes milliseconds
_SENDING_POLL_S = 0.2  # a run takes minutes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class History:
    """The responses of one key. `cost_usd` is the sum of known costs."""

    attempts: int = 0
    cost_usd: float | None = None
    places: tuple[tuple[int, int], ...] = ()  # of its answers: (number of the file, offset)


@dataclass
class Spend:
    """The cost of a corpus so far."""

    usd: float = 0.0
    # (prompt tokens, completion tokens) of the replies without a price, by model
    unpriced: dict[str, tuple[int, int]] | None = None


class Ledger:
    """The ledger in `folder`. `refresh` builds its index (about 300 bytes a key) and updates it."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.notices: list[str] = []
        self._files: list[Path] = []
        self._numbers: dict[Path, int] = {}
        self._read_until: dict[int, int] = {}
        self._unreadable: set[Path] = set()  # files with a notice
        self._histories: dict[bytes, History] = {}
        self._spend: dict[str, Spend] = defaultdict(Spend)
        self._dialects: dict[tuple[str, str], dict[str, None]] = {}
        self._largest_prompts: dict[tuple[str, str], int] = {}  # by model and endpoint
        self._token_limits: dict[tuple[str, str], dict[int, None]] = {}
        self._lock = threading.RLock()
        # The last response whose questions were asked together: its neighbours are looked up next.
        self._last_shares: tuple[tuple[int, int], dict[str, Line]] | None = None

    # reading

    def refresh(self) -> None:
        """Add the lines that any process appended since the last refresh to the index."""
        with self._lock:
            for file in self.files():
                self._read_file(file)

    def files(self) -> list[Path]:
        """Every file of the ledger, sorted by path."""
        return sorted(self.folder.glob("**/*.jsonl"))

    def history(self, key: str) -> History:
        """Attempts, cost and answers of `key`, as of the last refresh or append."""
        return self._histories.get(bytes.fromhex(key), History())

    def answers(self, key: str) -> Iterator[Line]:
        """The answers (2xx) of `key` with their bodies, newest first.

        Of a response to several questions, the share of `key` (shares.py).
        """
        for place in reversed(self.history(key).places):
            # The file may have been cut or replaced since it was indexed.
            line = self._shares_at(place).get(key)
            if line is not None and line.is_answer:
                yield line

    def _shares_at(self, place: tuple[int, int]) -> dict[str, Line]:
        """The response at `place`, by the keys of its questions; empty if there is none."""
        last = self._last_shares
        if last is not None and last[0] == place:
            return last[1]
        raw = line_at(self._files[place[0]], place[1])
        line = None if raw is None else read_line(raw)
        if line is None or line.is_request:
            return {}
        shares = shares_of(line)
        if line.metadata.asked_together:
            self._last_shares = place, shares
        return shares

    def spend(self, corpus: str) -> Spend:
        """The cost of all requests for `corpus`, of every purpose and model."""
        return self._spend.get(corpus, Spend())

    def dialects(self, model: str, endpoint: str | None = None) -> list[str]:
        """The names of the dialects that `model` answered in, latest first; at `endpoint`, if given."""
        names: dict[str, None] = {}  # in order of their latest answer
        for (indexed_model, indexed_endpoint), dialects in self._dialects.items():
            if indexed_model == model and endpoint in (None, indexed_endpoint):
                names |= dialects
        return list(reversed(names))

    def largest_prompt(self, model: str, endpoint: str) -> int:
        """The most prompt tokens of one answer of `model` at `endpoint`; 0 without an answer."""
        return self._largest_prompts.get((model, endpoint), 0)

    def token_limits(self, model: str, endpoint: str) -> list[int]:
        """The limits on tokens with which `model` at `endpoint` answered, latest first."""
        return list(reversed(self._token_limits.get((model, endpoint), {})))

    def lines(self, file: Path, start: int = 0) -> Iterator[RawLine]:
        """The lines of `file` from byte `start`. A file that cannot be read has none, and a notice."""
        try:
            yield from raw_lines(file, start)
        except SetAside as fault:
            if file not in self._unreadable:
                self._unreadable.add(file)
                name = printable(str(file))
                self.notices.append(f"{name} is not read: {fault.message}. {fault.remedy}")

    def _read_file(self, file: Path) -> None:
        """Index the lines of `file` that are new."""
        if file not in self._numbers:
            self._numbers[file] = len(self._files)
            self._files.append(file)
        number = self._numbers[file]
        for offset, end, raw in self.lines(file, self._read_until.get(number, 0)):
            if raw is not None and not raw.endswith(b"\n"):
                return  # torn, or still being written; the next append ends a torn line
            self._read_until[number] = end
            line = None if raw is None else read_start(raw)
            if raw is None:
                self.notices.append(f"{file}: the line at byte {offset} was skipped: {TOO_LONG}")
            elif line is None and raw.strip():
                self.notices.append(
                    f"{file}: the line at byte {offset} is torn or foreign and was skipped"
                )
            elif line is not None and not line.is_request:
                self._index(line, number, offset)

    def _index(self, line: Line, number: int, offset: int) -> None:
        """Add a response to the index, the spend and the dialects."""
        metadata, share_usd = line.metadata, cost_share_usd(line)
        for key in map(bytes.fromhex, line.question_keys):
            history = self._histories.get(key, History())
            cost_usd, places = history.cost_usd, history.places
            if share_usd is not None:
                cost_usd = (cost_usd or 0.0) + share_usd
            if line.is_answer:
                places = (*places, (number, offset))
            self._histories[key] = History(history.attempts + 1, cost_usd, places)
        spend = self._spend[metadata.corpus]
        if metadata.cost_usd is not None:
            spend.usd += metadata.cost_usd
        elif metadata.prompt_tokens is not None:
            unpriced = spend.unpriced = spend.unpriced or {}
            before = unpriced.get(metadata.model, (0, 0))
            unpriced[metadata.model] = (
                before[0] + metadata.prompt_tokens,
                before[1] + (metadata.completion_tokens or 0),
            )
        who = metadata.model, metadata.endpoint
        if line.is_answer and metadata.prompt_tokens is not None:
            self._largest_prompts[who] = max(self.largest_prompt(*who), metadata.prompt_tokens)
        if line.is_answer and metadata.dialect:
            _put_last(self._dialects.setdefault(who, {}), metadata.dialect)
        if line.is_answer and metadata.token_limit is not None:
            _put_last(self._token_limits.setdefault(who, {}), metadata.token_limit)

    # writing

    def append(self, corpus: str, lines: Iterable[bytes]) -> None:
        """Append whole lines to today's file of `corpus`, flush them to the disk, and index them.

        Each line gets its chain (chain.py). Raises TeacherError if they cannot be written.
        """
        data = b"".join(lines)
        if not data:
            return
        file = self.folder / corpus / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}.jsonl"
        try:
            self._write(file, data)
        except OSError as error:
            raise TeacherError(
                f"the ledger cannot be written: {reason_of(error)} ({file}). Nothing more is sent, "
                "because a response that is not recorded would be paid for again. Free the disk or "
                "repair the folder; move the file away if it is a folder, a pipe or a link. Then run "
                "again."
            ) from error
        with self._lock:
            self._read_file(file)

    @staticmethod
    def _write(file: Path, data: bytes) -> None:
        is_new = not file.exists()
        make_private(file.parent)
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file")
            filelock.lock_descriptor(descriptor, poll_interval=_APPEND_POLL_S)
            size = os.fstat(descriptor).st_size
            data = chained(data, last_chain(descriptor, size))
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                # A process died inside its last line. Ours must not become part of it.
                data = b"\n" + data
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            flush_folder(file.parent)

    @contextmanager
    def sending_for(self, corpus: str) -> Iterator[None]:
        """Hold the lock for sending for `corpus`, so that two runs do not pay for the same request.

        Waits for another process to finish, then indexes its lines. The lock is on an open file,
        which the system closes when the process ends, even by SIGKILL. Raises TeacherError if there is
        something that cannot be locked.
        """
        file = self.folder / f"{corpus}.lock"
        try:
            make_private(self.folder)
            lock = filelock.FileLock(file, poll_interval=_SENDING_POLL_S).acquire()
        except OSError as error:
            raise TeacherError(
                f"{file} cannot be locked: {reason_of(error)}. The lock keeps two runs from paying for "
                "the same request. Repair the folder, or move away what is there, and run again."
            ) from error
        with lock:
            self.refresh()
            yield


def _put_last(ordered: dict[T, None], item: T) -> None:
    """Add `item` to `ordered`, or move it to its end."""
    ordered.pop(item, None)
    ordered[item] = None
