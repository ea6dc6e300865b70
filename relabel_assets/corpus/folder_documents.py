"""The documents of one corpus folder: which of its sources holds them, reading it, and its fingerprint.

What belongs here: choosing the source. What does not: the rows of a table (documents.py), the files of
documents/ (documents_folder/), and documents that live elsewhere (sources/).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from relabel_assets.corpus.caches.parsed_files import parsed_files
from relabel_assets.corpus.config.documents_config import DocumentsConfig
from relabel_assets.corpus.corpus_files import CorpusFiles
from relabel_assets.corpus.documents import Document, documents_from_rows, empty_frame, frames_of
from relabel_assets.corpus.documents_folder.file_documents import documents_from_files
from relabel_assets.corpus.documents_folder.git_dates import LastChange, last_changes
from relabel_assets.corpus.hygiene.shown_metadata import with_shown_metadata
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.corpus.sources.source import Source, source_of
from relabel_assets.errors import CorpusError, Problem
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.intake.tables.kinds import DOCUMENTS
from relabel_assets.progress import Progress, silent


@dataclass(frozen=True)
class FolderDocuments:
    """The documents of a corpus folder with the section `documents` of its corpus.yaml.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> _ = (Path(folder.name) / "documents.jsonl").write_text('{"doc_id": "d1", "body": "Ask HR."}')
    >>> documents = FolderDocuments(CorpusFiles("demo", Path(folder.name)), DocumentsConfig())
    >>> [frame["doc_id"].to_list() for frame in documents.batches([], [])]
    [['d1']]
    """

    files: CorpusFiles
    config: DocumentsConfig

    @property
    def source(self) -> Source | None:
        """Where the documents live, if corpus.yaml says so; None for documents in the folder."""
        return source_of(self.files.name, self.files.path, self.config, self.files.cache)

    def rows(self, progress: Progress) -> ReadRows:
        """All documents with the columns of documents.COLUMNS, by doc_id, in memory."""
        problems, notes = list[Problem](), list[str]()
        frames = self.batches(problems, notes, progress)
        frame = pl.concat([empty_frame(), *frames], rechunk=True)
        return ReadRows(frame.sort("doc_id"), problems, notes)

    def ids(self, progress: Progress) -> ReadRows:
        """The doc_id of each document: the texts are never in memory together."""
        problems, notes = list[Problem](), list[str]()
        frames = [frame.select("doc_id") for frame in self.batches(problems, notes, progress)]
        frame = pl.concat([empty_frame().select("doc_id"), *frames])
        return ReadRows(frame.sort("doc_id"), problems, notes)

    def batches(
        self, problems: list[Problem], notes: list[str], progress: Progress = silent
    ) -> Iterator[pl.DataFrame]:
        """The documents in frames of some thousand, in the order of the files. Others are `problems`.

        `notes` gets sentences on how a table was read.

        Raises CorpusError for a folder with no source of documents, or with more than one.
        """
        rows = self._rows(self._place(), problems, notes, progress)
        yield from with_shown_metadata(frames_of(rows), self.config.show, notes)

    def fingerprint(self, part: str) -> str:
        """SHA-256 of names and contents of files, and of dates that git gives them.

        `part` is documents or everything; the documents of another source have their own digest.
        """
        if part == "documents" and (source := self.source) is not None:
            return source.fingerprint()
        of_files = self.files.fingerprint(part)
        if not self.config.git_dates:
            return of_files
        changes = sorted(self._last_changes([]).items())
        return hashlib.sha256(f"{of_files} {changes}".encode("utf-8", "replace")).hexdigest()

    def _place(self) -> str:
        """The folder or file that holds the documents, or the source that corpus.yaml states."""
        sources = self.files.document_sources()
        sources += [self.config.source] if self.config.source else []
        if len(sources) != 1:
            raise CorpusError(
                f"corpus {self.files.name!r}: documents must be in one of documents/, documents.jsonl, "
                f"documents.csv and the like; it has {' and '.join(sources) or 'none'}. "
                + (
                    "Keep one of them."
                    if sources
                    else f"Put files in {self.files.name}/documents/."
                )
            )
        return sources[0]

    def _rows(
        self, place: str, problems: list[Problem], notes: list[str], progress: Progress
    ) -> Iterator[Document]:
        """The documents of the folder documents/, of a file of rows, or of where corpus.yaml says."""
        if (source := self.source) is not None:
            yield from source.documents(problems, notes, progress)
            return
        if place == "documents":
            files = self.files.document_files(problems, progress)
            changes = self._last_changes(problems)
            with parsed_files(self.files.cache) as read:
                yield from documents_from_files(
                    files, folder=place, problems=problems, changes=changes, read=read
                )
            return
        with self.files.table(place, DOCUMENTS, problems, notes, progress) as rows:
            yield from documents_from_rows(rows, file=place, problems=problems)

    def _last_changes(self, problems: list[Problem]) -> dict[str, LastChange]:
        """The last change of each file of documents/ by git, where documents.git_dates is on."""
        if self.config.git_dates:
            with costs_itself(problems, "corpus.yaml"):
                return last_changes(self.files.path / "documents", self.files.document_names())
        return {}
