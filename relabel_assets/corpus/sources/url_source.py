"""The documents in files at an address: listed, fetched once for each version, and read like documents/.

What belongs here: which files are fetched, and where they are kept. What does not: fsspec (remote_files.py),
and the documents in a file (corpus/documents_folder/).
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from relabel_assets.corpus.caches.parsed_files import parsed_files
from relabel_assets.corpus.documents import Document
from relabel_assets.corpus.documents_folder.doc_ids import order_of_file
from relabel_assets.corpus.documents_folder.file_documents import documents_from_files
from relabel_assets.corpus.sources.remote_files import RemoteFile, RemoteFiles
from relabel_assets.errors import CorpusError, Problem, RelabelError
from relabel_assets.files import make_private, whole
from relabel_assets.intake.formats.registry import is_passed_over, max_bytes, remedy_of, suffixes
from relabel_assets.intake.one_input import problem_of
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.progress import Progress, silent, working_on

NAME = "documents.url"
_OBJECTS = "objects"
# A run looks at the listing several times, and must see the same one.
_SECONDS_OF_A_LISTING = 60.0
_AT_ONCE = 32
# Kept of one corpus, and free on the disk: as of the store of vectors.
_MOST_BYTES, _LEAST_FREE_BYTES = 20_000_000_000, 2_000_000_000
_LISTINGS: dict[str, tuple[float, RemoteFiles, list[RemoteFile]]] = {}


@dataclass(frozen=True)
class UrlSource:
    """The files at `url` of the corpus `name`. `cache`: where their bytes are kept."""

    name: str
    url: str
    cache: Path | None = None

    def documents(
        self, problems: list[Problem], notes: list[str], progress: Progress = silent
    ) -> Iterator[Document]:
        """The documents in each file. Others are added to `problems`.

        Raises CorpusError where the files cannot be listed.
        """
        remote, files = self._listed()
        contents = self._contents(remote, files, problems, progress)
        with parsed_files(self.cache) as read:
            yield from documents_from_files(
                contents, folder=remote.shown, problems=problems, read=read
            )

    def fingerprint(self) -> str:
        """A digest of the names and versions of the files; of the reason where they cannot be listed."""
        try:
            with working_on(f"{self.name} / {NAME}"):
                _, files = self._listed()
        except RelabelError as error:
            return hashlib.sha256(str(error).encode()).hexdigest()
        rows = [[file.name, file.version or file.size] for file in files]
        return hashlib.sha256(json.dumps([self.url, rows]).encode()).hexdigest()

    def _listed(self) -> tuple[RemoteFiles, list[RemoteFile]]:
        known = _LISTINGS.get(self.url)
        if known and time.monotonic() - known[0] < _SECONDS_OF_A_LISTING:
            return known[1:]
        remote = RemoteFiles(self.url)
        try:
            files = [file for file in remote.listing() if not is_passed_over(file.name)]
        except Exception as error:
            message = f"the files at {remote.shown} cannot be listed: {remote.reason(error)}"
            problem = Problem(NAME, None, message, "Check the address and the network.")
            raise CorpusError(f"corpus {self.name!r}: {problem}", problem) from error
        _LISTINGS[self.url] = time.monotonic(), remote, files
        return remote, files

    def _contents(
        self,
        remote: RemoteFiles,
        files: list[RemoteFile],
        problems: list[Problem],
        progress: Progress,
    ) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of each file that can be read, in the order of documents/."""
        kept = _Kept(self.cache)
        files = sorted(files, key=lambda file: order_of_file(file.name))
        for start in range(0, len(files), _AT_ONCE):
            batch = files[start : start + _AT_ONCE]
            found = {file.name: _refusal(file) or kept.get(file) for file in batch}
            missing = [file for file in batch if found[file.name] is None]
            fetched = remote.fetch([file.name for file in missing], max_bytes) if missing else {}
            for done, file in enumerate(batch, start=start + 1):
                progress("fetching, files", done, len(files))
                content = fetched.get(file.name, found[file.name])
                if isinstance(content, bytes):
                    if file.name in fetched:
                        kept.put(file, content)
                    yield file.name, content
                elif content is not None:
                    place = f"{remote.shown.rstrip('/')}/{file.name}"
                    problems.append(problem_of(content, place))
        kept.forget_others(files)


def _refusal(file: RemoteFile) -> SetAside | None:
    """Why a file is not fetched; None where it is."""
    suffix = Path(file.name).suffix.lower()
    if suffix not in suffixes():
        return SetAside(f"{suffix or 'a file without an ending'} is not read", remedy_of(suffix))
    if file.size is None:
        return SetAside("its server does not say how large it is", "Download it into documents/.")
    if file.size > max_bytes(file.name):
        message = f"it has {file.size:,} bytes; at most {max_bytes(file.name):,} are read"
        return SetAside(message, "Split it.")
    return None


class _Kept:
    """The bytes of fetched files, each version in a file of its own. A loss costs a fetch."""

    def __init__(self, cache: Path | None) -> None:
        self._folder = cache / _OBJECTS if cache else None
        self._n_bytes = 0
        if self._folder and self._folder.is_dir():
            self._n_bytes = sum(path.stat().st_size for path in self._folder.iterdir())

    def get(self, file: RemoteFile) -> bytes | None:
        path = self._path(file)
        if path is None:
            return None
        with suppress(OSError):
            digest, _, content = path.read_bytes().partition(b"\n")
            if hashlib.sha256(content).hexdigest().encode() == digest:
                return content
        return None

    def put(self, file: RemoteFile, content: bytes) -> None:
        path = self._path(file)
        if path is None or self._n_bytes + len(content) > _MOST_BYTES:
            return
        with suppress(OSError):
            make_private(path.parent)
            if shutil.disk_usage(path.parent).free - len(content) < _LEAST_FREE_BYTES:
                return
            with whole(path) as scratch:
                digest = hashlib.sha256(content).hexdigest().encode()
                scratch.write_bytes(digest + b"\n" + content)
            self._n_bytes += len(content)

    def forget_others(self, files: list[RemoteFile]) -> None:
        """Remove what is of no file at the address any more."""
        if self._folder is None or not self._folder.is_dir():
            return
        present = {self._path(file) for file in files}
        for path in self._folder.iterdir():
            if path not in present:
                with suppress(OSError):
                    path.unlink()

    def _path(self, file: RemoteFile) -> Path | None:
        """Where a version of a file is kept; None for one whose version is not known."""
        if self._folder is None or file.version is None:
            return None
        return self._folder / hashlib.sha256(f"{file.name}\0{file.version}".encode()).hexdigest()
