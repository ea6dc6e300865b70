"""Where the documents of a corpus live, if `documents` of corpus.yaml says so.

What belongs here: the choice between the sources, and what each of them gives. What does not: the sources
(sql_source.py, url_source.py), and the documents in the folder (corpus/folder_documents.py).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from relabel_assets.corpus.config.documents_config import DocumentsConfig
from relabel_assets.corpus.documents import Document
from relabel_assets.corpus.sources.sql_source import SqlSource
from relabel_assets.corpus.sources.url_source import UrlSource
from relabel_assets.errors import Problem
from relabel_assets.progress import Progress


class Source(Protocol):
    """Documents that live outside the files of a corpus folder."""

    def documents(
        self, problems: list[Problem], notes: list[str], progress: Progress
    ) -> Iterator[Document]:
        """The documents. Others are added to `problems`. Raises CorpusError where none can be had."""
        ...

    def fingerprint(self) -> str:
        """A digest that changes with the documents. It raises nothing: reading them says what is wrong."""
        ...


def source_of(
    name: str, folder: Path, config: DocumentsConfig, cache: Path | None = None
) -> Source | None:
    """The source that `config` names; None where the documents are in the folder of the corpus `name`."""
    if config.sql:
        return SqlSource(name, folder, config, cache)
    return UrlSource(name, config.url, cache) if config.url else None
