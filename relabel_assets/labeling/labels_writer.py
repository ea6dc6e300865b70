"""The writer of a labels file: the parts of all chunks as Parquet, CSV or JSON Lines.

What belongs here: formats, and merging parts. What does not: the columns of a part (chunk.py).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from relabel_assets.errors import ConfigError
from relabel_assets.files import whole
from relabel_assets.intake.one_input import reason_of

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


def merge_parts(parts: Path, out: Path) -> pl.DataFrame:
    """Merge all files in `parts` into `out`, in the order of their names.

    Returns the number of rows by status: (status, status_reason, rows). Raises ConfigError where
    `out` cannot be written; the parts stay.
    """
    counts = []
    try:
        with whole(out) as scratch, writer_of(out)(scratch) as write:
            # One at a time, because together they may not fit in memory.
            for file in sorted(parts.glob("[0-9]" * 8 + ".parquet")):
                labels = pl.read_parquet(file)
                write(labels)
                counts.append(labels.group_by("status", "status_reason").agg(rows=pl.len()))
    except (OSError, pl.exceptions.PolarsError, pa.ArrowException) as error:
        raise ConfigError(
            f"{out} cannot be written: {reason_of(error)}. The labels are in {parts}; run this again."
        ) from error
    totals = pl.concat(counts).group_by("status", "status_reason").agg(pl.col("rows").sum())
    return totals.sort("status", "status_reason")


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
