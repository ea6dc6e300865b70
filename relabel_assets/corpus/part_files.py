"""The parts of a corpus, and the names of the files that may hold each.

What belongs here: those names, and which file of a folder holds a part. What does not: the rows in it
(folder.py), and what becomes of other files (unread.py).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from relabel_assets.errors import CorpusError, Problem
from relabel_assets.intake.tables.reader import SUFFIXES

SETTINGS = ("corpus.yaml", "corpus.yml")
# The names without an ending; those with one are read in one form alone.
_STEMS = {
    "documents": ("documents", "docs"),
    "queries": ("queries",),
    "teacher_labels": ("teacher_labels",),
    "reference_labels": ("reference_labels", "qrels"),
}
_OTHERS = {
    "documents": ("corpus.jsonl", "corpus.tsv", "collection.tsv"),
    "queries": (),
    "teacher_labels": (),
    # TREC's form, and ir_datasets' name of the same.
    "reference_labels": (
        "reference_labels.qrels",
        "qrels.txt",
        "qrels.qrels",
        "qrels.trec",
        "qrels",
    ),
}
FILES = {
    part: (*(stem + suffix for stem in stems for suffix in SUFFIXES), *_OTHERS[part])
    for part, stems in _STEMS.items()
}
PLAIN_QRELS = (".qrels", ".txt", ".trec", "")  # endings of TREC's form
_ALWAYS = {
    "documents": "documents.jsonl",
    "queries": "queries.jsonl",
    "teacher_labels": "teacher_labels.jsonl",
    "reference_labels": "reference_labels.qrels",
}


def the_file(
    corpus: str, folder: Path, part: str, has: Callable[[str], bool], others: Sequence[str] = ()
) -> str | None:
    """The file that holds `part`; None where there is none. `others` hold the part too.

    Raises CorpusError where there are two.
    """
    # A folder qrels/ is BEIR's; any other folder in place of a file is a mistake that opening it names.
    found = [name for name in FILES[part] if has(name) and not _is_beir_folder(folder, name)]
    found += others
    if len(found) > 1:
        listed = " and ".join(found)
        message = f"{listed} hold the same thing, {part}"
        problem = Problem(found[0], None, message, "Keep one of them.")
        raise CorpusError(f"{corpus}: {message}. Keep one of them.", problem)
    return found[0] if found else None


def _is_beir_folder(folder: Path, name: str) -> bool:
    return name == "qrels" and (folder / name).is_dir()


def name_for_messages(part: str, found: str | None) -> str:
    """The file that messages about `part` name.

    >>> name_for_messages("queries", None), name_for_messages("queries", "queries.csv")
    ('queries.jsonl', 'queries.csv')
    """
    return found or _ALWAYS[part]
