"""The vector store: what was computed from a document, kept on disk for every later run.

What belongs here: finding and keeping entries, the limit on their size, and who used them last. What
does not: the format of a file (segment.py), the meaning of the bytes (packed_document.py), and which
vectors may stand for each other (encoder_identity.py). It loads no torch.

The store is a cache: each entry can be computed again, so nothing here is worth a failed run. A segment
that is damaged is removed, and a store that cannot be written is left alone. Either is said once.

Why not a library: SQLite keeps all in one file, whose tree a single flipped bit makes unreadable. It
writes on each read to know the last use, gives no space back, and its write-ahead log does not work for
Ray's nodes on shared storage. LMDB is a memory map, which needs its size in advance and kills a process
whose file is cut short. diskcache has a file for each large value.

    RELABEL_HOME/vectors/<base>/<random name>.vectors

<base> is the identity of an encoder. Only segments of that folder are opened for it.
"""

import errno
import logging
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from relabel_assets.files import make_private
from relabel_assets.home import DEFAULT_VECTORS_GB
from relabel_assets.intake.one_input import reason_of
from relabel_assets.student.vectors.segment import (
    SUFFIX,
    DamagedSegmentError,
    Segment,
    write_segment,
)

# About 500 passages, so a million are 2,000 files, and a kill loses seconds of work. Not measured.
_SEGMENT_BYTES = 16_000_000
# Nightly runs over few new documents leave small segments. So many of them become one. Not measured.
_MAX_SMALL_SEGMENTS = 64
_SMALL_BYTES = 1_000_000
# Stays free on the disk: twice what `relabel doctor` asks for, so the store alone never brings it up.
_LEAST_FREE_BYTES = 2_000_000_000
# A process writes its scratch file within seconds, so one of an hour belongs to a process that was killed.
_SCRATCH_AGE_S = 3600
_LOG = logging.getLogger("relabel_assets.progress")


class VectorStore:
    """Entries by key, for each base, in a folder of at most `max_bytes`.

    Without a folder, or with 0 bytes, it has and keeps nothing. `counts` are what was read: see
    late_interaction/cache.py. One object serves one piece of work: what it used or wrote is not removed
    by itself to make room.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = VectorStore(Path(folder) / "vectors")
    ...     store.put("base", {b"k" * 32: b"content"})
    ...     store.flush()
    ...     VectorStore(Path(folder) / "vectors").get("base", [b"k" * 32, b"x" * 32])
    {b'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk': b'content'}
    """

    def __init__(
        self, folder: Path | None = None, max_bytes: int = int(DEFAULT_VECTORS_GB * 1e9)
    ) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self.counts = Counter[str]()
        self._bases = dict[str, _Base]()
        self._opened_at = time.time()
        self._is_writable = True

    @property
    def is_on(self) -> bool:
        """Whether there is a folder, and room in it."""
        return self.folder is not None and self.max_bytes > 0

    def get(self, base: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The bytes of those `keys` that the store has."""
        if not self.is_on:
            return {}
        of_base, wanted = self._base(base), set(keys)
        found = {key: of_base.pending[key] for key in wanted & of_base.pending.keys()}
        found |= self._read(of_base, wanted - found.keys())
        if wanted - found.keys():  # another process may have written or merged segments
            self._open_new_segments(of_base)
            found |= self._read(of_base, wanted - found.keys())
        return found

    def put(self, base: str, entries: Mapping[bytes, bytes]) -> None:
        """Keep `entries`: on disk as soon as they fill a segment, or at the next `flush`."""
        if not self.is_on or not self._is_writable:
            return
        of_base = self._base(base)
        of_base.pending |= entries
        if sum(map(len, of_base.pending.values())) >= _SEGMENT_BYTES:
            self._write(of_base)

    def flush(self) -> None:
        """Write what `put` has kept in memory."""
        for base in self._bases.values():
            if base.pending:
                self._write(base)

    def _base(self, name: str) -> "_Base":
        if name not in self._bases:
            assert self.folder is not None
            self._bases[name] = _Base(self.folder / name)
        return self._bases[name]

    def _open_new_segments(self, base: "_Base") -> None:
        """Open the segments of `base` that came since the last call: each is tried once."""
        for path in sorted(base.folder.glob(f"*{SUFFIX}")):
            if path not in base.known:
                base.known.add(path)
                with self._costs_recomputation(path):
                    base.add(Segment.open(path))

    def _read(self, base: "_Base", keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The bytes of those `keys` that are in segments which are open."""
        found = dict[bytes, bytes]()
        for segment, keys_of_rows in base.places(keys).items():
            is_read = False
            with self._costs_recomputation(segment.path):
                for row, content in segment.read(keys_of_rows):
                    found[keys_of_rows[row]] = content
                base.note_use(segment)
                is_read = True
            if not is_read:
                base.forget(segment)
        return found

    @contextmanager
    def _costs_recomputation(self, path: Path) -> Iterator[None]:
        """A block that reads the segment at `path`. A damaged one is removed, and its entries are lost."""
        try:
            yield
        except FileNotFoundError:  # another process made room
            pass
        except DamagedSegmentError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            _LOG.warning("%s is damaged (%s). Its documents are read again.", path, error)
        except OSError as error:
            _LOG.warning(
                "%s cannot be read: %s. Its documents are read again.", path, reason_of(error)
            )

    def _write(self, base: "_Base") -> None:
        """Write the pending entries of `base` as a segment, if there is room for them."""
        entries, base.pending = base.pending, {}
        try:
            make_private(base.folder)
            self._make_room(sum(map(len, entries.values())))
            self._write_segment(base, entries)
            self._merge_small_segments(base)
        except OSError as error:
            self._is_writable = False
            _LOG.warning(
                "vectors of documents are not kept in %s: %s. The next run reads them again.",
                self.folder,
                reason_of(error),
            )

    def _write_segment(self, base: "_Base", entries: Mapping[bytes, bytes]) -> None:
        path = base.folder / f"{uuid.uuid4().hex}{SUFFIX}"
        write_segment(path, entries)
        with self._costs_recomputation(path):
            base.add(Segment.open(path))

    def _merge_small_segments(self, base: "_Base") -> None:
        """Make one segment of many small ones. A process that still knows them looks for new ones."""
        small = [s for s in base.segments.values() if s.n_bytes < _SMALL_BYTES]
        if len(small) < _MAX_SMALL_SEGMENTS:
            return
        entries = dict[bytes, bytes]()
        for segment in small:
            with self._costs_recomputation(segment.path):
                keys = segment.keys
                entries |= {keys[row]: content for row, content in segment.read(range(len(keys)))}
            base.forget(segment)
        self._write_segment(base, entries)
        for segment in small:
            segment.path.unlink(missing_ok=True)

    def _make_room(self, n_bytes: int) -> None:
        """Remove segments, the least recently used first, until `n_bytes` more fit.

        Raises OSError, and removes nothing, where the segments do not suffice that were not used
        since this store was opened. A process that removed its own would read all again next time.
        """
        assert self.folder is not None
        files = sorted(stored_files(self.folder), key=lambda file: file.last_used_at)
        used = sum(file.n_bytes for file in files)
        n_free = shutil.disk_usage(self.folder).free - _LEAST_FREE_BYTES
        excess = used + n_bytes - min(self.max_bytes, used + n_free)
        old = [file for file in files if file.last_used_at < self._opened_at]
        if excess > sum(file.n_bytes for file in old):
            raise OSError(
                errno.ENOSPC,
                f"it is full. Its limit is {self.max_bytes / 1e9:g} GB (RELABEL_VECTORS_GB), and "
                f"{_LEAST_FREE_BYTES / 1e9:g} GB of the disk stay free",
            )
        for file in old:
            if excess <= 0:
                break
            file.path.unlink(missing_ok=True)
            excess -= file.n_bytes


@dataclass(frozen=True)
class StoredFile:
    """A segment as the file system describes it; `last_used_at` is in seconds since 1970."""

    path: Path
    n_bytes: int
    last_used_at: float


def stored_files(folder: Path) -> Iterator[StoredFile]:
    """Yield the segments of all bases in `folder`, none where it is missing.

    Scratch files of killed processes are removed on the way.

    >>> list(stored_files(Path("/nowhere")))
    []
    """
    for path in folder.glob("*/*"):
        with suppress(OSError):  # another process has just removed it
            status = path.stat()
            if path.suffix == SUFFIX:
                yield StoredFile(path, status.st_size, status.st_mtime)
            elif path.suffix == ".half" and time.time() - status.st_mtime > _SCRATCH_AGE_S:
                path.unlink()


class _Base:
    """The open segments of one base, and the entries that wait to become one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pending = dict[bytes, bytes]()
        self.segments = dict[Path, Segment]()
        self.known = set[Path]()  # with those that were forgotten, or could not be opened
        # About 250 bytes an entry: 7 MB for 30,000 documents.
        self._places = dict[bytes, tuple[Segment, int]]()
        self._used = set[Path]()

    def add(self, segment: Segment) -> None:
        self.known.add(segment.path)
        self.segments[segment.path] = segment
        self._places.update((key, (segment, row)) for row, key in enumerate(segment.keys))

    def forget(self, segment: Segment) -> None:
        """Forget a segment that is damaged or gone. Its path stays known, and is not opened again."""
        del self.segments[segment.path]
        for key in segment.keys:
            if self._places.get(key, (None, 0))[0] is segment:
                del self._places[key]

    def places(self, keys: Iterable[bytes]) -> dict[Segment, dict[int, bytes]]:
        """Those of `keys` that segments have: by segment, and by row."""
        by_segment = dict[Segment, dict[int, bytes]]()
        for key in keys:
            if key in self._places:
                segment, row = self._places[key]
                by_segment.setdefault(segment, {})[row] = key
        return by_segment

    def note_use(self, segment: Segment) -> None:
        """Make the file's time that of its last use, once for each of this process."""
        if segment.path not in self._used:
            self._used.add(segment.path)
            with suppress(OSError):  # a home that only its owner may write
                os.utime(segment.path)
