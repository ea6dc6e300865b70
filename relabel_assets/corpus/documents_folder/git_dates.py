"""When and by whom the files of documents/ were changed last, by the history of git.

What belongs here: one `git log` of the folder, and its dates. What does not: which documents get one
(file_documents.py).

The repository may be hostile, so git runs nothing that its settings name: no hook, no pager, no filter of
diffs, no signature program, no transport.
"""

import os
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO

from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import one_line, storable

_MOST_SECONDS = 120.0  # the log of a folder with 100,000 commits takes some 30. Not measured.
_PIECE = 1024 * 1024
_SAFE = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "log.showSignature=false")
_LOG = (
    "log", "-z", "--name-only", "--relative", "--no-renames", "--no-ext-diff", "--no-textconv",
    "--no-show-signature", "--format=%x01%D%x02%aI%x02%an", "--", ".",
)  # fmt: skip
_REMEDY = "Clone the repository whole into the corpus, or leave documents.git_dates out."


@dataclass(frozen=True)
class LastChange:
    """The last change of a file: its date in ISO 8601, and who made it."""

    date: str
    author: str | None


def last_changes(folder: Path, names: Collection[str]) -> dict[str, LastChange]:
    """The last change of each file of `names` (paths under `folder`) that git knows.

    A file at the edge of a shallow clone has none: its true date is further back. Raises SetAside where there
    is no history: no git, no work tree, or none that ends in two minutes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     last_changes(Path(folder), ["leave.md"])
    Traceback (most recent call last):
    ...
    relabel_assets.intake.set_aside.SetAside: git has no history of documents/: ...
    """
    command = ["git", "--no-pager", *(part for each in _SAFE for part in ("-c", each)), *_LOG]
    # Variables of git may name another repository, as in a hook that runs this.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_ALLOW_PROTOCOL": "", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    environment |= {"GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        git = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise SetAside(f"git has no history of documents/: {error.strerror}", _REMEDY) from error
    timer = Timer(_MOST_SECONDS, git.kill)
    timer.start()
    try:
        assert git.stdout is not None and git.stderr is not None
        changes, is_all = _changes(git.stdout, {nfc(name): name for name in names})
        if is_all:
            git.kill()  # the rest is older
        reason = git.stderr.read().decode("utf-8", "replace").strip()
        code = git.wait()
    finally:
        timer.cancel()
        git.kill()
        git.communicate()
    if code and not is_all:
        seconds = f"it took more than {_MOST_SECONDS:.0f} seconds"
        first_line = one_line(reason.partition("\n")[0])[:200] if reason else seconds
        raise SetAside(f"git has no history of documents/: {first_line}", _REMEDY)
    return changes


def _changes(log: IO[bytes], wanted: dict[str, str]) -> tuple[dict[str, LastChange], bool]:
    """The newest change of each of the `wanted` names (by their NFC) in a log, which is newest first.

    With it, whether all were in the log.
    """
    changes: dict[str, LastChange] = {}
    left = set(wanted)
    change: LastChange | None = None
    for token in _tokens(log):
        if token.startswith("\x01"):
            refs, date, author = [*token[1:].split("\x02"), "", ""][:3]
            is_edge = "grafted" in refs.split(", ")  # git's word for the edge of a shallow clone
            change = None if is_edge else LastChange(date, storable(author).strip() or None)
            continue
        name = nfc(token)
        if name in left:
            left.discard(name)
            if change is not None:
                changes[wanted[name]] = change
        if not left:
            return changes, True
    return changes, False


def _tokens(log: IO[bytes]) -> Iterator[str]:
    """The parts of a log between NULs."""
    rest = b""
    while piece := log.read(_PIECE):
        *whole, rest = (rest + piece).split(b"\0")
        yield from (os.fsdecode(token.lstrip(b"\n")) for token in whole)
    yield os.fsdecode(rest.lstrip(b"\n"))
