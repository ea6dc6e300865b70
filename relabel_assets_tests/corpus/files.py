"""Files of small corpora, for tests that read corpus folders.

What belongs here: writing files, opening the folder, the document of one file. What does not: assertions.
"""

import json
from pathlib import Path

from relabel_assets.corpus.documents import Document
from relabel_assets.corpus.documents_folder.doc_ids import DocIds
from relabel_assets.corpus.documents_folder.file_documents import document_of
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.folders import Corpora
from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.registry import read_file
from relabel_assets.intake.set_aside import SetAside


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def folder(root: Path, files: dict[str, str | bytes]) -> CorpusFolder:
    return Corpora(
        write(root / "data", {f"c/{name}": content for name, content in files.items()})
    ).open("c")


def document_from_file(name: str, content: bytes) -> Document:
    """The document in a file of one; `name` is its path under documents/. Raises SetAside without one."""
    for text in read_file(name, content):
        if isinstance(text, FileText):
            return document_of(text, name=name, doc_id=DocIds().of_file(name))
        raise SetAside(text.message, text.remedy)
    raise SetAside("it has no text", "Take it out.")


DOCUMENTS = lines({"doc_id": "d1", "body": "one"}, {"doc_id": "d2", "title": "Two", "body": "two"})
