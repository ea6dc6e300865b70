"""The columns of a table by their meaning: whatever case, spaces and common name a header has.

What belongs here: which names stand for a column, and the error of a header that cannot be used. What does
not: reading (reader.py), and what a value means (corpus/).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import is_storable, shown

_NOT_IN_WORDS = re.compile(r"[\W_]+")


class MissingColumn(SetAside):
    """A table has not the columns of its kind: it is perhaps a table of something else."""


@dataclass(frozen=True)
class Columns:
    """The columns of one kind of table. Other columns keep the names that the file gives them.

    `names`: our name of each column, with the other names that are read for it. `needed`: of each group,
    one column. `ids` are read as ids (ids.py). `numbers` are numbers where a format has only text.
    `headerless`: the columns of a TSV file without a header; none where it needs one.
    """

    names: Mapping[str, tuple[str, ...]]
    needed: tuple[tuple[str, ...], ...]
    ids: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    headerless: tuple[str, ...] = ()

    @cached_property
    def known(self) -> dict[str, str]:
        """Our name of a column by the simple form of each name that is read for it."""
        return {
            simple(name): own
            for own, others in self.names.items()
            for name in (*reversed(others), own)
        }

    def renamed(self, header: Sequence[str]) -> list[str]:
        """`header` with our names. A column with our name is the one, whatever others there are.

        Raises SetAside where two columns may be meant.

        >>> PAIRS = Columns({"doc_id": ("ID", "_id"), "body": ("text",)}, (("doc_id",),))
        >>> PAIRS.renamed(["ID", "Text ", "Price"])
        ['doc_id', 'body', 'Price']
        >>> PAIRS.renamed(["doc_id", "id"])
        ['doc_id', 'id']
        """
        header = [name.strip() for name in header]
        own = [self.known.get(simple(name), name) for name in header]
        for is_ours in (
            str.__eq__,
            _is_same_name,
        ):  # "title" before "Title", and both before "question"
            ours = {our for name, our in zip(header, own, strict=True) if is_ours(name, our)}
            own = [
                name if our in ours and not is_ours(name, our) else our
                for name, our in zip(header, own, strict=True)
            ]
        if len(set(own)) < len(own):
            self._check_once(header, own)
        return own

    def check(self, own: Iterable[str], header: Sequence[str]) -> None:
        """Raises MissingColumn where a needed column is missing. `own` are our names of `header`."""
        present = set(own)
        for group in self.needed:
            if present.isdisjoint(group):
                which = f"no column {group[0]}"
                if len(group) > 1:
                    which = f"neither {' nor '.join(group)}"
                names = shown(", ".join(header)) if header else "none"
                also = ", ".join(dict.fromkeys(n for name in group for n in self.names[name]))
                remedy = f"Name one of them {' or '.join(group)}"
                raise MissingColumn(
                    f"it has {which}; its columns: {names}",
                    f"{remedy}. Also read: {also}." if also else f"{remedy}.",
                )

    def usable(self, header: Sequence[str]) -> list[str]:
        """As `renamed`. Raises SetAside for a header that cannot be used for any reason."""
        if not is_storable("".join(header)):
            raise SetAside("its first line is not UTF-8 text", "Save the file as UTF-8.")
        own = self.renamed(header)
        self.check(own, [name for name in header if name])
        return own

    def taken(self, header: Sequence[str], own: Sequence[str]) -> str:
        """Which columns were taken under another name, in words; nothing where none was.

        >>> PAIRS = Columns({"doc_id": ("ID", "_id")}, ())
        >>> PAIRS.taken(["ID", "x"], ["doc_id", "x"])
        "doc_id from 'ID'"
        """
        return ", ".join(
            f"{our} from {shown(name)}"
            for name, our in zip(header, own, strict=True)
            if our in self.names and our != name.strip()
        )

    def _check_once(self, header: Sequence[str], own: Sequence[str]) -> None:
        twice = [name for name, count in Counter(own).items() if name and count > 1]
        for our in twice:
            names = [name for name, its in zip(header, own, strict=True) if its == our]
            if len(set(names)) == 1:
                message = f"the column {shown(names[0])} is there twice"
                raise SetAside(message, "Rename one, or take it out.")
            listed = " and ".join(shown(name) for name in names)
            raise SetAside(
                f"its columns {listed} may both be {our}",
                f"Name the one that is meant {our}.",
            )


def _is_same_name(name: str, own: str) -> bool:
    return simple(name) == simple(own)


def simple(name: str) -> str:
    """A name as it is compared: lower case, without spaces, dashes and underscores.

    >>> simple("Doc ID") == simple("doc_id") == simple("doc-id")
    True
    """
    return _NOT_IN_WORDS.sub("", nfc(name).casefold())
