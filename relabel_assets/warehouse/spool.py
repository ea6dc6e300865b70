"""Rows on the disk between computing and writing them: more rows than fit in memory.

What belongs here: keeping frames in a scratch file, and giving them back, as they came or sorted. What does
not: which rows these are, and writing them to the warehouse (partition.py).
"""

import errno
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from relabel_assets.errors import WarehouseError
from relabel_assets.files import make_private

# Text of the rows that are sorted at once, and of one frame. Not measured: a few times that is in memory.
_BUCKET_BYTES = 32_000_000
_MOST_BUCKETS = 200  # each is an open file
_FRAME_BYTES, _FRAME_ROWS = 8_000_000, 5_000


class Spool:
    """Rows with one `key` column of text, in frames on the disk.

    The scratch file has no name, so nothing is left of it when this process ends, however it ends. Memory:
    one frame, and the keys. Raises WarehouseError where the disk is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     spool = Spool(Path(folder), "doc_id")
    ...     spool.add(pl.DataFrame({"doc_id": ["b", "c"], "body": "x"}))
    ...     spool.add(pl.DataFrame({"doc_id": ["a"], "body": "y"}))
    ...     spool.height, spool.sorted().head(2)["doc_id"].to_list()
    (3, ['a', 'b'])
    """

    def __init__(self, scratch: Path, key: str) -> None:
        self._scratch, self._key = scratch, key
        with _named_errors(scratch):
            make_private(scratch)
            self._file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 (it is closed with this)
        self._places: list[tuple[int, int]] = []  # (offset, bytes) of each frame
        self._keys: list[pl.DataFrame] = []
        self.height = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Add the rows of `frame`. All frames have the same columns."""
        content = io.BytesIO()
        frame.write_ipc(content, compression="lz4")
        with _named_errors(self._scratch):
            offset = self._file.seek(0, io.SEEK_END)
            self._file.write(content.getbuffer())
        self._places.append((offset, content.tell()))
        self._keys.append(frame.select(self._key, bytes=_text_bytes(frame)))
        self.height += frame.height

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """The frames, as they were added. Raises WarehouseError where they cannot be read."""
        for offset, n_bytes in self._places:
            with _named_errors(self._scratch):
                self._file.seek(offset)
                content = self._file.read(n_bytes)
            yield pl.read_ipc(content)

    def head(self, n_rows: int) -> pl.DataFrame:
        """The first `n_rows` rows."""
        found: list[pl.DataFrame] = []
        for frame in self:
            found.append(frame.head(n_rows - sum(part.height for part in found)))
            if sum(part.height for part in found) >= n_rows:
                break
        return pl.concat(found) if found else pl.DataFrame()

    def empty(self) -> "Spool":
        """A spool without rows, for what becomes of these."""
        return Spool(self._scratch, self._key)

    def is_empty(self) -> bool:
        return self.height == 0

    @property
    def keys(self) -> pl.Series:
        """The keys of all rows, as they were added."""
        return pl.concat([pl.Series(self._key, [], pl.String), *(k[self._key] for k in self._keys)])

    def sorted(self) -> "Spool":
        """The same rows in the order of their keys: each bucket of keys is sorted in memory."""
        result = self.empty()
        if self.is_empty():
            return result
        firsts = self._first_of_buckets()
        buckets = [self.empty() for _ in range(firsts.len())]
        for frame in self:
            numbers = firsts.search_sorted(frame[self._key], side="right") - 1
            for (number,), rows in frame.group_by(numbers, maintain_order=True):
                buckets[int(number)].add(rows)
        for bucket in buckets:
            rows = pl.concat(bucket).sort(self._key, maintain_order=True)
            for part in _parts(rows):
                result.add(part)
            bucket._file.close()
        return result

    def _first_of_buckets(self) -> pl.Series:
        """The first key of each bucket, sorted: buckets have about the same size."""
        keys = pl.concat(self._keys).sort(self._key)
        total = int(keys["bytes"].sum())
        size = max(_BUCKET_BYTES, total // _MOST_BUCKETS + 1)
        number = (pl.col("bytes").cum_sum() - pl.col("bytes")) // size
        return keys.group_by(number.alias("n"), maintain_order=True).first()[self._key]


def _text_bytes(frame: pl.DataFrame) -> pl.Series:
    """The bytes of each row's texts."""
    texts = pl.col(pl.String).str.len_bytes().cast(pl.Int64).fill_null(0)
    return frame.select(bytes=pl.sum_horizontal(texts))["bytes"]


def _parts(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """`rows` in frames of a bounded size, at least one row each."""
    numbers = (_text_bytes(rows).cum_sum() // _FRAME_BYTES).rle_id()
    for _, part in rows.group_by(numbers, maintain_order=True):
        yield from part.iter_slices(_FRAME_ROWS)


@contextmanager
def _named_errors(scratch: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = (
            "Make room" if error.errno == errno.ENOSPC else "Set RELABEL_HOME to another folder"
        )
        raise WarehouseError(
            f"cannot keep rows in {scratch}: {error.strerror}. {remedy}."
        ) from error
