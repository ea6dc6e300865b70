"""What parsers found in files, kept until the file or the parser changes.

What belongs here: which files are kept, and for how long. What does not: reading a file (intake/formats/),
and the file that keeps it (cache_file.py).

Only formats that need a parser are kept: a page of Markdown is read faster than it is looked up. An archive
is read again: what is inside may be large. So is a file that could not be read.
"""

import hashlib
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath

from relabel_assets import intake
from relabel_assets.corpus.caches.cache_file import CacheFile
from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.registry import PARSED, Reader, read_file

# Texts of some million pages. Not measured. Beyond it, files are parsed again.
_MOST_BYTES = 4_000_000_000
_PACKAGES = ("pypdf", "python-docx", "python-pptx", "trafilatura", "lxml", "ftfy")


class ParsedFiles:
    """Reads files, with what `cache` knows of them."""

    def __init__(self, cache: CacheFile) -> None:
        self._cache, self._began_at = cache, time.time_ns()
        self.n_parsed = 0

    def read_file(self, name: str, content: bytes) -> Iterator[FileText | Unread]:
        """As registry.read_file."""
        if PurePosixPath(name).suffix.lower() not in PARSED:
            yield from read_file(name, content)
            return
        key = _key(name, content)
        row = self._cache.row("select content from parsed where key = ?", (key,))
        texts = _unpacked(row[0]) if row else None
        if texts is None:
            self.n_parsed += 1
            texts = list(read_file(name, content))
            if self._has_room():
                values = (key, _packed(texts), self._began_at)
                self._cache.put("insert or replace into parsed values (?, ?, ?)", values)
        else:
            self._cache.put("update parsed set used_at = ? where key = ?", (self._began_at, key))
        yield from texts

    def forget_others(self) -> None:
        """Forget what this reading did not use. Call it after all files were read."""
        self._cache.put("delete from parsed where used_at < ?", (self._began_at,))

    def _has_room(self) -> bool:
        path = self._cache.path
        with suppress(OSError):
            return path is not None and path.stat().st_size < _MOST_BYTES
        return False


@contextmanager
def parsed_files(folder: Path | None) -> Iterator[Reader]:
    """A reader of the files of one corpus, with what is known of them in the cache in `folder`.

    What earlier readings found is forgotten when the block ends without an error and did not need it.
    """
    with CacheFile(folder) as kept:
        parsed = ParsedFiles(kept)
        yield parsed.read_file
        parsed.forget_others()


def _key(name: str, content: bytes) -> str:
    """A hash of all that a reader's result depends on."""
    digest = hashlib.sha256(f"{readers_version()}\0{name}\0".encode("utf-8", "surrogateescape"))
    digest.update(content)
    return digest.hexdigest()


@cache
def readers_version() -> str:
    """A hash of the code of all readers, and of the versions of their libraries."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            digest.update(f"{package} {metadata.version(package)}\n".encode())
    for folder in intake.__path__:
        for file in sorted(Path(folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _packed(texts: list[FileText | Unread]) -> bytes:
    rows = [[type(text).__name__, asdict(text)] for text in texts]
    return zlib.compress(json.dumps(rows).encode(), level=1)


def _unpacked(content: bytes) -> list[FileText | Unread] | None:
    """The texts in `content`; None for a damaged one: zlib has a checksum."""
    try:
        rows = json.loads(zlib.decompress(content))
        texts: list[FileText | Unread] = []
        for kind, fields in rows:
            if kind == "FileText":
                fields["notes"] = tuple(fields["notes"])
                texts.append(FileText(**fields))
            else:
                texts.append(Unread(**fields))
    except (zlib.error, ValueError, TypeError, KeyError):
        return None
    return texts
