"""Paragraphs that most documents of a corpus repeat: navigation, footers, notices.

What belongs here: which paragraphs these are, and a text without them. What does not: the setting
(corpus/config/documents_config.py), and text that a format marks as navigation (intake/formats/).
"""

import re

import polars as pl

MIN_DOCUMENTS = 20  # half of fewer is a few documents, which may share a paragraph for a reason
_BREAK = r"\r?\n(?:[ \t\r]*\n)+"  # blank lines


class Paragraphs:
    """How many documents have each paragraph, of documents that are added a frame at a time.

    White space makes no difference. Memory: 12 bytes for each different paragraph.

    >>> bodies = [f"Page {n}.\\n\\nAll rights   reserved." for n in range(20)]
    >>> paragraphs = Paragraphs()
    >>> paragraphs.add(pl.DataFrame({"doc_id": [str(n) for n in range(20)], "body": bodies}))
    >>> paragraphs.repeated()
    {'All rights reserved.': 20}
    """

    def __init__(self) -> None:
        self._counts = pl.DataFrame(schema={"hash": pl.UInt64, "n": pl.UInt32})
        self._texts: dict[int, str] = {}
        self._n_documents = 0

    def add(self, documents: pl.DataFrame) -> None:
        """Add `documents` (doc_id, body)."""
        self._n_documents += documents.height
        marked = pl.col("body").str.replace_all(_BREAK, "\0").str.split("\0")
        parts = documents.select("doc_id", paragraph=marked).explode("paragraph")
        shown = pl.col("paragraph").str.replace_all(r"\s+", " ").str.strip_chars()
        different = (
            parts.with_columns(shown).filter(pl.col("paragraph").str.contains(r"\w")).unique()
        )
        counts = different.group_by("paragraph").agg(n=pl.len())
        counts = counts.with_columns(hash=pl.col("paragraph").hash())
        # What over half of all documents have, over half of some frame's documents have.
        often = counts.filter(2 * pl.col("n") > documents.height)
        self._texts |= dict(often.select("hash", "paragraph").iter_rows())
        both = pl.concat([self._counts, counts.select("hash", "n")])
        self._counts = both.group_by("hash").agg(pl.col("n").sum())

    def repeated(self) -> dict[str, int]:
        """The paragraphs in over half of the documents, with the number of documents of each.

        None of fewer than 20 documents. The most frequent first.
        """
        if self._n_documents < MIN_DOCUMENTS:
            return {}
        often = self._counts.filter(2 * pl.col("n") > self._n_documents).iter_rows()
        found = {self._texts[key]: n for key, n in often}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def without_paragraphs(body: str, paragraphs: set[str]) -> str:
    """`body` without `paragraphs`; all of it where nothing else is in it.

    >>> without_paragraphs("Leave.\\n\\nAll rights\\nreserved.", {"All rights reserved."})
    'Leave.'
    """
    parts = re.split(_BREAK, body)
    kept = [part for part in parts if " ".join(part.split()) not in paragraphs]
    if len(kept) == len(parts) or not any(part.strip() for part in kept):
        return body
    return "\n\n".join(kept).strip()
