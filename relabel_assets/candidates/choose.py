"""Candidates: the documents that are graded for each query, each with the reason.

What belongs here: the choice of pairs. What does not: the index (bm25.py), and grading (teacher/).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.candidates.bm25 import Bm25, bm25_index
from relabel_assets.corpus.config import CandidatesConfig
from relabel_assets.progress import Progress, silent

_SCHEMA = {
    "query_id": pl.String,
    "doc_id": pl.String,
    "rank": pl.Int32,
    "bm25_score": pl.Float64,
    "source": pl.String,
}
_Row = tuple[str, str, int | None, float, str]  # a row of _SCHEMA


def find_candidates(
    documents: Iterable[pl.DataFrame],
    queries: pl.DataFrame,
    judged: pl.DataFrame,
    *,
    config: CandidatesConfig,
    scratch: Path,
    reviewed: pl.DataFrame | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The pairs to grade: query_id, doc_id, rank, bm25_score, source.

    `documents`: frames of seed_docs rows. `queries`: query_id, text and seed_doc_id. `judged`: the
    pairs (query_id, doc_id) that have a reference grade. A query gets the `bm25_top_k` best
    documents (with their rank, from 1), its seed document, its judged ones, and `random` others. Then come
    the pairs of `reviewed` that are none of these. A review changes no random choice: people are asked about
    candidates, and a candidate that they graded must not bring another.
    """
    judged_of, reviewed_of = _documents_of(judged), _documents_of(reviewed)
    rows: list[_Row] = []
    with bm25_index(documents, scratch=scratch, progress=progress) as bm25:
        draw = RandomDraw.of(bm25.doc_ids)
        for done, query in enumerate(queries.sort("query_id").iter_rows(named=True), start=1):
            known = judged_of[query["query_id"]], reviewed_of[query["query_id"]]
            rows += _candidates_of(query, *known, bm25, draw, config)
            progress("searching candidates, queries", done, queries.height)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def retrievable(
    documents: Iterable[pl.DataFrame], queries: pl.DataFrame, *, depth: int, scratch: Path
) -> pl.Series:
    """Whether each query's seed document is among BM25's `depth` best: the query's round trip."""
    with bm25_index(documents, scratch=scratch) as bm25:
        is_round_trip = [
            seed in {doc_id for doc_id, _ in bm25.top(text, depth)}
            for text, seed in queries.select("text", "seed_doc_id").iter_rows()
        ]
    return pl.Series("is_round_trip", is_round_trip, dtype=pl.Boolean)


def _documents_of(pairs: pl.DataFrame | None) -> dict[str, list[str]]:
    """The documents of each query in `pairs`, in order of their ids."""
    documents: dict[str, list[str]] = defaultdict(list)
    if pairs is not None:
        ordered = pairs.select("query_id", "doc_id").sort("query_id", "doc_id")
        for query_id, doc_id in ordered.iter_rows():
            documents[query_id].append(doc_id)
    return documents


def _candidates_of(
    query: Mapping[str, str | None],
    judged: Sequence[str],
    reviewed: Sequence[str],
    bm25: Bm25,
    draw: "RandomDraw",
    config: CandidatesConfig,
) -> list[_Row]:
    """The rows of one query. A document's source is the first reason: bm25, seed, judged, random."""
    query_id, text, seed = str(query["query_id"]), str(query["text"]), query["seed_doc_id"]
    best = bm25.top(text, config.bm25_top_k)
    sources = {doc_id: "bm25" for doc_id, _ in best}
    if seed is not None and config.include_seed:
        sources.setdefault(seed, "seed")
    for doc_id in judged:
        sources.setdefault(doc_id, "judged")
    for doc_id in draw.take(config.random, besides=set(sources), salt=f"{config.seed}:{query_id}"):
        sources[doc_id] = "random"
    for doc_id in reviewed:
        sources.setdefault(doc_id, "judged")
    ranks = {doc_id: rank for rank, (doc_id, _) in enumerate(best, start=1)}
    scores = bm25.scores(text, set(sources) - set(ranks)) | dict(best)
    return [
        (query_id, doc_id, ranks.get(doc_id), scores[doc_id], source)
        for doc_id, source in sources.items()
    ]


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
