"""The files of one corpus folder: finding, opening and fingerprinting them.

What belongs here: which file holds what, and the error of a file that cannot be used. What does not:
settings and rows (folder.py), and opening a file safely (intake/regular_files.py).
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from relabel_assets.corpus import documents
from relabel_assets.corpus.caches.fingerprint import fingerprint
from relabel_assets.corpus.rows import json_objects
from relabel_assets.corpus.runs.run_files import is_run
from relabel_assets.errors import ConfigError, CorpusError, Problem
from relabel_assets.intake.csv_rows import csv_rows
from relabel_assets.intake.input_limits import (
    MAX_DOCUMENT_FILE_BYTES,
    MAX_ROWS_FILE_BYTES,
    MAX_SETTINGS_BYTES,
    MAX_UNPACKED_IN_ANY_CASE,
    MAX_UNPACKED_TIMES,
)
from relabel_assets.intake.one_input import SetAside, costs_itself, problem_of
from relabel_assets.intake.parquet_rows import parquet_rows
from relabel_assets.intake.regular_files import (
    numbered_lines,
    open_regular,
    open_text,
    read_regular,
    walk,
)
from relabel_assets.intake.text import is_storable, shown
from relabel_assets.progress import Progress, silent

DOCUMENT_FILES = ("documents.jsonl", "documents.csv", "documents.parquet", "corpus.jsonl")
# Pictures, styles and scripts of web pages: they are skipped without a problem.
_QUIET_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico", ".css", ".js")
_ROWS_BETWEEN_REPORTS = 500  # a row takes microseconds, unless it is long
_Row = tuple[int, dict[str, Any] | SetAside]


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
        """Each usable file of documents/: (path under it, content). Others are added to `problems`."""
        root = self.path / "documents"
        if not root.is_dir() or not root.resolve().is_relative_to(self.path.resolve()):
            raise CorpusError(
                f"{self.name}/documents is no folder, or a link out of the corpus. "
                "Copy the folder into the corpus."
            )
        files = list(walk(root))
        for done, (name, fault) in enumerate(files, start=1):
            progress("reading, files", done, len(files))
            file = PurePosixPath(name)
            is_hidden = any(part.startswith(".") for part in file.parts)
            if is_hidden or file.suffix.lower() in _QUIET_SUFFIXES:
                continue
            path, content = f"documents/{name}", None
            with costs_itself(problems, path):
                if fault:
                    raise fault
                _check_name(file)
                content = read_regular(self.path, path, max_bytes=MAX_DOCUMENT_FILE_BYTES)
            if content is not None:
                yield name, content

    def has(self, file: str) -> bool:
        """Whether the corpus has `file`, usable or not. A pipe in its place must not look like none."""
        return os.path.lexists(self.path / file)

    @contextmanager
    def opened(self, file: str) -> Iterator[BinaryIO]:
        """A file of rows, opened. Raises CorpusError if all of it cannot be used."""
        opener = open_regular if file.endswith(".parquet") else open_text
        try:
            with opener(self.path, file, max_bytes=MAX_ROWS_FILE_BYTES) as opened:
                yield opened
        except (SetAside, OSError) as error:
            problem = problem_of(error, file)
            raise CorpusError(f"{self.name}/{problem}", problem) from error

    @contextmanager
    def json_rows(
        self, file: str, problems: list[Problem]
    ) -> Iterator[Iterable[tuple[int, dict[str, Any]]]]:
        """The rows of a file of JSON lines; none without the file."""
        if not self.has(file):
            yield ()
            return
        with self.opened(file) as opened:
            yield json_objects(numbered_lines(opened), file=file, problems=problems)

    def table_rows(self, file: str, opened: BinaryIO, problems: list[Problem]) -> Iterable[_Row]:
        """The rows of a file of documents, each with its line or row number."""
        if file.endswith(".jsonl"):
            return json_objects(numbered_lines(opened), file=file, problems=problems)
        if file.endswith(".csv"):
            return csv_rows(opened, _check_columns)
        n_bytes = os.fstat(opened.fileno()).st_size
        return _unpacked(parquet_rows(opened, documents.ROW_COLUMNS, _check_columns), n_bytes)

    def reported(
        self, rows: Iterable[_Row], opened: BinaryIO, progress: Progress
    ) -> Iterator[_Row]:
        """`rows` of an opened file; `progress` is told how much of the file is read."""
        n_bytes = os.fstat(opened.fileno()).st_size
        for number, row in enumerate(rows):
            if number % _ROWS_BETWEEN_REPORTS == 0:
                # What the parser has taken, also where it is another process.
                position = os.lseek(opened.fileno(), 0, os.SEEK_CUR)
                progress("reading, MB", position // 1_000_000, -(-n_bytes // 1_000_000))
            yield row

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
        runs and everything.
        """
        is_part = {
            "documents": lambda file: file.startswith("documents/") or file in DOCUMENT_FILES,
            "queries": lambda file: file == "queries.jsonl",
            "teacher_labels": lambda file: file == "teacher_labels.jsonl",
            "reference_labels": lambda file: file == "reference_labels.qrels" or is_beir(file),
            "reviews": lambda file: file.startswith("reviews/") and file.endswith(".jsonl"),
            "samples": lambda file: file.startswith("reviews/samples/") and file.endswith(".jsonl"),
            "runs": lambda file: is_run(file) or file == "runs/systems.yaml",
            "everything": lambda file: True,
        }[part]
        return fingerprint(self.path, is_part, cache=self.cache)


def is_beir(file: str) -> bool:
    """Whether `file` is one of BEIR's files of reference grades."""
    return file.startswith("qrels/") and file.endswith(".tsv") and file.count("/") == 1


def _check_name(file: PurePosixPath) -> None:
    """Raises SetAside for a file whose name cannot be a document's."""
    if not is_storable(str(file)):
        raise SetAside("its name is not UTF-8", "Rename it.")
    if file.suffix.lower() not in documents.TEXT_SUFFIXES:
        allowed = ", ".join(documents.TEXT_SUFFIXES)
        raise SetAside(f"{file.suffix or 'no suffix'} is not read", f"Formats: {allowed}.")


def _check_columns(names: Sequence[str]) -> None:
    """Raises SetAside for columns without the id or the text of a document."""
    for column, beir_column in (("doc_id", "_id"), ("body", "text")):
        if column not in names and beir_column not in names:
            columns = shown(", ".join(names)) if names else "none"
            message = f"it has no column {column}; its columns: {columns}"
            raise SetAside(message, f"Name one of them {column}.")


def _unpacked(rows: Iterable[_Row], n_bytes: int) -> Iterator[_Row]:
    """The `rows` of a packed file of `n_bytes`. Raises SetAside for one that packs far too much text."""
    most = max(MAX_UNPACKED_TIMES * n_bytes, MAX_UNPACKED_IN_ANY_CASE)
    n_characters = 0
    for number, row in rows:
        if not isinstance(row, SetAside):
            n_characters += sum(len(cell) for cell in row.values() if isinstance(cell, str))
        if n_characters > most:
            message = f"it unpacks to more than {most:,} characters, over 100 times its size"
            raise SetAside(message, "Take out documents that repeat others.")
        yield number, row
