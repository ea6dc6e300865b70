"""Reading a backup, a .tar.gz that somebody may have made to harm: its files, one after the other.

What belongs here: the format, the limits on its size, and the names that may be in it. What does not:
what a home does with the files (restore.py).

Python's own tarfile is not trusted with unpacking: until 3.11.13 its filters could be bypassed
(CVE-2025-4517). It also reads a header of any length into memory, and believes the sizes it declares.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from relabel_assets.errors import ConfigError
from relabel_assets.intake.input_limits import MAX_ARCHIVE_FILES, MAX_FOLDER_DEPTH
from relabel_assets.intake.one_input import reason_of
from relabel_assets.intake.text import printable

WAREHOUSE = "warehouse.duckdb"
FOLDERS = ("models", "ledger", "reports")
NO_BACKUP = "Nothing was changed. Name a file that `relabel backup` wrote."
_BLOCK = 512  # bytes: headers and files fill whole blocks
_PIECE = 1 << 20
_MAX_HEADER_BYTES = 64 * 1024  # of a long name; tarfile's own have a few hundred
_MAX_SIZE_DIGITS = 15  # a petabyte
_MAX_NAME_BYTES = 255  # of a file or a folder, on most file systems
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


def fault_of_name(name: str) -> str | None:
    """What is wrong with the name of a file in a backup; None for a name that a backup has.

    >>> fault_of_name("models/demo/4f1c/student.json")
    >>> fault_of_name("models/../../x")
    "a name with '..'"
    >>> fault_of_name("authorized_keys")
    'no part of a backup'
    """
    parts = name.split("/")
    is_part = name == WAREHOUSE or (parts[0] in FOLDERS and len(parts) > 1)
    faults = {
        "a name with control characters, or that is not UTF-8": printable(name) != name
        or bool({"\n", "\t"} & {*name}),
        "an absolute name": name.startswith("/"),
        "a name with '..'": ".." in parts,
        "a name with an empty part or '.'": bool({"", "."} & {*parts}),
        f"more than {MAX_FOLDER_DEPTH} folders deep": len(parts) > MAX_FOLDER_DEPTH,
        f"a name of more than {_MAX_NAME_BYTES} bytes": any(
            len(part.encode("utf-8", "replace")) > _MAX_NAME_BYTES for part in parts
        ),
        "no part of a backup": not is_part,
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


class Archive:
    """The files of a backup. `max_bytes` limits what is unpacked, headers included.

    Raises ConfigError for whatever is no backup, as soon as it is read.
    """

    def __init__(self, file: Path, stream: IO[bytes], max_bytes: int) -> None:
        self._file, self._max_bytes, self._n_bytes = file, max_bytes, 0
        self._stream = gzip.GzipFile(fileobj=stream)

    def files(self) -> Iterator[tuple[PurePosixPath, Iterator[bytes]]]:
        """Each file's place below the home, and its content in pieces, which must be read before the next."""
        places: set[PurePosixPath] = set()
        folders: set[PurePosixPath] = set()
        extended: dict[str, str] = {}
        while any(block := self._read(_BLOCK)):
            header = self._header(block)
            if header.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
                extended |= self._extended(header)
                continue
            own = extended.get("path", header.name)
            size = self._size(extended.get("size", str(header.size)), own)
            extended = {}
            if header.type == tarfile.DIRTYPE:
                # A file makes its folders. Only its name is checked: "models" itself is a part.
                place = own.rstrip("/")
                if place not in FOLDERS and (fault := fault_of_name(place)):
                    raise self._refused(own, fault)
                continue
            if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise self._refused(own, _KINDS.get(header.type, "no regular file"))
            if fault := fault_of_name(own):
                raise self._refused(own, fault)
            path = PurePosixPath(own)
            if path in places:
                raise self._refused(own, "there twice")
            if path in folders or places.intersection(path.parents):
                raise self._refused(own, "a file and a folder at once")
            places.add(path)
            folders.update(path.parents)
            if len(places) > MAX_ARCHIVE_FILES:
                raise self._error(f"it has more than {MAX_ARCHIVE_FILES:,} files")
            yield path, self._content(size)
        while self._read(_PIECE, is_short_allowed=True):
            pass  # the end has the checksum of all

    def _header(self, block: bytes) -> tarfile.TarInfo:
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError, OverflowError) as error:
            raise self._error(f"it is no .tar.gz ({reason_of(error)})") from error
        return header

    def _size(self, digits: str, name: str) -> int:
        if not digits.isdecimal() or len(digits) > _MAX_SIZE_DIGITS:
            raise self._refused(name, "a file of impossible size")
        return int(digits)

    def _extended(self, header: tarfile.TarInfo) -> dict[str, str]:
        """The `path` and `size` in a header of its own, in the format of POSIX or GNU."""
        if not 0 <= header.size <= _MAX_HEADER_BYTES:
            raise self._error(f"a header of it has {header.size:,} bytes")
        content = b"".join(self._content(header.size))
        if header.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": content.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
        fields = {}
        while content:
            length, _, _ = content.partition(b" ")
            if not length.isdigit() or not len(length) < int(length[:6]) <= len(content):
                raise self._error("a header of it is damaged")
            record, content = content[len(length) + 1 : int(length)], content[int(length) :]
            key, _, value = record.partition(b"=")
            if key.startswith(b"GNU.sparse"):
                raise self._error("it has a sparse file")
            if key in (b"path", b"size"):
                text = value.removesuffix(b"\n").decode("utf-8", "surrogateescape")
                fields[key.decode()] = text
        return fields

    def _content(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            piece = self._read(min(left, _PIECE))
            left -= len(piece)
            yield piece
        self._read(-size % _BLOCK)

    def _read(self, size: int, *, is_short_allowed: bool = False) -> bytes:
        """The next `size` bytes. Raises ConfigError where they are not there, or over the limit."""
        self._n_bytes += size
        if self._n_bytes - _PIECE > self._max_bytes:
            raise self._error(
                f"it unpacks to more than {self._max_bytes / 1e9:,.1f} GB. If it is yours, set --max-gb"
            )
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise self._error(f"it is no .tar.gz, or damaged ({reason_of(error)})") from error
        if len(data) < size and not is_short_allowed:
            raise self._error("it ends in the middle")
        return data

    def _refused(self, name: str, fault: str) -> ConfigError:
        return self._error(f"{printable(name)[:200]!r} in it is {fault}")

    def _error(self, problem: str) -> ConfigError:
        return ConfigError(f"{self._file} cannot be restored: {problem}. {NO_BACKUP}")
