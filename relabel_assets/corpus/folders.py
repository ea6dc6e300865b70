"""All corpus folders under the data folder: their names, opening one, checking one.

What belongs here: which folders are corpora. What does not: what one of them holds (folder.py).
"""

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from relabel_assets.corpus.check import check_folder
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import CorpusError, Problem
from relabel_assets.intake.one_input import reason_of
from relabel_assets.intake.text import one_line
from relabel_assets.progress import Progress, silent

# A corpus name is a partition key of Dagster and a part of file names on every system.
NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True)
class Corpora:
    """The corpus folders under one data folder. `caches` has a folder for each: see corpus/caches/."""

    root: Path
    caches: Path | None = None

    def names(self) -> list[str]:
        """The names of all corpora, sorted: folders whose name can be a partition's."""
        return [name for name in self._folders() if NAME.fullmatch(name)]

    def refused(self) -> list[Problem]:
        """A problem for each folder whose name cannot be a partition's, with a name that can."""
        return [
            Problem(
                one_line(name),
                None,
                f"corpus '{one_line(name)}' cannot be used: names are lower case letters, digits and _, "
                "at most 64.",
                f"Rename it to {_allowed_name(name)}.",
            )
            for name in self._folders()
            if not NAME.fullmatch(name)
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
        folder = CorpusFolder(
            name, self.root / name, cache=self.caches / name if self.caches else None
        )
        if not any(folder.path.iterdir()):
            raise CorpusError(
                f"corpus {name!r}: the folder is empty. Put documents in {name}/documents/ "
                "and run this again."
            )
        _ = folder.config, folder.rubric  # parsed here, so that an error comes before any work
        return folder

    def check(self, name: str, progress: Progress = silent) -> list[Problem]:
        """A problem for all that a run of the corpus `name` would set aside, and for what nobody reads.

        Raises CorpusError or ConfigError for a corpus that cannot be opened.
        """
        return check_folder(self.open(name), progress).problems

    def _folders(self) -> list[str]:
        """The names of the folders under the data folder, links to folders too."""
        try:
            with os.scandir(self.root) as entries:
                return sorted(
                    entry.name
                    for entry in entries
                    if not entry.name.startswith((".", "__")) and _is_folder(entry)
                )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CorpusError(
                f"the data folder {self.root} cannot be read: {reason_of(error)}. "
                "Set RELABEL_DATA to a folder of corpora."
            ) from error


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to nothing, or a loop
        return False


def _allowed_name(name: str) -> str:
    """`name` with all that a corpus name may not have replaced by _."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:64] or "corpus"
