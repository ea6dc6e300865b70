"""All corpus folders under the data folder: their names, opening one, checking one.

What belongs here: which folders are corpora. What does not: what one of them holds (folder.py).
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from relabel_assets.corpus import grades, queries
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import CorpusError, Problem

NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True)
class Corpora:
    """The corpus folders under one data folder."""

    root: Path

    def names(self) -> list[str]:
        """The folders whose names can be a partition's name, sorted."""
        return [folder.name for folder in self._folders() if NAME.fullmatch(folder.name)]

    def refused(self) -> list[Problem]:
        """The folders whose names cannot be a partition's name, each with a name that can."""
        return [
            Problem(
                folder.name,
                None,
                f"corpus {folder.name!r} cannot be used: names are lower case letters, "
                "digits and _, at most 64.",
                "Rename it to "
                f"{re.sub(r'[^a-z0-9]+', '_', folder.name.lower()).strip('_')[:64] or 'corpus'}.",
            )
            for folder in self._folders()
            if not NAME.fullmatch(folder.name)
        ]

    def open(self, name: str) -> CorpusFolder:
        """The corpus `name`, its settings read. Raises CorpusError or ConfigError where it cannot
        be used."""
        names = self.names()
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
            raise CorpusError(
                f"there is no corpus {name!r} in {self.root}. {hint}Available: "
                f"{', '.join(names) or 'none'}."
            )
        folder = CorpusFolder(name, self.root / name)
        if not any(self.root.joinpath(name).iterdir()):
            raise CorpusError(
                f"corpus {name!r}: the folder is empty. Put documents in "
                f"{name}/documents/ and run this again."
            )
        _ = folder.config, folder.rubric
        return folder

    def check(self, name: str) -> list[Problem]:
        """Every row and file that cannot be used, in one list.

        Raises CorpusError or ConfigError if nothing can be read.
        """
        folder = self.open(name)
        documents = folder.documents()
        doc_ids = documents.frame["doc_id"]
        provided = queries.with_known_seeds(folder.queries(), doc_ids, file="queries.jsonl")
        ids = (provided.frame["query_id"], doc_ids)
        recorded = grades.with_known_pairs(
            folder.recorded_labels(), *ids, file="teacher_labels.jsonl"
        )
        reference = grades.with_known_pairs(
            folder.reference_labels(), *ids, file="reference_labels.qrels"
        )
        problems: list[Problem] = []
        if doc_ids.is_empty():
            problems.append(
                Problem("documents", None, "there is no document that can be used.", "")
            )
        for rows in (documents, provided, recorded, reference):
            problems += rows.problems
        return problems

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return sorted(
            path
            for path in self.root.iterdir()
            if path.is_dir() and not path.name.startswith((".", "__"))
        )
