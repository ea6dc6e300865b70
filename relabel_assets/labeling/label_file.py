"""Labeling a file of pairs, each row exactly once, in bounded memory.

What belongs here: choosing the chunks that have no labels yet. What does not: reading PAIRS
(pairs_file.py), grading a chunk (chunk.py, ray_engine.py), the folder from which a second call continues
(parts.py) and writing OUT (labels_writer.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from relabel_assets.errors import ConfigError
from relabel_assets.intake.one_input import reason_of
from relabel_assets.labeling import pairs_file
from relabel_assets.labeling.chunk import GradeChunks, PairChunk, Texts, with_texts
from relabel_assets.labeling.labels_writer import merge_parts, writer_of
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
    rows_per_chunk: int = ROWS_PER_CHUNK,
    is_forced: bool = False,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Grade every row of `pairs` into `out`; both are Parquet, CSV or JSON Lines.

    Returns the number of rows by status: (status, status_reason, rows).

    `pairs` has query_id or query (a text), and doc_id or body. Optional columns are title, author,
    path, updated_at and doc_type. `out` has row (from 0), query_id, doc_id, status, status_reason,
    grade, expected_grade, grade_probs, model_id and model_hash. A row that cannot be graded has a
    reason and no grade. `texts_hash` changes with the texts of ids.

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
    }
    job = _Job(pairs, parts, n_rows, rows_per_chunk, texts, model_id, model_hash, progress)
    with locked_parts(parts, pairs, identity):
        try:
            engine(job.open_chunks(), job.report)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ConfigError(
                f"{parts} cannot be written: {reason_of(error)}. Make room, then run this again: "
                "finished rows are kept."
            ) from error
        # Grading took hours, and somebody may have put a file there.
        require_free(out, is_forced=is_forced)
        return merge_parts(parts, out)


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
            part = self.parts / f"{number:08}.parquet"
            if is_finished(part, frame.height):
                self.n_done_before += frame.height
            else:
                part.unlink(missing_ok=True)  # a damaged one
                rows = frame.with_columns(
                    row=pl.int_range(first, first + frame.height, dtype=pl.Int64),
                    model_id=pl.lit(self.model_id),
                    model_hash=pl.lit(self.model_hash),
                )
                yield PairChunk(part, partial(with_texts, rows, self.texts), frame.height)
            first += frame.height

    def report(self, chunk: PairChunk) -> None:
        """Report that `chunk` is done."""
        self.n_done_now += chunk.n_rows
        self.progress("labeling, pairs", self.n_done_before + self.n_done_now, self.n_rows)
