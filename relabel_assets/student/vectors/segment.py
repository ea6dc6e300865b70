"""A segment: one file of the store, with the bytes of some hundred documents and their checksums.

What belongs here: the format, writing a segment and reading from it. What does not: which segments there
are, which go (store.py), and what the bytes mean (packed_document.py).

A segment is written beside its place, then renamed, and never changed afterwards. So it is whole or
absent after a kill, any number of processes read and write without locks, and damage stays in one file.
Entries are read with seek and read, not through a memory map: a mapped file that is cut short kills
the process.

    8 bytes of MAGIC | number of entries | checksum of the index | the index | the entries

The index has the key, the offset, the length and the checksum (CRC-32) of each entry.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relabel_assets.files import whole

SUFFIX = ".vectors"
KEY_BYTES = 32
MAGIC = b"relabel1"
_HEAD = struct.Struct("<8sII")
_RECORD = np.dtype(
    [("key", f"V{KEY_BYTES}"), ("offset", "<u8"), ("length", "<u4"), ("checksum", "<u4")]
)


class DamagedSegmentError(ValueError):
    """A segment that is cut short or has other bytes than were written."""


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment and its index, which is read when the segment is opened."""

    path: Path
    index: NDArray
    n_bytes: int

    @classmethod
    def open(cls, path: Path) -> "Segment":
        """The segment at `path`. Raises DamagedSegmentError, and OSError if it cannot be read."""
        with path.open("rb") as file:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                raise DamagedSegmentError("it is cut short")
            magic, n_entries, checksum = _HEAD.unpack(head)
            n_bytes = path.stat().st_size
            # Compared first: a damaged number must not ask for more memory than the file has bytes.
            if magic != MAGIC or n_entries * _RECORD.itemsize > n_bytes:
                raise DamagedSegmentError("its first bytes are not a segment's")
            index = file.read(n_entries * _RECORD.itemsize)
        if zlib.crc32(index) != checksum:
            raise DamagedSegmentError("its index has another checksum")
        return cls(path, np.frombuffer(index, _RECORD), n_bytes)

    @property
    def keys(self) -> list[bytes]:
        """The key of each entry, in the order of their rows."""
        return self.index["key"].tolist()

    def read(self, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield (row, bytes) of the entries in `rows`, in the order of the file.

        Raises DamagedSegmentError, and OSError if it cannot be read or is gone.
        """
        with self.path.open("rb") as file:
            for row in sorted(rows):
                _, offset, length, checksum = self.index[row].tolist()
                file.seek(offset)
                content = file.read(length)
                if zlib.crc32(content) != checksum:
                    raise DamagedSegmentError("an entry has another checksum")
                yield row, content


def write_segment(path: Path, entries: Mapping[bytes, bytes]) -> None:
    """Write a segment of `entries` by key. Raises OSError if it cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / f"a{SUFFIX}"
    ...     write_segment(path, {b"k" * KEY_BYTES: b"content"})
    ...     segment = Segment.open(path)
    ...     segment.keys == [b"k" * KEY_BYTES], list(segment.read([0]))
    (True, [(0, b'content')])
    """
    offset = _HEAD.size + len(entries) * _RECORD.itemsize
    records = []
    for key, content in entries.items():
        records.append((key, offset, len(content), zlib.crc32(content)))
        offset += len(content)
    index = np.array(records, dtype=_RECORD).tobytes()
    with whole(path) as scratch, scratch.open("wb") as file:
        file.write(_HEAD.pack(MAGIC, len(records), zlib.crc32(index)))
        file.write(index)
        file.writelines(entries.values())
