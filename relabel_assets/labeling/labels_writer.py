"""The writer of a labels file: the parts of all chunks as Parquet, CSV or JSON Lines.

What belongs here: formats, and merging parts. What does not: the columns of a part (chunk.py).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from relabel_assets.errors import ConfigError
from relabel_assets.files import whole
from relabel_assets.intake.one_input import reason_of

# Of an output whose parts are not in its order: some 100 MB of labels, which are sorted in memory.
_ROWS_PER_WINDOW = 200_000
_COUNTED = ("status", "status_reason", "teacher_status", "labeler")

Write = Callable[[pl.DataFrame], object]
OpenWriter = Callable[[Path], AbstractContextManager[Write]]


def writer_of(out: Path) -> OpenWriter:
    """The writer for `out`'s format: it opens a labels file and yields a function that appends to it.

    Raises ConfigError for an ending that names no format.

    >>> writer_of(Path("labels.txt"))
    Traceback (most recent call last):
    relabel_assets.errors.ConfigError: --out labels.txt: its ending names no format. Endings: ...
    """
    if out.suffix.lower() not in _WRITERS:
        raise ConfigError(
            f"--out {out}: its ending names no format. Endings: {', '.join(_WRITERS)}."
        )
    return _WRITERS[out.suffix.lower()]


def in_order_of_parts(parts: Path) -> Iterator[pl.DataFrame]:
    """The labels of each part, in the order of their names: rows of consecutive chunks."""
    for file in _parts(parts):
        yield pl.read_parquet(file)


def in_order_of_rows(
    parts: Path, n_rows: int, rows_per_window: int = _ROWS_PER_WINDOW
) -> Iterator[pl.DataFrame]:
    """The labels of all parts, sorted by row, a window at a time: rows of buckets.

    Every part is read once for each window.
    """
    for first in range(0, n_rows, rows_per_window):
        is_in_window = pl.col("row").is_between(first, first + rows_per_window, closed="left")
        window = [pl.scan_parquet(file).filter(is_in_window).collect() for file in _parts(parts)]
        yield pl.concat(window).sort("row")


def _parts(parts: Path) -> list[Path]:
    return sorted(parts.glob("[0-9]" * 8 + ".parquet"))


def merge_parts(labels: Iterable[pl.DataFrame], parts: Path, out: Path) -> pl.DataFrame:
    """Merge `labels` of the files in `parts` into `out`.

    Returns the number of rows by status: (status, status_reason, rows), and by teacher_status and labeler
    where there are any. Raises ConfigError where `out` cannot be written; the parts stay.
    """
    counts, by = [], list[str]()
    try:
        with whole(out) as scratch, writer_of(out)(scratch) as write:
            # One at a time, because together they may not fit in memory.
            for some in labels:
                write(some)
                by = [name for name in _COUNTED if name in some.columns]
                counts.append(some.group_by(by).agg(rows=pl.len()))
    except (OSError, pl.exceptions.PolarsError, pa.ArrowException) as error:
        raise ConfigError(
            f"{out} cannot be written: {reason_of(error)}. The labels are in {parts}; run this again."
        ) from error
    return pl.concat(counts).group_by(by).agg(pl.col("rows").sum()).sort(by)


@contextmanager
def _parquet(file: Path) -> Iterator[Write]:
    """A writer that opens the file at the first labels, which give its schema."""
    writer: pq.ParquetWriter | None = None

    def write(labels: pl.DataFrame) -> None:
        nonlocal writer
        table = labels.to_arrow()
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer:
            writer.close()


@contextmanager
def _csv(file: Path) -> Iterator[Write]:
    """A writer of one header line, with the probabilities of grades joined by semicolons."""
    with file.open("wb") as content:

        def write(labels: pl.DataFrame) -> None:
            probs = pl.col("grade_probs").cast(pl.List(pl.String)).list.join(";")
            is_first = not content.tell()
            labels.with_columns(probs).write_csv(content, include_header=is_first)

        yield write


@contextmanager
def _json_lines(file: Path) -> Iterator[Write]:
    """A writer of one JSON object a line."""
    with file.open("wb") as content:
        yield lambda labels: labels.write_ndjson(content)


_WRITERS: dict[str, OpenWriter] = {".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines}
