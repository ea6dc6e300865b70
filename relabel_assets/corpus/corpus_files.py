"""The files of one corpus folder: finding, opening and fingerprinting them.

What belongs here: which file holds what, and the error of a file that cannot be used. What does not:
settings and rows (folder.py), and opening a file safely (intake/regular_files.py).
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from relabel_assets.corpus.caches.fingerprint import fingerprint
from relabel_assets.corpus.documents_folder import folder_files
from relabel_assets.corpus.grades.imported_grades import (
    LABELERS_FOLDER,
    REFERENCE_FOLDER,
    is_imported,
)
from relabel_assets.corpus.part_files import FILES, SETTINGS, the_file
from relabel_assets.corpus.rows import usable_rows
from relabel_assets.corpus.runs.run_files import is_run
from relabel_assets.errors import ConfigError, CorpusError, Problem
from relabel_assets.intake.input_limits import (
    MAX_SETTINGS_BYTES,
)
from relabel_assets.intake.one_input import SetAside, problem_of
from relabel_assets.intake.regular_files import (
    read_regular,
    walk,
)
from relabel_assets.intake.tables.column_names import Columns
from relabel_assets.intake.tables.numbered_rows import NumberedRow
from relabel_assets.intake.tables.reader import open_table, read_table
from relabel_assets.progress import Progress, silent

DOCUMENT_FILES = FILES["documents"]
_ROWS_BETWEEN_REPORTS = 500  # a row takes microseconds, unless it is long


@dataclass(frozen=True)
class CorpusFiles:
    """The files of the corpus `name`, in the folder `path`."""

    name: str
    path: Path
    cache: Path | None = None  # the folder of what earlier looks found

    def document_sources(self) -> list[str]:
        """The folder and files that may hold the documents; a usable corpus has one."""
        return [name for name in ("documents", *DOCUMENT_FILES) if self.has(name)]

    def document_files(
        self, problems: list[Problem], progress: Progress = silent
    ) -> Iterator[tuple[str, bytes]]:
        """Each usable file of documents/: (path under it, content). Others are added to `problems`.

        Raises CorpusError for anything but a folder inside the corpus.
        """
        root = self.path / folder_files.FOLDER
        if not root.is_dir() or not root.resolve().is_relative_to(self.path.resolve()):
            raise CorpusError(
                f"{self.name}/documents is no folder, or a link out of the corpus. "
                "Copy the folder into the corpus."
            )
        return folder_files.document_files(self.path, problems, progress)

    def document_names(self) -> list[str]:
        """The paths under documents/ of all files there, of any kind."""
        return [name for name, _ in walk(self.path / folder_files.FOLDER, inside=self.path)]

    def has(self, file: str) -> bool:
        """Whether the corpus has `file`, usable or not. A pipe in its place must not look like none."""
        return os.path.lexists(self.path / file)

    def holding(self, part: str) -> str | None:
        """The file that holds a `part` of part_files.py; None without one. Raises CorpusError for two."""
        beir = self.beir_qrels[:1] if part == "reference_labels" else []
        file = the_file(self.name, self.path, part, self.has, ["qrels/"] if beir else [])
        return None if file == "qrels/" else file

    @property
    def settings(self) -> str | None:
        """The file of the settings; None without one. Raises ConfigError for two."""
        found = [name for name in SETTINGS if self.has(name)]
        if len(found) > 1:
            raise ConfigError(
                f"{self.name}: {' and '.join(found)} are both there. Keep one of them."
            )
        return found[0] if found else None

    @contextmanager
    def opened(self, file: str) -> Iterator[BinaryIO]:
        """A file of rows, opened. Raises CorpusError if all of it cannot be used."""
        try:
            with open_table(self.path, file, _suffix(file)) as opened:
                yield opened
        except (SetAside, OSError) as error:
            problem = problem_of(error, file)
            raise CorpusError(f"{self.name}/{problem}", problem) from error

    @contextmanager
    def table(
        self,
        file: str | None,
        columns: Columns,
        problems: list[Problem],
        notes: list[str],
        progress: Progress = silent,
    ) -> Iterator[Iterable[tuple[int, dict[str, Any]]]]:
        """The usable rows of a table; none without a file. `notes` gets what was taken to read it."""
        if file is None:
            yield ()
            return
        with self.opened(file) as opened:
            table = read_table(opened, _suffix(file), columns)
            notes += [f"{file}: {table.taken}"] if table.taken else []
            rows = _reported(table.rows, opened, progress)
            yield usable_rows(rows, file=file, problems=problems)

    def text(self, file: str) -> str:
        try:
            raw = read_regular(self.path, file, max_bytes=MAX_SETTINGS_BYTES)
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise ConfigError(
                f"{self.name}/{file}:{line}: not UTF-8 text. Save the file as UTF-8."
            ) from error
        except SetAside as error:
            raise ConfigError(str(problem_of(error, f"{self.name}/{file}"))) from error

    @property
    def beir_qrels(self) -> list[str]:
        """BEIR's files of reference grades, one for each split."""
        try:
            names = sorted(file.name for file in (self.path / "qrels").iterdir())
        except OSError:
            return []
        return [f"qrels/{name}" for name in names if is_beir(f"qrels/{name}")]

    def fingerprint(self, part: str) -> str:
        """SHA-256 of the names and contents of the files of one `part`.

        Parts: documents, queries, teacher_labels, reference_labels, reviews (with their samples), samples,
        runs, labelers and everything.
        """
        folders, is_part = PARTS[part]
        return fingerprint(self.path, is_part, folders=folders, cache=self.cache)


def is_beir(file: str) -> bool:
    """Whether `file` is one of BEIR's files of reference grades."""
    return file.startswith("qrels/") and file.endswith(".tsv") and file.count("/") == 1


# Of each part: the folders that may hold files of it, and which files are of it.
PARTS: dict[str, tuple[tuple[str, ...] | None, Callable[[str], bool]]] = {
    "documents": (
        ("documents",),
        lambda file: file.startswith("documents/") or file in DOCUMENT_FILES,
    ),
    "queries": ((), lambda file: file in FILES["queries"]),
    "teacher_labels": ((), lambda file: file in FILES["teacher_labels"]),
    "reference_labels": (
        ("qrels", REFERENCE_FOLDER),
        lambda file: (
            file in FILES["reference_labels"]
            or is_beir(file)
            or is_imported(file, REFERENCE_FOLDER)
        ),
    ),
    "labelers": ((LABELERS_FOLDER,), lambda file: is_imported(file, LABELERS_FOLDER)),
    "reviews": (
        ("reviews",),
        lambda file: file.startswith("reviews/") and file.endswith(".jsonl"),
    ),
    "samples": (
        ("reviews",),
        lambda file: file.startswith("reviews/samples/") and file.endswith(".jsonl"),
    ),
    "runs": (("runs",), lambda file: is_run(file) or file == "runs/systems.yaml"),
    "everything": (None, lambda file: True),
}


def _suffix(file: str) -> str:
    return PurePosixPath(file).suffix.lower()


def _reported(
    rows: Iterable[NumberedRow], opened: BinaryIO, progress: Progress
) -> Iterator[NumberedRow]:
    """`rows` of an opened file; `progress` is told how much of the file is read."""
    n_bytes = os.fstat(opened.fileno()).st_size
    for number, row in enumerate(rows):
        if number % _ROWS_BETWEEN_REPORTS == 0:
            # What the parser has taken, also where it is another process.
            position = os.lseek(opened.fileno(), 0, os.SEEK_CUR)
            progress("reading, MB", position // 1_000_000, -(-n_bytes // 1_000_000))
        yield row
