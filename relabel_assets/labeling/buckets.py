"""Buckets: the rows of a pairs file, staged so that all rows of a query are in one file.

What belongs here: cutting a file of any size into buckets, in bounded memory. What does not: what is done
with a bucket (cascade_engine.py), and the texts of ids (chunk.py).

A query stands anywhere in a file, and its rows are graded together. So each row goes into a bucket by a
hash of its query's text. The rows of a query with very many are divided into slices, by a hash of their
document: a slice is graded as if it were a query of its own.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.errors import ConfigError
from relabel_assets.files import whole
from relabel_assets.labeling import pairs_file
from relabel_assets.labeling.chunk import Texts, with_texts

# Choosing pairs takes cubic time in the pairs of a query: 100 of 1,000 take a second.
PAIRS_PER_SLICE = 1_000
# Rows are counted by the hash of their query, modulo this, in 8 MB. Two queries may share a count. That
# matters only to queries that have almost PAIRS_PER_SLICE rows: they get slices early.
_COUNTS = 1 << 20
_MARK = "staged.json"  # written last: the number of rows of each bucket
_SCHEMA = {"row": pl.Int64, "slice": pl.Int64} | dict.fromkeys(pairs_file.COLUMNS, pl.String)


@dataclass(frozen=True)
class Bucket:
    """The `n_rows` of a bucket, in a file. A query's rows are all here, unless it has slices."""

    number: int
    file: Path
    n_rows: int

    def rows(self) -> pl.DataFrame:
        """Its rows in the order of the pairs file: row, slice, and the columns of a pairs file.

        Raises ConfigError for a damaged file: none of its rows may be missing from the output.
        """
        try:
            rows = pl.read_ndjson(self.file, schema=_SCHEMA)
        except (OSError, pl.exceptions.PolarsError):
            rows = pl.DataFrame()
        if rows.height != self.n_rows:
            raise ConfigError(
                f"{self.file} is damaged. Remove {self.file.parent} and run this again: what the "
                "teacher answered is in the ledger."
            )
        return rows


def staged_buckets(
    pairs: Path, folder: Path, texts: Texts, rows_per_bucket: int
) -> Iterator[Bucket]:
    """The buckets of `pairs`, of some `rows_per_bucket` rows or fewer where rows are long.

    They are files in `folder`. A later call with the same arguments gives the same ones, and stages again
    only if it was killed before all were there.
    """
    mark = folder / _MARK
    if not mark.exists():
        n_rows = _stage(pairs, folder, texts, rows_per_bucket)
        with whole(mark) as scratch:
            scratch.write_text(json.dumps(n_rows), encoding="utf-8")
    for number, n_rows in enumerate(json.loads(mark.read_text(encoding="utf-8"))):
        if n_rows:
            yield Bucket(number, _file(folder, number), n_rows)


def is_bucket_file(name: str) -> bool:
    """Whether a file of this name is one of staged_buckets.

    >>> [is_bucket_file(name) for name in ("00000001.rows", "staged.json", "notes.txt")]
    [True, True, False]
    """
    number, _, ending = name.partition(".")
    is_rows = len(number) == 8 and number.isdigit() and ending == "rows"
    return is_rows or name in (_MARK, f".{_MARK}.half")


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:08}.rows"


def _stage(pairs: Path, folder: Path, texts: Texts, rows_per_bucket: int) -> list[int]:
    """Write each row into the file of its bucket; return the number of rows of each."""
    for left_by_a_kill in folder.glob("*.rows"):
        left_by_a_kill.unlink()
    n_buckets, rows_of_query = 0, np.zeros(_COUNTS, dtype=np.int64)
    for chunk in pairs_file.chunks(pairs, rows_per_bucket):
        n_buckets += 1
        np.add.at(rows_of_query, _counter(_query_hash(chunk, texts)), 1)
    n_rows, first = np.zeros(n_buckets, dtype=np.int64), 0
    for chunk in pairs_file.chunks(pairs, rows_per_bucket):
        query = _query_hash(chunk, texts)
        document = _hashes(chunk.select(pl.struct(pl.exclude("query_id", pairs_file.QUERY)).hash()))
        n_slices = -(-rows_of_query[_counter(query)] // PAIRS_PER_SLICE)
        slices = document % n_slices.astype(np.uint64)
        staged = chunk.with_columns(
            row=pl.int_range(first, first + chunk.height, dtype=pl.Int64),
            slice=pl.Series(slices.astype(np.int64)),
            bucket=pl.struct(pl.Series("query", query), pl.Series("slice", slices)).hash()
            % n_buckets,
        )
        for (number,), rows in staged.partition_by(
            "bucket", as_dict=True, include_key=False, maintain_order=True
        ).items():
            with _file(folder, number).open("ab") as file:
                rows.select(_SCHEMA.keys()).write_ndjson(file)
            n_rows[number] += rows.height
        first += chunk.height
    return n_rows.tolist()


def _query_hash(chunk: pl.DataFrame, texts: Texts) -> NDArray:
    """The hash of the text of each row's query, whether it is in the row or behind its id."""
    return _hashes(with_texts(chunk, texts).select(pl.col("text").hash()))


def _hashes(frame: pl.DataFrame) -> NDArray:
    return frame.to_series().to_numpy()


def _counter(query: NDArray) -> NDArray:
    return (query % np.uint64(_COUNTS)).astype(np.int64)
