"""Regular files inside one folder: opening them and walking them, and no link out of it.

What belongs here: the only way in which files of a corpus are opened. What does not: their formats.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from relabel_assets.intake.input_limits import (
    MAX_FOLDER_DEPTH,
    MAX_LINE_BYTES,
    MAX_LINKED_FILES,
)
from relabel_assets.intake.one_input import SetAside, reason_of

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# The first bytes of packed files, which users take for the text inside.
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}


def open_regular(root: Path, name: str, *, max_bytes: int) -> BinaryIO:
    """The regular file `name` under `root`, opened for reading bytes.

    Raises SetAside for anything else: a missing or unreadable file, a folder, a pipe, a device, a link
    out of `root`, a file of more than `max_bytes`.
    """
    path = _inside(root, name)
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise SetAside("there is no such file", "Put it there, or correct its name.") from error
    except (OSError, ValueError) as error:
        raise SetAside(
            f"it cannot be opened: {reason_of(error)}", "Correct it, or take it out."
        ) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
            raise SetAside(f"it is {kind}", "Put a regular file in its place, or take it out.")
        if status.st_size > max_bytes:
            raise SetAside(
                f"it has {status.st_size:,} bytes; at most {max_bytes:,} are read", "Split it."
            )
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(root: Path, name: str, *, max_bytes: int) -> bytes:
    """The bytes of the regular file `name` under `root`. Raises SetAside as open_regular."""
    with open_regular(root, name, max_bytes=max_bytes) as file:
        try:
            return file.read(max_bytes + 1)
        except OSError as error:
            raise SetAside(f"it cannot be read: {reason_of(error)}", "Copy it again.") from error


def open_text(root: Path, name: str, *, max_bytes: int) -> BinaryIO:
    """As open_regular, for a file of text. Raises SetAside for a packed one too."""
    file = open_regular(root, name, max_bytes=max_bytes)
    start = file.read(8)
    packer = next((packer for magic, packer in _PACKED.items() if start.startswith(magic)), None)
    if packer:
        file.close()
        raise SetAside(f"it is packed ({packer})", "Unpack it.")
    file.seek(0)
    return file


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, from 1. A too long line is cut after MAX_LINE_BYTES + 1 bytes."""
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        yield number, raw
        while len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            raw = file.readline(MAX_LINE_BYTES + 1)


def walk(
    root: Path,
    *,
    inside: Path | None = None,
    is_entered: Callable[[str], bool] = lambda name: True,
) -> Iterator[tuple[str, SetAside | None]]:
    """Every file under `root`, as its path with forward slashes, sorted by its parts.

    With it comes None, or the reason why it cannot be read: an unreadable or too deep folder, or a link to a
    folder that is not followed. Links to folders are followed where they stay inside the folder `inside`
    (default: `root`), and not to a folder around the link. Bytes of a name that are not UTF-8 are surrogates,
    as os.fsdecode gives them. `is_entered` says by its name whether a folder in `root` is walked.
    """
    found: list[tuple[tuple[str, ...], SetAside | None]] = []
    # Each with its real path, so that a link to a folder around it is known.
    folders: list[tuple[tuple[str, ...], Path]] = [((), root.resolve())]
    links: list[tuple[tuple[str, ...], Path]] = []
    limit = (inside or root).resolve()
    n_own: int | None = None  # files that were found before the first link was followed
    while folders or links:
        if not folders:
            n_own = len(found) if n_own is None else n_own
            place, around = links.pop()
            real = root.joinpath(*place).resolve()
            if fault := _fault_of_link(real, around, limit, n_linked=len(found) - n_own):
                found.append((place, fault))
            else:
                folders.append((place, real))
            continue
        parts, real = folders.pop()
        if len(parts) > MAX_FOLDER_DEPTH:
            found.append(
                (parts, SetAside(f"it is more than {MAX_FOLDER_DEPTH} folders deep", "Move it up."))
            )
            continue
        try:
            with os.scandir(root.joinpath(*parts)) as entries:
                for entry in entries:
                    place = (*parts, entry.name)
                    is_own = entry.is_dir(follow_symlinks=False)
                    if not is_own and not _is_link_to_folder(entry):
                        found.append((place, None))
                    elif not parts and not is_entered(entry.name):
                        continue
                    elif is_own:
                        folders.append((place, real / entry.name))
                    else:
                        links.append((place, real))
        except OSError as error:
            reason = SetAside(f"its folder cannot be read: {reason_of(error)}", "Make it readable.")
            found.append((parts, reason))
    for parts, reason_or_none in sorted(found, key=lambda place: place[0]):
        yield "/".join(parts), reason_or_none


def _is_link_to_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # a loop, or its target cannot be reached: opening it says so
        return False


def _fault_of_link(real: Path, around: Path, limit: Path, *, n_linked: int) -> SetAside | None:
    """Why a link to the folder `real` is not followed; None if it is.

    `around`: the real path of the folder that holds the link. `n_linked`: files found through links so far.
    """
    if not real.is_relative_to(limit):
        return SetAside("it is a link to a folder out of the corpus", "Copy the folder itself.")
    if around.is_relative_to(real):
        return SetAside("it is a link to a folder around it, a loop", "Take it out.")
    if n_linked > MAX_LINKED_FILES:  # links to folders of links multiply
        message = f"links to folders lead to more than {MAX_LINKED_FILES:,} files"
        return SetAside(message, "Copy the folders that are needed.")
    return None


def _inside(root: Path, name: str) -> Path:
    """The real path of `name`. Raises SetAside if that is not under the real `root`."""
    try:
        path = (root / name).resolve()
        is_inside = path.is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a name with NUL
        raise SetAside("it is a link to nothing", "Correct it, or take it out.") from error
    if not Path(os.path.normpath(root / name)).is_relative_to(root):
        raise SetAside("it is outside the corpus folder", "Copy the file into the folder.")
    if not is_inside:
        raise SetAside("it is a link out of the corpus", "Copy the file into the corpus.")
    return path
