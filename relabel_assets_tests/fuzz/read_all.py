"""Every reader of a corpus, with the rule for what it may raise and return.

    python -m relabel_assets_tests.fuzz.read_all FOLDER    # a line for each fault

What belongs here: running the readers, and the faults of one corpus. What does not: hostile corpora
(nasty.py).
"""

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import polars as pl

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.folders import Corpora
from relabel_assets.corpus.queries.splits import assign_splits
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.errors import ConfigError, Problem, RelabelError
from relabel_assets.intake.text import printable
from relabel_assets.labeling import pairs_file
from relabel_assets.tables.tables import TABLES

ALARM_S = 60  # far more than any small input takes, also on a busy machine
_LONGEST_MESSAGE = 3_000
_TABLE_FILES = (
    "documents.jsonl",
    "documents.csv",
    "documents.parquet",
    "corpus.jsonl",
    "queries.jsonl",
    "teacher_labels.jsonl",
)
_PARTS = ("documents", "queries", "teacher_labels", "reference_labels", "everything")


class TooSlow(BaseException):
    """A reader took longer than the alarm. No Exception, so that no reader can take it for a bad row."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise TooSlow inside the block after `seconds`."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def faults(root: Path, name: str) -> list[str]:
    """What is wrong with how the corpus `name` under `root` is read; empty if all is well.

    A reader may raise a RelabelError, or return rows and problems. All else is a fault.
    """
    found: list[str] = []
    for reader in _READERS:
        try:
            problems = reader(Corpora(root), name)
        except RelabelError as error:
            problems = [Problem("(whole)", None, str(error), "")]
        except TooSlow:
            raise
        except BaseException as error:  # a panic of polars is no Exception
            last = traceback.extract_tb(error.__traceback__)[-3:]
            where = " < ".join(
                f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(last)
            )
            found.append(
                f"{reader.__name__.strip('_')}: {type(error).__name__}: {str(error)[:200]!r} at {where}"
            )
            continue
        found += [
            f"{reader.__name__.strip('_')}: {fault}"
            for problem in problems
            for fault in message_faults(problem)
        ]
    return found


def message_faults(problem: Problem) -> Iterator[str]:
    """What is wrong with a problem: each names a file and a reason, and can be printed."""
    line = str(problem)
    if not problem.file or not problem.message.strip():
        yield f"no file or message: {problem!r}"
    if any(printable(part) != part for part in line.split("\n")):
        yield f"not printable: {line[:200]!r}"
    if len(line) > _LONGEST_MESSAGE:
        yield f"{len(line):,} characters: {line[:100]!r}"
    if not problem.remedy and ". " not in line:
        yield f"no remedy: {line[:200]!r}"
    try:
        line.encode()
    except UnicodeEncodeError:
        yield f"not UTF-8: {line[:200]!r}"


def _check(corpora: Corpora, name: str) -> list[Problem]:
    return corpora.check(name)


def _settings(corpora: Corpora, name: str) -> list[Problem]:
    folder = corpora.open(name)
    _ = (
        folder.config.model_dump_json(),
        folder.rubric.content_hash,
        folder.grading_prompt,
        folder.queries_prompt,
    )
    _ = folder.teacher_kind, folder.has_queries, folder.has_recorded_labels
    return corpora.refused()


def _rows(corpora: Corpora, name: str) -> list[Problem]:
    """Rows that the tables take."""
    folder = corpora.open(name)
    documents, provided = folder.documents(), folder.queries()
    _accepted("seed_docs", documents, corpus=pl.lit(name))
    divided, leaks = assign_splits(provided.frame, config=QueriesConfig(), file="queries.jsonl")
    if divided.height:
        assert divided["split"].null_count() == 0
    labels = folder.reference_labels()
    _accepted("reference_labels", labels, corpus=pl.lit(name), kind=pl.lit("human"))
    return (
        documents.problems
        + provided.problems
        + folder.recorded_labels().problems
        + labels.problems
        + leaks
    )


def _accepted(table: str, rows: ReadRows, **columns: pl.Expr) -> None:
    present = {
        key: value for key, value in columns.items() if key in TABLES[table].schema.column_names()
    }
    TABLES[table].validate(rows.frame.with_columns(**present))


def _summary(corpora: Corpora, name: str) -> list[Problem]:
    folder = corpora.open(name)
    _ = folder.summary()
    return []


def _fingerprints(corpora: Corpora, name: str) -> list[Problem]:
    folder = corpora.open(name)
    for part in _PARTS:
        assert len(folder.fingerprint(part)) == 64
    return []


def _pairs_files(corpora: Corpora, name: str) -> list[Problem]:
    """Any table as the pairs that are to be labeled."""
    problems = []
    for file in _TABLE_FILES:
        path = corpora.root / name / file
        if not os.path.lexists(path):
            continue
        try:
            n_rows, _ = pairs_file.check(path)
            assert sum(chunk.height for chunk in pairs_file.chunks(path, 100)) == n_rows
        except ConfigError as error:
            problems.append(Problem(file, None, str(error), ""))
    return problems


_READERS: tuple[Callable[[Corpora, str], list[Problem]], ...] = (
    _check, _settings, _rows, _summary, _fingerprints, _pairs_files,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--slow", type=float, default=2, help="seconds from which a corpus is listed"
    )
    parser.add_argument("--alarm", type=float, default=120)
    arguments = parser.parse_args()
    for path in sorted(arguments.folder.iterdir(), key=lambda path: int(path.name[1:])):
        started = time.monotonic()
        print(path.name, end="\r", file=sys.stderr, flush=True)  # the culprit, if the process dies
        try:
            with alarm(arguments.alarm):
                found = faults(arguments.folder, path.name)
        except TooSlow as error:
            found = [f"too slow: {error}"]
        seconds = time.monotonic() - started
        if seconds > arguments.slow:
            found.append(f"{seconds:.1f} s")
        for fault in found:
            print(f"{path.name}: {fault}", flush=True)


if __name__ == "__main__":
    main()
