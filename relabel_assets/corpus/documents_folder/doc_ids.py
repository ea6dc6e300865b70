"""The id of a document in a file: the file's path under documents/ without its ending.

What belongs here: how a path becomes an id, and which id is meant by one that is written with an ending.
What does not: ids of rows, which are written in them (rows.py).
"""

from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

import polars as pl

from relabel_assets.intake.formats.registry import suffixes
from relabel_assets.intake.nfc import nfc

# Of files that differ in their ending alone, these have the plain id, in this order. Then a PDF that is
# added beside a page does not take the id that queries and grades use.
_FIRST = (".md", ".markdown", ".mdx", ".txt")
_PREFIXES = ("./", "/", "documents/")
# Twenty messages of a file compare this many ids in some seconds. A message is not worth more. Not measured.
_MOST_COMPARED = 200_000
_LEAST_LIKE = 70  # of 100: below, the nearest id is a guess that helps nobody


def order_of_file(name: str) -> tuple[tuple[str, ...], int, str]:
    """The key that sorts the files of documents/: by folder and name, and endings in the order of their ids.

    >>> sorted(["b.md", "a.pdf", "a.txt", "a.md"], key=order_of_file)
    ['a.md', 'a.txt', 'a.pdf', 'b.md']
    """
    file = PurePosixPath(name)
    suffix = file.suffix.lower()
    rank = _FIRST.index(suffix) if suffix in _FIRST else len(_FIRST)
    return (*file.parts[:-1], file.stem), rank, name


class DocIds:
    """Gives the ids of documents in files. No two get the same one: a later file keeps its ending.

    >>> ids = DocIds()
    >>> ids.of_file("hr/leave.md"), ids.of_file("hr/leave.pdf"), ids.of_part("mails.mbox", "1@x.org")
    ('hr/leave', 'hr/leave.pdf', 'mails/1@x.org')
    """

    def __init__(self) -> None:
        self._taken = set[str]()

    def of_file(self, name: str) -> str:
        """The id of the document in the file `name` (its path under documents/)."""
        return self._first_free(without_ending(name), nfc(name))

    def of_part(self, name: str, inner_name: str) -> str:
        """The id of the document `inner_name` in the file `name` that holds several."""
        folder = without_ending(name)
        return self._first_free(
            f"{folder}/{without_known_ending(inner_name)}",
            f"{folder}/{nfc(inner_name)}",
            f"{nfc(name)}/{nfc(inner_name)}",
        )

    def _first_free(self, *ids: str) -> str:
        free = next((doc_id for doc_id in ids if doc_id not in self._taken), None)
        n = 2
        while free is None:
            numbered = f"{ids[-1]}~{n}"
            free, n = (None if numbered in self._taken else numbered), n + 1
        self._taken.add(free)
        return free


def without_ending(name: str) -> str:
    """A file's path without its ending, in NFC.

    >>> without_ending("policies/leave.md"), without_ending("release-1.10.md"), without_ending("README")
    ('policies/leave', 'release-1.10', 'README')
    """
    return nfc(str(PurePosixPath(name).with_suffix("")))


def without_known_ending(name: str) -> str:
    """`name` in NFC without the ending of a format that is read. A Message-ID ends in a host, and keeps it.

    >>> without_known_ending("hr/leave.md"), without_known_ending("1@mail.example.com")
    ('hr/leave', '1@mail.example.com')
    """
    suffix = PurePosixPath(name).suffix
    return nfc(name.removesuffix(suffix) if suffix.lower() in suffixes() else name)


def meant_ids(written: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Of the `written` ids that are not `known`: the known id that each means, by its path or ending.

    An id that is known as it is written means itself, so `leave.pdf` beside `leave` is no other.

    >>> meant_ids(["policies/leave.md", "documents/policies/leave", "policies/pay.md"], {"policies/leave"})
    {'policies/leave.md': 'policies/leave', 'documents/policies/leave': 'policies/leave'}
    """
    known = known if isinstance(known, set | frozenset | dict) else set(known)
    meant = {}
    for text in written:
        if text in known:
            continue
        plain = text
        for prefix in _PREFIXES:
            plain = plain.removeprefix(prefix)
        found = [each for each in (plain, without_known_ending(plain)) if each in known]
        if found:
            meant[text] = found[0]
    return meant


def with_meant_ids(frame: pl.DataFrame, column: str, known: pl.Series) -> pl.DataFrame:
    """`frame` with the known id in place of one that means it, as in meant_ids.

    >>> grades = pl.DataFrame({"doc_id": ["leave.md", "pay"]})
    >>> with_meant_ids(grades, "doc_id", pl.Series(["leave"]))["doc_id"].to_list()
    ['leave', 'pay']
    """
    written = frame[column].drop_nulls().unique()
    unknown = written.filter(~written.is_in(known.implode()))
    if unknown.is_empty():
        return frame
    meant = meant_ids(unknown, set(known))
    return frame.with_columns(pl.col(column).replace(meant)) if meant else frame


def nearest_id(written: str, known: Collection[str]) -> str | None:
    """The known id that is most like `written`; None without one that is alike.

    >>> nearest_id("policies/parental_leave", ["policies/parental-leave", "policies/pay"])
    'policies/parental-leave'
    """
    if len(known) == 0 or len(known) > _MOST_COMPARED:
        return None
    from rapidfuzz import fuzz, process

    best = process.extractOne(written, known, scorer=fuzz.ratio, score_cutoff=_LEAST_LIKE)
    return str(best[0]) if best else None


def hint(written: str, known: Collection[str]) -> str:
    """`Did you mean ...? ` for a message about an unknown id; empty without a near one.

    >>> hint("leav", ["leave"]), hint("x", ["leave"])
    ("Did you mean 'leave'? ", '')
    """
    near = nearest_id(written, known)
    return f"Did you mean {near!r}? " if near else ""
