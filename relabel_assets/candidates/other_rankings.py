"""Rankings beside BM25's: by vectors, of run files, and fused; and how well each finds seed documents.

What belongs here: what is done with ranked lists. What does not: searching (bm25.py, nearest.py), reading
run files (corpus/runs/), and which pairs are graded (choose.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from relabel_assets.candidates.nearest import Ranking
from relabel_assets.corpus.config.config import CandidatesConfig

RRF_K = 60  # of Cormack, Clarke and Buettcher 2009
# Documents of each list that are fused. Below rank 100 a document adds less than rank 1 and 2 differ by.
_LEAST_FUSED = 100


@dataclass(frozen=True)
class OtherRankings:
    """Rankings of each query beside BM25's, by query_id. A query without one is missing.

    `dense`: documents with their scores. `runs`: the documents that any run has among its best.
    """

    dense: Mapping[str, Ranking] = field(default_factory=dict)
    runs: Mapping[str, Sequence[str]] = field(default_factory=dict)


def fused_depth(config: CandidatesConfig) -> int:
    """How many documents of each list are fused; 0 where lists are not fused.

    >>> fused_depth(CandidatesConfig(fused_top_k=10)), fused_depth(CandidatesConfig())
    (100, 0)
    """
    return max(_LEAST_FUSED, 2 * config.fused_top_k) if config.fused_top_k else 0


def dense_depth(config: CandidatesConfig) -> int:
    """How many documents the dense ranking of a query needs; 0 for none.

    >>> dense_depth(CandidatesConfig(dense_top_k=5)), dense_depth(CandidatesConfig())
    (5, 0)
    """
    return fused_depth(config) or config.dense_top_k


def reciprocal_rank_fusion(rankings: Iterable[Sequence[str]]) -> list[str]:
    """All documents of `rankings`, by the sum of 1 / (60 + rank); ties by document id.

    >>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]])
    ['b', 'a', 'c']
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, doc_id in enumerate(ranking, start=1):
            scores[doc_id] = scores.get(doc_id, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))


def best_of_runs(
    runs: pl.DataFrame, doc_ids: Mapping[str, str], depth: int
) -> dict[str, list[str]]:
    """The documents that any run has among its `depth` best for a query, by query_id.

    `runs`: system, query_id, doc_id, score. As in trec_eval, the score orders, and equal scores are ordered
    by document id, descending. `doc_ids`: every document of the corpus, with the first one of its text. Those
    that the corpus does not have hold their places.

    >>> rows = [("bm25", "q1", "a", 2.0), ("bm25", "q1", "b", 2.0), ("bm25", "q1", "gone", 3.0)]
    >>> runs = pl.DataFrame(rows, schema=["system", "query_id", "doc_id", "score"], orient="row")
    >>> best_of_runs(runs, {"a": "a", "b": "b"}, depth=2)
    {'q1': ['b']}
    """
    ordered = runs.sort("score", "doc_id", descending=True)
    best = ordered.group_by("system", "query_id", maintain_order=True).head(depth)
    documents: dict[str, list[str]] = {}
    for query_id, doc_id in (
        best.sort("query_id", "system", maintain_order=True)
        .select("query_id", "doc_id")
        .iter_rows()
    ):
        first = doc_ids.get(doc_id)
        if first is not None and first not in documents.setdefault(query_id, []):
            documents[query_id].append(first)
    return documents


def seed_recall(
    candidates: pl.DataFrame,
    queries: pl.DataFrame,
    config: CandidatesConfig,
    others: OtherRankings,
    first_of: Mapping[str, str],
) -> dict[str, float]:
    """The share of queries whose seed document is among the best k, by source and k.

    `first_of`: of each document that repeats an earlier one, the first. Empty without queries that have a
    seed document.

    >>> rows = [("q1", "d1", 1, None, "bm25"), ("q2", "d9", None, None, "seed")]
    >>> schema = ["query_id", "doc_id", "rank", "dense_rank", "source"]
    >>> candidates = pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)
    >>> queries = pl.DataFrame({"query_id": ["q1", "q2"], "seed_doc_id": ["d1", "d9"]})
    >>> seed_recall(candidates, queries, CandidatesConfig(), OtherRankings(), {})
    {'bm25@10': 0.5}
    """
    seeds = {
        (query_id, first_of.get(seed, seed))
        for query_id, seed in queries.select("query_id", "seed_doc_id").drop_nulls().iter_rows()
    }
    if not seeds:
        return {}
    is_fused = config.fused_top_k > 0
    found: dict[str, set[tuple[str, str]]] = {}
    for name, depth, is_found in (
        ("bm25", config.fused_top_k or config.bm25_top_k, pl.col("rank")),
        ("dense", config.fused_top_k or config.dense_top_k, pl.col("dense_rank")),
    ):
        if depth:
            found[f"{name}@{depth}"] = _pairs(candidates.filter(is_found <= depth))
    if is_fused:
        in_list = candidates.filter(pl.col("source").is_in(["bm25", "dense"]))
        found[f"fused@{config.fused_top_k}"] = _pairs(in_list)
    if config.runs:
        of_runs = {(query, document) for query in others.runs for document in others.runs[query]}
        found[f"runs@{config.runs}"] = of_runs
    return {name: len(seeds & pairs) / len(seeds) for name, pairs in found.items()}


def _pairs(candidates: pl.DataFrame) -> set[tuple[str, str]]:
    return set(candidates.select("query_id", "doc_id").iter_rows())
