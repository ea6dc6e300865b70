"""Candidates: the documents that are graded for each query, each with the reason.

What belongs here: the choice of pairs. What does not: the index (bm25.py), other rankings
(other_rankings.py), and grading (teacher/).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from relabel_assets.candidates.analyzer import ENGLISH
from relabel_assets.candidates.bm25 import Bm25, bm25_index
from relabel_assets.candidates.other_rankings import (
    OtherRankings,
    fused_depth,
    reciprocal_rank_fusion,
)
from relabel_assets.candidates.random_draw import RandomDraw
from relabel_assets.corpus.config.config import CandidatesConfig
from relabel_assets.progress import Progress, silent

_SCHEMA = {
    "query_id": pl.String,
    "doc_id": pl.String,
    "rank": pl.Int32,
    "bm25_score": pl.Float64,
    "dense_rank": pl.Int32,
    "dense_score": pl.Float64,
    "source": pl.String,
}
# A row of _SCHEMA.
_Row = tuple[str, str, int | None, float, int | None, float | None, str]


def find_candidates(
    documents: Iterable[pl.DataFrame],
    queries: pl.DataFrame,
    judged: pl.DataFrame,
    *,
    config: CandidatesConfig,
    scratch: Path,
    reviewed: pl.DataFrame | None = None,
    others: OtherRankings | None = None,
    language: str = ENGLISH,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The pairs to grade: query_id, doc_id, rank, bm25_score, dense_rank, dense_score, source.

    `documents`: frames of seed_docs rows. `queries`: query_id, text and seed_doc_id. `judged`: the
    pairs (query_id, doc_id) that have a reference grade. A query gets the `bm25_top_k` best
    documents (with their rank, from 1), those of `others`, its seed document, its judged ones, and `random`
    others. With `fused_top_k` the best of BM25's and the dense list together are taken in their place. Then
    come the pairs of `reviewed` that are none of these. A review changes no random choice: people are asked
    about candidates, and a candidate that they graded must not bring another.

    Texts are stemmed in `language` (analyzer.py).
    """
    judged_of, reviewed_of = _documents_of(judged), _documents_of(reviewed)
    others = others or OtherRankings()
    rows: list[_Row] = []
    with bm25_index(documents, scratch=scratch, language=language, progress=progress) as bm25:
        draw = RandomDraw.of(bm25.doc_ids)
        for done, query in enumerate(queries.sort("query_id").iter_rows(named=True), start=1):
            query_id = query["query_id"]
            known = _Known(
                query["seed_doc_id"] if config.include_seed else None,
                others.runs.get(query_id, ()),
                judged_of[query_id],
                reviewed_of[query_id],
            )
            dense = others.dense.get(query_id, [])
            rows += _candidates_of(query_id, query["text"], known, dense, bm25, draw, config)
            progress("searching candidates, queries", done, queries.height)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def retrievable(
    documents: Iterable[pl.DataFrame],
    queries: pl.DataFrame,
    *,
    depth: int,
    scratch: Path,
    language: str = ENGLISH,
) -> pl.Series:
    """Whether each query's seed document is among BM25's `depth` best: the query's round trip."""
    with bm25_index(documents, scratch=scratch, language=language) as bm25:
        is_round_trip = [
            bm25.first_of.get(seed, seed) in {doc_id for doc_id, _ in bm25.top(text, depth)}
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


class _Known(NamedTuple):
    """The documents of one query that no search of ours found."""

    seed: str | None
    runs: Sequence[str]
    judged: Sequence[str]
    reviewed: Sequence[str]


def _candidates_of(
    query_id: str,
    text: str,
    known: _Known,
    dense: Sequence[tuple[str, float]],
    bm25: Bm25,
    draw: RandomDraw,
    config: CandidatesConfig,
) -> list[_Row]:
    """The rows of one query. A document's source is the first reason of these, from above."""
    best = bm25.top(text, fused_depth(config) or config.bm25_top_k)
    ranks = {doc_id: rank for rank, (doc_id, _) in enumerate(best, start=1)}
    dense_ranks = {doc_id: rank for rank, (doc_id, _) in enumerate(dense, start=1)}
    sources = _searched(ranks, dense_ranks, config)
    if known.seed is not None:
        sources.setdefault(known.seed, "seed")
    for source, doc_ids in (("run", known.runs), ("judged", known.judged)):
        for doc_id in doc_ids:
            sources.setdefault(doc_id, source)
    for doc_id in draw.take(config.random, besides=set(sources), salt=f"{config.seed}:{query_id}"):
        sources[doc_id] = "random"
    for doc_id in known.reviewed:
        sources.setdefault(doc_id, "judged")
    scores = bm25.scores(text, set(sources) - set(ranks)) | dict(best)
    dense_scores = dict(dense)
    return [
        (
            query_id,
            doc_id,
            ranks.get(doc_id),
            scores[doc_id],
            dense_ranks.get(doc_id),
            dense_scores.get(doc_id),
            source,
        )
        for doc_id, source in sources.items()
    ]


def _searched(
    ranks: Mapping[str, int], dense_ranks: Mapping[str, int], config: CandidatesConfig
) -> dict[str, str]:
    """The documents that BM25 and vectors bring, with the source that ranks each higher; BM25 at a tie."""
    if not config.fused_top_k:
        found = dict.fromkeys(ranks, "bm25")
        return found | {doc_id: "dense" for doc_id in dense_ranks if doc_id not in found}
    fused = reciprocal_rank_fusion([list(ranks), list(dense_ranks)])[: config.fused_top_k]
    below_all = len(ranks) + len(dense_ranks) + 1
    is_bm25 = {
        doc_id: ranks.get(doc_id, below_all) <= dense_ranks.get(doc_id, below_all)
        for doc_id in fused
    }
    return {doc_id: "bm25" if is_bm25[doc_id] else "dense" for doc_id in fused}
