"""The files at the top of a corpus folder that nobody reads, and what was perhaps meant.

What belongs here: which names are passed over. What does not: the names that are read (part_files.py), and
files of documents/ (documents_folder/).
"""

import difflib
import os
from pathlib import PurePosixPath

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.grades.imported_grades import LABELERS_FOLDER, REFERENCE_FOLDER
from relabel_assets.corpus.part_files import FILES, SETTINGS
from relabel_assets.corpus.runs.run_files import FOLDER as RUNS
from relabel_assets.errors import Problem
from relabel_assets.intake.formats.registry import suffixes
from relabel_assets.intake.text import one_line

# What is read at the top of a corpus folder: folders, and files.
FOLDERS = ("documents", "qrels", "reviews", RUNS, LABELERS_FOLDER, REFERENCE_FOLDER)
READ = frozenset({*SETTINGS, *(name for names in FILES.values() for name in names)})
# Files about the corpus, and what desktops leave behind.
_QUIET_STARTS = (
    ".",
    "~",
    "__",
    "readme",
    "licen",
    "notice",
    "changelog",
    "thumbs.db",
    "desktop.ini",
)
_QUIET_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico"})
_NEAR = 0.7  # of difflib: "queries.jsn" and "querys.csv" are near, "labels.csv" is near nothing


def unread_files(folder: CorpusFolder) -> list[Problem]:
    """A problem for each file and folder at the top of `folder` that nobody reads.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as root:
    ...     _ = (Path(root) / "queries.jsn").write_text("{}")
    ...     _ = (Path(root) / "README.md").write_text("about")
    ...     for problem in unread_files(CorpusFolder("demo", Path(root))):
    ...         print(problem)
    queries.jsn: nobody reads it. Did you mean queries.json?
    """
    named = _named_in_settings(folder)
    with os.scandir(folder.path) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    problems = []
    for name, is_folder in found:
        if name.lower().startswith(_QUIET_STARTS) or name in named:
            continue
        if name in (FOLDERS if is_folder else READ):
            continue
        if PurePosixPath(name).suffix.lower() not in _QUIET_SUFFIXES:
            nearest = _nearest(name, is_folder)
            if folder.config.documents.sql and nearest is None:  # the query may read it
                continue
            shown = one_line(name) + ("/" if is_folder else "")
            remedy = _remedy(name, is_folder, nearest)
            problems.append(Problem(shown, None, "nobody reads it", remedy))
    return problems


def _named_in_settings(folder: CorpusFolder) -> set[str]:
    """The first part of the path of each file that corpus.yaml names."""
    config = folder.config
    files = (config.rubric, config.teacher.prompt, config.queries.prompt)
    return {PurePosixPath(file).parts[0] for file in files if file and PurePosixPath(file).parts}


def _nearest(name: str, is_folder: bool) -> str | None:
    """The name that is read and was perhaps meant; None without one."""
    names = FOLDERS if is_folder else sorted(READ)
    nearest = difflib.get_close_matches(name.lower(), names, n=1, cutoff=_NEAR)
    return nearest[0] if nearest else None


def _remedy(name: str, is_folder: bool, nearest: str | None) -> str:
    if nearest:
        return f"Did you mean {nearest}{'/' if is_folder else ''}?"
    if is_folder or PurePosixPath(name).suffix.lower() in suffixes():
        return "Move it into documents/ if it is a document, or take it out."
    return "Take it out, or give it one of the names in docs/corpus.md."
