"""Zip archives: each file inside that some reader reads is a document.

What belongs here: which members are read, and refusing what an archive can do harm with. Nothing is ever
unpacked to the disk. What does not: DOCX and PPTX, which are zip archives too (parsing/office.py).
"""

import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import PurePosixPath

from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.parsing.signatures import refuse_others
from relabel_assets.intake.input_limits import (
    MAX_ARCHIVE_MEMBERS,
    MAX_ARCHIVE_UNPACKED_BYTES,
    MAX_ID_CHARACTERS,
    MAX_UNPACKED_IN_ANY_CASE,
    MAX_UNPACKED_TIMES,
)
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import cut, is_storable, printable

_OF_MEMBER = b"PK\x01\x02"  # begins each entry of the list of members
_READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED, _UTF_8 = 0x1, 0x800
_LONGEST_REASON = 200
_REMEDY = "Pack it again, or take it out."
_DRIVE = re.compile(r"[A-Za-z]:")

ReadInner = Callable[[str, bytes], Iterator[FileText | Unread]]


def read_archive(
    name: str,
    content: bytes,
    *,
    read_inner: ReadInner,
    max_bytes: Callable[[str], int],
    is_passed_over: Callable[[str], bool],
) -> Iterator[FileText | Unread]:
    """The documents of all members, in the archive's order; Unread for each member that is none.

    `read_inner` reads a member by its name and bytes; `max_bytes` is the size up to which it is read.
    Members that `is_passed_over` are not named.

    Raises SetAside for a file that is no zip archive, and for one with too many members or too much text.
    """
    refuse_others(content, "a zip archive or an Office file", ".zip")
    if content.count(_OF_MEMBER) > MAX_ARCHIVE_MEMBERS:
        raise SetAside(f"it has more than {MAX_ARCHIVE_MEMBERS:,} members", "Split it.")
    try:
        archive = zipfile.ZipFile(BytesIO(content))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError) as error:
        raise SetAside(f"it is no .zip file, or is damaged{_reason(error)}", _REMEDY) from error
    seen = set[str]()
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        _check_size(members, len(content), max_bytes)
        for info in members:
            member = _name_of(info)
            try:
                _check_path(member)
                if is_passed_over(member):
                    continue
                _check_member(info, member, seen, max_bytes)
                inner = list(read_inner(member, _unpacked(archive, info)))
            except SetAside as error:
                yield Unread(printable(member), error.message, error.remedy)
                continue
            for part in inner:
                place = f"{member}/{part.inner_name}" if part.inner_name else member
                if isinstance(part, Unread):
                    yield replace(part, inner_name=place)
                else:
                    path = part.path or f"{name}/{place}"
                    yield replace(part, inner_name=place, path=path)


def _check_size(
    members: list[zipfile.ZipInfo], n_bytes: int, max_bytes: Callable[[str], int]
) -> None:
    """Raise SetAside where the members that will be read unpack to too much."""
    sizes = (info.file_size for info in members if info.file_size <= max_bytes(info.filename))
    most = max(MAX_UNPACKED_TIMES * n_bytes, MAX_UNPACKED_IN_ANY_CASE)
    most = min(most, MAX_ARCHIVE_UNPACKED_BYTES)
    if sum(sizes) > most:
        message = f"it unpacks to more than {most:,} bytes; it has {n_bytes:,}"
        raise SetAside(message, "Split it, or take out what repeats.")


def _name_of(info: zipfile.ZipInfo) -> str:
    """A member's name in NFC. Names in UTF-8 that are not declared as such are common: macOS writes them."""
    name = info.filename
    if not info.flag_bits & _UTF_8 and not name.isascii():
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return nfc(name)


def _check_path(member: str) -> None:
    """Raise SetAside for a name that is no path inside the archive, or cannot be shown."""
    parts = member.replace("\\", "/").split("/")
    if member.startswith("/") or "\\" in member or ".." in parts or _DRIVE.match(member):
        raise SetAside("its path leads out of the archive", "Pack it again without such paths.")
    if not is_storable(member) or len(member) > MAX_ID_CHARACTERS or not member.isprintable():
        raise SetAside("its name cannot be a document's", "Rename it.")


def _check_member(
    info: zipfile.ZipInfo, member: str, seen: set[str], max_bytes: Callable[[str], int]
) -> None:
    """Raise SetAside for a member that must not or cannot be read."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise SetAside("it is a link", "Pack the file itself.")
    if info.flag_bits & _ENCRYPTED:
        raise SetAside("it is encrypted with a password", "Pack it without a password.")
    if PurePosixPath(member).suffix.lower() == ".zip":
        raise SetAside("it is an archive inside an archive", "Unpack it beside the outer one.")
    if info.compress_type not in _READ_METHODS:
        raise SetAside("it is packed by a method that is not read", "Pack it again with deflate.")
    if info.file_size > (most := max_bytes(member)):
        raise SetAside(f"it has {info.file_size:,} bytes; at most {most:,} are read", "Split it.")
    if member in seen:
        raise SetAside("another member has the same name", "Rename one of them.")
    seen.add(member)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, at most as many as it states. Raises SetAside for a damaged one."""
    try:
        with archive.open(info) as file:
            return file.read(info.file_size)
    except Exception as error:  # zlib.error, BadZipFile, EOFError, struct.error, ...
        raise SetAside(f"it is damaged{_reason(error)}", _REMEDY) from error


def _reason(error: Exception) -> str:
    """A colon and what the library says of the damage; the empty text where it says nothing."""
    lines = str(error).splitlines()
    return f": {cut(lines[0], _LONGEST_REASON)}" if lines else ""
