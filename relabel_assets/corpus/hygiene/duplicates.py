"""Documents that repeat others: with the same text, and with nearly the same.

What belongs here: which documents do. What does not: leaving a duplicate out of the candidates
(candidates/), and the grade that it shares (warehouse/sql/final_labels_with_duplicates.sql).

The same text is the same title and body in NFC, whatever the white space. Only such documents share a
grade. A near duplicate may differ in the one figure that a query asks for, so it is graded by itself.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from relabel_assets.intake.nfc import nfc

if TYPE_CHECKING:
    import numpy as np

# The estimated share of word shingles that two near duplicates have in common, of all that either has.
# Not measured: a page of 300 words in which one sentence of 12 was changed is at 0.9.
NEAR = 0.9
_SHINGLE = 5  # words
_MIN_WORDS = (
    20  # not measured: shorter texts made from one template are near each other, and say little
)
# Words at the start of a document: it bounds the work for a book. 40 pages.
_MAX_WORDS = 20_000
# 8 bands of 8 rows find two documents of similarity 0.9 in 99 of 100 cases, and of 0.5 in 3.
_BANDS, _ROWS = 8, 8
# Scripts without spaces between words: a character is a word. Kana, Han, Thai, Lao, Burmese, Khmer.
_UNSPACED = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W{_UNSPACED}]+")


class Duplicates:
    """The documents that repeat others, of documents that are added a frame at a time.

    Memory for a document: some 700 bytes, whatever its length.

    >>> texts = {"title": [None, "", "Leave"], "body": ["Ask HR.", " Ask\\n HR. ", "Ask HR."]}
    >>> duplicates = Duplicates()
    >>> duplicates.add(pl.DataFrame({"doc_id": ["b", "a", "c"], **texts}))
    >>> duplicates.of(["a", "b", "c"]).to_list(), duplicates.n_same
    ([None, 'a', None], 1)
    """

    def __init__(self) -> None:
        self._digests: dict[str, bytes] = {}
        self._first: dict[bytes, str] = {}
        self._doc_ids: list[str] = []  # of _signatures: documents of _MIN_WORDS
        self._signatures: list[np.ndarray] = []

    def add(self, documents: pl.DataFrame) -> None:
        """Add `documents` (doc_id, title, body)."""
        from datasketch import MinHash

        for doc_id, title, body in documents.select("doc_id", "title", "body").iter_rows():
            digest = self._digests[doc_id] = _digest(title, body)
            self._first[digest] = min(doc_id, self._first.get(digest, doc_id))
        shingles = _shingles(documents, self._doc_ids)
        hashes = MinHash.generator(shingles, num_perm=_BANDS * _ROWS, hashfunc=zlib.crc32)
        self._signatures += [minhash.hashvalues for minhash in hashes]

    def of(self, doc_ids: Iterable[str]) -> pl.Series:
        """For each document the first doc_id with the same text, in the order of ids; NULL for itself."""
        first = [(doc_id, self._first[self._digests[doc_id]]) for doc_id in doc_ids]
        same = [None if one == doc_id else one for doc_id, one in first]
        return pl.Series("duplicate_of", same, dtype=pl.String)

    @property
    def n_same(self) -> int:
        """The number of documents with the text of one before them."""
        return len(self._digests) - len(self._first)

    def near(self) -> list[list[str]]:
        """The doc_ids of each cluster with nearly the same text, of the documents that repeat none.

        By MinHash, so the similarity is an estimate: its standard error at 0.9 is 0.04. Documents of
        fewer than 20 words are in no cluster.

        >>> page = " ".join(f"word{n}" for n in range(200))
        >>> texts = {"title": [None] * 3, "body": [page, page + " changed", page[::-1]]}
        >>> duplicates = Duplicates()
        >>> duplicates.add(pl.DataFrame({"doc_id": ["a", "b", "c"], **texts}))
        >>> duplicates.near()
        [['a', 'b']]
        """
        import numpy as np

        firsts = {*self._first.values()}
        order = [at for at, doc_id in enumerate(self._doc_ids) if doc_id in firsts]
        order.sort(key=self._doc_ids.__getitem__)  # whatever order they were added in
        if len(order) < 2:
            return []
        signatures = np.stack([self._signatures[at] for at in order])
        return _clusters([self._doc_ids[at] for at in order], signatures)


def _digest(title: str | None, body: str) -> bytes:
    """A hash of the text of a document, without what makes no difference to a reader."""
    text = "\n".join(" ".join(nfc(part).split()) for part in (title or "", body))
    return hashlib.sha256(text.encode()).digest()


def _shingles(documents: pl.DataFrame, doc_ids: list[str]) -> Iterator[list[bytes]]:
    """The shingles of each document of _MIN_WORDS; its id is added to `doc_ids`."""
    for doc_id, title, body in documents.select("doc_id", "title", "body").iter_rows():
        words = _WORD.finditer(f"{title or ''}\n{body}".casefold())
        first = [match[0] for match in islice(words, _MAX_WORDS)]
        if len(first) >= _MIN_WORDS:
            doc_ids.append(doc_id)
            n_shingles = len(first) - _SHINGLE + 1
            yield [" ".join(first[at : at + _SHINGLE]).encode() for at in range(n_shingles)]


def _clusters(doc_ids: list[str], signatures: "np.ndarray") -> list[list[str]]:
    """The doc_ids whose `signatures` (documents x hashes) agree, in clusters of two and more.

    Two documents that share a band are compared; in a band each one is compared with the first.
    datasketch's MinHashLSH would hold the bands in Python sets: 2.6 kB for each document, and take 20
    times as long.
    """
    import numpy as np

    parent = list(range(len(doc_ids)))

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = position = parent[parent[position]]
        return position

    for band in range(_BANDS):
        rows = np.ascontiguousarray(signatures[:, band * _ROWS : (band + 1) * _ROWS])
        keys = rows.view(np.dtype((np.void, rows.itemsize * _ROWS))).ravel()
        _, firsts, buckets = np.unique(keys, return_index=True, return_inverse=True)
        first = firsts[buckets]
        others = np.flatnonzero(first != np.arange(len(doc_ids)))
        agreement = (signatures[others] == signatures[first[others]]).mean(axis=1)
        for position in others[agreement >= NEAR].tolist():
            one, other = sorted((root(position), root(int(first[position]))))
            parent[other] = one
    clusters: dict[int, list[str]] = {}
    for position, doc_id in enumerate(doc_ids):
        clusters.setdefault(root(position), []).append(doc_id)
    return [members for members in clusters.values() if len(members) > 1]
