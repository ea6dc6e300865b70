"""The store of reviews: a file of JSON lines for each assessor in the folder `reviews` of a corpus.

What belongs here: appending a review so that no crash loses it, and reading all of them. What does not:
which pairs are reviewed (samples.py), and the line's fields (review.py).

Every `folder` here is that folder. Its files only grow. A line that was torn by a crash was never
confirmed, and costs itself.
"""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from relabel_assets.corpus.rows import ReadRows, json_objects
from relabel_assets.errors import CorpusError, Problem
from relabel_assets.files import flush_folder
from relabel_assets.intake.input_limits import MAX_ROWS_FILE_BYTES
from relabel_assets.intake.one_input import costs_itself, reason_of
from relabel_assets.intake.regular_files import numbered_lines, open_text
from relabel_assets.intake.text import one_line
from relabel_assets.review.review import Review, review_from_row
from relabel_assets.review.standing import Standing

FOLDER = "reviews"  # under a corpus
# The columns of read_reviews.
REVIEWS: dict[str, Any] = {
    "query_id": pl.String,
    "doc_id": pl.String,
    "assessor": pl.String,
    "grade": pl.Int64,
    "note": pl.String,
    "reviewed_at": pl.Datetime("us", "UTC"),
    "content_hash": pl.String,
}


def append_review(folder: Path, review: Review) -> None:
    """Append `review` to its assessor's file, and return when it is on the disk.

    Raises CorpusError if it cannot be written. Then the file is as before.

    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> review = Review("grade", "q1", "d1", "ana", datetime(2026, 5, 4, tzinfo=UTC), grade=2)
    >>> with tempfile.TemporaryDirectory() as corpus:
    ...     folder = Path(corpus) / FOLDER
    ...     append_review(folder, review)
    ...     read_reviews(folder, max_grade=3).frame["grade"].to_list()
    [2]
    """
    append_reviews(folder, review.assessor, [review])


def append_reviews(folder: Path, name: str, reviews: Iterable[Review]) -> None:
    """As append_review, for `reviews` in the file `name`.jsonl, with one flush: all of them or none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as corpus:
    ...     append_reviews(Path(corpus) / FOLDER, "ana", [])
    ...     review_files(Path(corpus) / FOLDER)
    []
    """
    lines = b"".join(review.line() for review in reviews)
    if not lines:
        return
    path = folder / f"{name}.jsonl"
    try:
        _make(folder)
        is_new = not path.exists()
        # No link is followed: a corpus from elsewhere must not lead our lines out of its folder.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o644)
        try:
            _append(descriptor, lines)
        finally:
            os.close(descriptor)
        if is_new:
            flush_folder(folder)
            flush_folder(folder.parent)
    except OSError as error:
        problem = Problem(
            one_line(f"{FOLDER}/{path.name}"),
            None,
            f"a review cannot be written: {reason_of(error)}",
            "Make the folder writable, and free space on its disk.",
        )
        raise CorpusError(str(problem), problem) from error


def _make(folder: Path) -> None:
    """Create `folder`. Raises OSError for one that is a link to elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve().parent != folder.parent.resolve():
        raise OSError(errno.EXDEV, "its folder is a link out of the corpus", str(folder))


def _append(descriptor: int, lines: bytes) -> None:
    """Append whole `lines` after the last line. Raises OSError, and then leaves the file as it was."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # closing the file lets go of it, and so does a kill
    n_bytes = os.fstat(descriptor).st_size
    is_torn = n_bytes > 0 and os.pread(descriptor, 1, n_bytes - 1) != b"\n"
    rest = memoryview(b"\n" + lines if is_torn else lines)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, n_bytes)
        raise


def read_reviews(folder: Path, *, max_grade: int) -> ReadRows:
    """The current reviews in `folder`, sorted by key, and a problem for each line that cannot be used.

    Columns as REVIEWS, one row a (query_id, doc_id, assessor). `grade` is NULL where the assessor
    skipped the pair. If two files have a review of the same assessor and pair, the later one counts.

    >>> read_reviews(Path("no/reviews"), max_grade=3).frame.columns[:3]
    ['query_id', 'doc_id', 'assessor']
    """
    problems: list[Problem] = []
    latest: dict[tuple[str, str, str], Review] = {}
    for name in review_files(folder):
        standing = Standing()
        for review in reviews_of(folder, name, max_grade=max_grade, problems=problems):
            standing.add(review)
        for review in standing.current():
            key = (review.query_id, review.doc_id, review.assessor)
            known = latest.get(key)
            if known is None or review.reviewed_at >= known.reviewed_at:
                latest[key] = review
    rows = [tuple(getattr(latest[key], column) for column in REVIEWS) for key in sorted(latest)]
    return ReadRows(pl.DataFrame(rows, schema=REVIEWS, orient="row"), problems)


def review_files(folder: Path) -> list[str]:
    """The names of the files of reviews, sorted.

    >>> review_files(Path("no/reviews"))
    []
    """
    with suppress(OSError):
        return sorted(path.name for path in folder.iterdir() if path.suffix == ".jsonl")
    return []


def reviews_of(folder: Path, name: str, *, max_grade: int, problems: list[Problem]) -> list[Review]:
    """Every review in the file `name`, in order: grades, skips and undos; none without the file.

    A line that cannot be used is added to `problems`.

    >>> reviews_of(Path("no/reviews"), "ana.jsonl", max_grade=3, problems=[])
    []
    """
    reviews: list[Review] = []
    file = f"{FOLDER}/{name}"
    if os.path.lexists(folder / name):
        with (
            costs_itself(problems, file),
            open_text(folder, name, max_bytes=MAX_ROWS_FILE_BYTES) as opened,
        ):
            wait_for_writer(opened)
            lines = numbered_lines(opened)
            reviews += reviews_of_lines(lines, file=file, max_grade=max_grade, problems=problems)
    return reviews


def reviews_of_lines(
    lines: Iterable[tuple[int, bytes]], *, file: str, max_grade: int, problems: list[Problem]
) -> Iterator[Review]:
    """Every review in the numbered `lines` of `file`. A bad line is added to `problems`.

    >>> problems = []
    >>> list(reviews_of_lines([(1, b"{")], file="reviews/ana.jsonl", max_grade=3, problems=problems))
    []
    >>> problems[0].line
    1
    """
    for number, row in json_objects(lines, file=file, problems=problems):
        review = None
        with costs_itself(problems, file, number):
            review = review_from_row(row, max_grade=max_grade)
        if review is not None:
            yield review


def wait_for_writer(file: BinaryIO) -> None:
    """Wait until nobody appends to `file`, and let nobody until it is closed: no line is seen half.

    >>> with Path(os.devnull).open("rb") as file:
    ...     wait_for_writer(file)
    """
    with suppress(OSError):  # a file system without locks
        fcntl.flock(file.fileno(), fcntl.LOCK_SH)
