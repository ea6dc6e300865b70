"""Files of small corpora, for tests that read corpus folders.

What belongs here: writing files and opening the folder. What does not: assertions.
"""

import json
from pathlib import Path

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.folders import Corpora


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


DOCUMENTS = lines({"doc_id": "d1", "body": "one"}, {"doc_id": "d2", "title": "Two", "body": "two"})
