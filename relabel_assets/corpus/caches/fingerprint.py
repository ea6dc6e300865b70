"""The fingerprint of some files of a corpus: their names and the hashes of their contents.

What belongs here: hashing them all, in bounded memory and with progress. What does not: which files a part
of a corpus has (corpus_files.py), and the hash of one file (content_hashes.py).
"""

import hashlib
import os
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path

from relabel_assets.corpus.caches.cache_file import CacheFile
from relabel_assets.corpus.caches.content_hashes import ContentHashes
from relabel_assets.intake.regular_files import walk
from relabel_assets.progress import Progress, working_on

# A look at files that did not change takes less for 100,000 of them, and shows nothing.
_SILENT_S = 1.0


def fingerprint(
    root: Path,
    is_part: Callable[[str], bool],
    *,
    folders: Collection[str] | None = None,
    cache: Path | None = None,
) -> str:
    """SHA-256 of the names and contents of those files under `root` that `is_part`.

    `folders`: the folders of `root` that may hold some; None for any. The others are not walked.
    `cache`: the folder of what earlier looks found. Files that did not change since are not read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.md").write_text("leave")
    ...     before = fingerprint(Path(folder), lambda file: file.endswith(".md"))
    ...     _ = (Path(folder) / "b.txt").write_text("leave")
    ...     before == fingerprint(Path(folder), lambda file: file.endswith(".md"))
    True
    """
    digest = hashlib.sha256()

    def is_entered(folder: str) -> bool:
        # A folder in place of a file of the part has a fault to tell.
        return folders is None or folder in folders or is_part(folder)

    files = list(walk(root, is_entered=is_entered))
    with CacheFile(cache) as kept, _Shown(root.name, len(files)) as shown:
        hashes = ContentHashes(root, kept)
        for done, (file, fault) in enumerate(files, start=1):
            if is_part(file):
                inner = fault.message if fault else hashes.of(file)
                digest.update(os.fsencode(f"{file}\0{inner}\n"))
            if hashes.n_read:
                shown.report(done)
        if folders is None:
            hashes.forget_gone(len(files))
    return digest.hexdigest()


class _Shown(ExitStack):
    """The progress of a long look: it is shown from the second on in which files are read."""

    def __init__(self, subject: str, total: int) -> None:
        super().__init__()
        self._subject, self._total = subject, total
        self._began_at = time.monotonic()
        self._progress: Progress | None = None

    def report(self, done: int) -> None:
        if self._progress is None and time.monotonic() - self._began_at > _SILENT_S:
            self._progress = self.enter_context(working_on(f"{self._subject} / files"))
        if self._progress is not None:
            self._progress("looking for changes, files", done, self._total)
