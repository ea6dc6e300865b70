"""Labeling a file of pairs, each row exactly once, in bounded memory.

What belongs here: choosing the chunks that have no labels yet. What does not: reading PAIRS
(pairs_file.py, buckets.py), grading a chunk (chunk.py, ray_engine.py, cascade_engine.py), the folder from
which a second call continues (parts.py) and writing OUT (labels_writer.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from relabel_assets.errors import ConfigError
from relabel_assets.intake.one_input import reason_of
from relabel_assets.labeling import pairs_file
from relabel_assets.labeling.buckets import Bucket, staged_buckets
from relabel_assets.labeling.chunk import GradeChunks, PairChunk, Texts, with_texts
from relabel_assets.labeling.labels_writer import (
    in_order_of_parts,
    in_order_of_rows,
    merge_parts,
    writer_of,
)
from relabel_assets.labeling.parts import is_finished, locked_parts
from relabel_assets.out_file import require_free
from relabel_assets.progress import Progress, silent

# One to two minutes of grading on two cores, which a kill may lose. More rows take more memory.
ROWS_PER_CHUNK = 5_000


def label_file(
    pairs: Path,
    out: Path,
    *,
    engine: GradeChunks,
    texts: Texts,
    model_id: str,
    model_hash: str,
    texts_hash: str = "",
    asking: Mapping[str, object] | None = None,
    rows_per_chunk: int = ROWS_PER_CHUNK,
    is_forced: bool = False,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Grade every row of `pairs` into `out`; both are Parquet, CSV or JSON Lines.

    Returns the number of rows by status: (status, status_reason, rows).

    `pairs` has query_id or query (a text), and doc_id or body. Optional columns are title, author,
    path, updated_at and doc_type. `out` has row (from 0), query_id, doc_id, status, status_reason,
    grade, expected_grade, grade_probs, model_id and model_hash. A row that cannot be graded has a
    reason and no grade. `texts_hash` changes with the texts of ids. With `asking`, a chunk has all rows
    of its queries (buckets.py), as a cascade needs them; it says what else must be the same in a call
    that continues.

    Finished chunks are in `OUT.parts` until all are finished; the same call continues from there.
    Only if `is_forced` is a file at `out` replaced. Raises ConfigError for an unusable file: then
    either nothing was graded, or the parts stay.
    """
    writer_of(out)  # reports a wrong ending before hours of grading
    require_free(out, is_forced=is_forced)
    if out.exists() and pairs.exists() and out.samefile(pairs):
        raise ConfigError(f"--out {out} is the file of pairs. Choose another --out.")
    n_rows, columns = pairs_file.check(pairs)
    has_own_texts = {pairs_file.QUERY, pairs_file.DOCUMENT} <= columns
    parts = out.with_name(f"{out.name}.parts")
    identity = {
        "model_id": model_id,
        "model_hash": model_hash,
        "rows_a_batch": rows_per_chunk,  # the first version's name, because its parts can be continued
        "texts": "" if has_own_texts else texts_hash,
        **({} if asking is None else {"asking": dict(asking)}),
    }
    job = _Job(pairs, parts, n_rows, rows_per_chunk, texts, model_id, model_hash, progress)
    with locked_parts(parts, pairs, identity):
        try:
            engine(job.open_chunks() if asking is None else job.open_buckets(), job.report)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ConfigError(
                f"{parts} cannot be written: {reason_of(error)}. Make room, then run this again: "
                "finished rows are kept."
            ) from error
        # Grading took hours, and somebody may have put a file there.
        require_free(out, is_forced=is_forced)
        labels = in_order_of_parts(parts) if asking is None else in_order_of_rows(parts, n_rows)
        return merge_parts(labels, parts, out)


@dataclass
class _Job:
    """The labeling of one file: its chunks without labels, and its progress."""

    pairs: Path
    parts: Path
    n_rows: int
    rows_per_chunk: int
    texts: Texts
    model_id: str
    model_hash: str
    progress: Progress
    n_done_before: int = 0
    n_done_now: int = 0

    def open_chunks(self) -> Iterator[PairChunk]:
        """Yield the chunks that have no part yet.

        Every call cuts the same chunks, so the number in a part's name identifies its rows.
        """
        first = 0
        for number, frame in enumerate(pairs_file.chunks(self.pairs, self.rows_per_chunk)):
            if part := self._open_part(number, frame.height):
                row = pl.int_range(first, first + frame.height, dtype=pl.Int64)
                rows = frame.with_columns(row=row)
                yield PairChunk(part, partial(self._with_texts, rows), frame.height)
            first += frame.height

    def open_buckets(self) -> Iterator[PairChunk]:
        """As open_chunks, each with all rows of its queries."""
        self.progress("sorting rows by query", 0, 0)
        for bucket in staged_buckets(self.pairs, self.parts, self.texts, self.rows_per_chunk):
            if part := self._open_part(bucket.number, bucket.n_rows):
                rows = partial(self._bucket_rows, bucket)
                yield PairChunk(part, rows, bucket.n_rows)

    def _open_part(self, number: int, n_rows: int) -> Path | None:
        """The part of a chunk of `n_rows`; None where it has its labels."""
        part = self.parts / f"{number:08}.parquet"
        if is_finished(part, n_rows):
            self.n_done_before += n_rows
            return None
        part.unlink(missing_ok=True)  # a damaged one
        return part

    def _bucket_rows(self, bucket: Bucket) -> pl.DataFrame:
        return self._with_texts(bucket.rows())

    def _with_texts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with the texts of their ids, and the student that grades them."""
        identity = {"model_id": pl.lit(self.model_id), "model_hash": pl.lit(self.model_hash)}
        return with_texts(rows.with_columns(**identity), self.texts)

    def report(self, chunk: PairChunk) -> None:
        """Report that `chunk` is done."""
        self.n_done_now += chunk.n_rows
        self.progress("labeling, pairs", self.n_done_before + self.n_done_now, self.n_rows)
