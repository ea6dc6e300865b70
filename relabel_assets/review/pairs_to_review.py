"""The pairs of a corpus that people are asked about, with their texts.

What belongs here: joining the sample to the warehouse's texts, and the order of each assessor. What does
not: the draw (draws/), and what a browser gets of a text (page/shown_text.py).

No grade, rank, score or stratum is read here, so that the page cannot show one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relabel_assets.errors import CorpusError
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.review.review import content_hash
from relabel_assets.review.samples import read_samples
from relabel_assets.review.standing import Pair
from relabel_assets.review.store import FOLDER

if TYPE_CHECKING:
    from relabel_assets.corpus.folder import CorpusFolder
    from relabel_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class PairsToReview:
    """The sampled pairs that have a query and a document. `n_gone`: how many have none any more.

    `folder` is the folder of the reviews. A document is the DOCUMENT_COLUMNS of seed_docs.
    """

    corpus: str
    folder: Path
    rubric: Rubric
    pairs: Sequence[Pair]
    queries: Mapping[str, str]
    documents: Mapping[str, Mapping[str, Any]]
    n_gone: int = 0
    _hashes: dict[Pair, str] = field(default_factory=dict, repr=False)

    def content_hash(self, pair: Pair) -> str:
        """SHA-256 of the texts of `pair`."""
        if pair not in self._hashes:
            query_id, doc_id = pair
            self._hashes[pair] = content_hash(self.queries[query_id], self.documents[doc_id])
        return self._hashes[pair]


def pairs_to_review(folder: "CorpusFolder", warehouse: "Warehouse") -> PairsToReview:
    """The pairs that were drawn for people, with the texts that the warehouse has of them.

    The warehouse is read once, and then let go. Raises CorpusError before the first draw.

    >>> from relabel_assets.corpus.folder import CorpusFolder
    >>> from relabel_assets.warehouse.warehouse import Warehouse
    >>> pairs_to_review(CorpusFolder("demo", Path("no/demo")), Warehouse.at(Path("no.duckdb")))
    Traceback (most recent call last):
    relabel_assets.errors.CorpusError: corpus 'demo' has no sample of pairs for people yet. ...
    """
    reviews = folder.path / FOLDER
    sample = read_samples(reviews)
    if sample.is_empty():
        raise CorpusError(
            f"corpus {folder.name!r} has no sample of pairs for people yet. Draw one: "
            f"relabel review sample -c {folder.name} -n 200"
        )
    queries = warehouse.texts(folder.name, "query_id", sample["query_id"])
    documents = warehouse.texts(folder.name, "doc_id", sample["doc_id"])
    texts = dict(queries.select("query_id", "text").iter_rows())
    by_id = {row.pop("doc_id"): row for row in documents.iter_rows(named=True)}
    drawn = list(sample.select("query_id", "doc_id").iter_rows())
    pairs = [pair for pair in drawn if pair[0] in texts and pair[1] in by_id]
    if not pairs:
        raise CorpusError(
            f"corpus {folder.name!r}: no sampled pair has its query and document in the warehouse. "
            f"Run relabel run -c {folder.name}, or draw again: relabel review sample."
        )
    return PairsToReview(
        folder.name, reviews, folder.rubric, pairs, texts, by_id, len(drawn) - len(pairs)
    )


def in_order_of(assessor: str, pairs: Sequence[Pair]) -> list[Pair]:
    """`pairs` in the order of `assessor`: query by query, both queries and documents shuffled.

    The documents of a query come together, because grades given side by side are more consistent, and the
    query is read once. The shuffle depends on the name alone. So an order says nothing of ranks, whoever
    stops early has graded queries at random, and a pair that is drawn later moves no other.

    >>> pairs = [(q, d) for q in ("q1", "q2") for d in ("d1", "d2")]
    >>> in_order_of("ana", pairs)
    [('q2', 'd2'), ('q2', 'd1'), ('q1', 'd1'), ('q1', 'd2')]
    """

    @cache
    def place(*ids: str) -> bytes:
        return hashlib.sha256("\0".join((assessor, *ids)).encode()).digest()

    return sorted(pairs, key=lambda pair: (place(pair[0]), pair[0], place(*pair), pair[1]))
