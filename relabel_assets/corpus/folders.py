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

# A corpus name is a partition key of Dagster and a part of file names on every system.
NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True)
class Corpora:
    """The corpus folders under one data folder."""

    root: Path

    def names(self) -> list[str]:
        """The names of all corpora, sorted: folders whose name can be a partition's."""
        return [folder.name for folder in self._folders() if NAME.fullmatch(folder.name)]

    def refused(self) -> list[Problem]:
        """A problem for each folder whose name cannot be a partition's, with a name that can."""
        return [
            Problem(
                name,
                None,
                f"corpus {name!r} cannot be used: names are lower case letters, digits and _, "
                "at most 64.",
                f"Rename it to {_allowed_name(name)}.",
            )
            for folder in self._folders()
            if not NAME.fullmatch(name := folder.name)
        ]

    def open(self, name: str) -> CorpusFolder:
        """The corpus `name`, its settings parsed. Raises CorpusError or ConfigError if unusable."""
        names = self.names()
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
            raise CorpusError(
                f"there is no corpus {name!r} in {self.root}. {hint}Available: "
                f"{', '.join(names) or 'none'}."
            )
        folder = CorpusFolder(name, self.root / name)
        if not any(folder.path.iterdir()):
            raise CorpusError(
                f"corpus {name!r}: the folder is empty. Put documents in {name}/documents/ "
                "and run this again."
            )
        _ = folder.config, folder.rubric  # parsed here, so that an error comes before any work
        return folder

    def check(self, name: str) -> list[Problem]:
        """A problem for every row and file that cannot be used.

        Raises CorpusError or ConfigError for a corpus that cannot be opened.
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
            problems.append(Problem("documents", None, "no document can be used.", ""))
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


def _allowed_name(name: str) -> str:
    """`name` with all that a corpus name may not have replaced by _."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:64] or "corpus"
