"""Random documents of a query, drawn so that few draws change with the corpus.

What belongs here: the draw. What does not: which pairs are graded beside them (choose.py).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RandomDraw:
    """Documents drawn at random for a query (rendezvous hashing, Thaler and Ravishankar 1998).

    A draw takes the documents with the lowest hashes of salt and id. So a document that is added or
    removed changes few draws.
    """

    doc_ids: Sequence[str]
    hashes: NDArray[np.uint64]  # (documents,)

    @classmethod
    def of(cls, doc_ids: Sequence[str]) -> "RandomDraw":
        """The draw from `doc_ids`.

        >>> RandomDraw.of(["d1", "d2", "d3"]).take(2, besides={"d2"}, salt="13:q1")
        ['d1', 'd3']
        """
        return cls(doc_ids, np.array([_hash(doc_id) for doc_id in doc_ids], dtype=np.uint64))

    def take(self, count: int, *, besides: set[str], salt: str) -> list[str]:
        """`count` documents that are not in `besides`, or all of those if there are fewer."""
        n_lowest = min(count + len(besides), len(self.doc_ids)) if count else 0
        if not n_lowest:
            return []
        order = _mixed(self.hashes ^ np.uint64(_hash(salt)))
        lowest = np.argpartition(order, n_lowest - 1)[:n_lowest]
        drawn = (self.doc_ids[index] for index in lowest[np.argsort(order[lowest])])
        return [doc_id for doc_id in drawn if doc_id not in besides][:count]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each 64-bit value scrambled: the finalizer of SplitMix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
