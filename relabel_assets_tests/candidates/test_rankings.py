"""Dense, fused and imported rankings as candidates."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from relabel_assets.candidates.choose import find_candidates
from relabel_assets.candidates.nearest import nearest_documents
from relabel_assets.candidates.other_rankings import (
    OtherRankings,
    best_of_runs,
    reciprocal_rank_fusion,
    seed_recall,
)
from relabel_assets.corpus.config.config import CandidatesConfig
from relabel_assets.tables.vocabulary import DOCUMENT_METADATA

BODIES = {"d1": "cat cat", "d2": "cat dog", "d3": "kitten", "d4": "tree", "d5": "wall"}
DOCUMENTS = pl.DataFrame({"doc_id": list(BODIES), "body": list(BODIES.values())}).with_columns(
    pl.lit(None, pl.String).alias(name) for name in ("title", *DOCUMENT_METADATA)
)
QUERIES = pl.DataFrame({"query_id": ["q1"], "text": ["cat"], "seed_doc_id": ["d3"]})
NONE = pl.DataFrame(schema={"query_id": pl.String, "doc_id": pl.String})
DENSE = {"q1": [("d3", 0.9), ("d1", 0.8), ("d4", 0.2)]}


def candidates(folder: Path, others: OtherRankings, **settings: int) -> pl.DataFrame:
    config = CandidatesConfig(random=0, **settings)
    return find_candidates([DOCUMENTS], QUERIES, NONE, config=config, scratch=folder, others=others)


def sources(pairs: pl.DataFrame) -> dict[str, str]:
    return dict(pairs.select("doc_id", "source").iter_rows())


def test_dense_documents_join_bm25s_with_their_rank_and_score(tmp_path: Path) -> None:
    pairs = candidates(tmp_path, OtherRankings(DENSE), bm25_top_k=1, dense_top_k=3)
    assert sources(pairs) == {"d1": "bm25", "d3": "dense", "d4": "dense"}
    by_id = {row["doc_id"]: row for row in pairs.to_dicts()}
    assert (by_id["d1"]["rank"], by_id["d1"]["dense_rank"]) == (1, 2)
    assert (by_id["d3"]["rank"], by_id["d3"]["dense_score"]) == (None, 0.9)


def test_the_fused_list_takes_the_place_of_both(tmp_path: Path) -> None:
    pairs = candidates(tmp_path, OtherRankings(DENSE), include_seed=False, fused_top_k=2)
    # d1: 1/61 + 1/62; d3: 1/61; d2: 1/62; d4: 1/63.
    assert sources(pairs) == {"d1": "bm25", "d3": "dense"}


def test_documents_of_runs_come_after_the_seed_and_before_random_ones(tmp_path: Path) -> None:
    others = OtherRankings(runs={"q1": ["d1", "d3", "d5"]})
    assert sources(candidates(tmp_path, others, bm25_top_k=1, runs=3)) == {
        "d1": "bm25",
        "d3": "seed",
        "d5": "run",
    }


def test_fusion_orders_equal_sums_by_document_id() -> None:
    assert reciprocal_rank_fusion([["b", "x"], ["a", "y"]]) == ["a", "b", "x", "y"]


def test_unknown_documents_of_a_run_hold_their_places_and_repeated_texts_are_their_first() -> None:
    rows = [("s", "q1", f"d{n}", float(n)) for n in range(5)]
    runs = pl.DataFrame(rows, schema=["system", "query_id", "doc_id", "score"], orient="row")
    assert best_of_runs(runs, {"d3": "d1", "d2": "d2", "d1": "d1"}, depth=3) == {"q1": ["d1", "d2"]}


def test_recall_of_the_seed_by_source(tmp_path: Path) -> None:
    others = OtherRankings(DENSE, {"q1": ["d5"]})
    settings = {"bm25_top_k": 2, "dense_top_k": 3, "runs": 1}
    pairs = candidates(tmp_path, others, **settings)
    recall = seed_recall(pairs, QUERIES, CandidatesConfig(**settings), others, {})
    assert recall == {"bm25@2": 0.0, "dense@3": 1.0, "runs@1": 0.0}
    fused = candidates(tmp_path, others, fused_top_k=1)
    config = CandidatesConfig(fused_top_k=1)
    assert seed_recall(fused, QUERIES, config, others, {}) == {
        "bm25@1": 0.0,
        "dense@1": 1.0,
        "fused@1": 0.0,
    }
    assert seed_recall(fused, QUERIES, config, others, {"d3": "d1"})["fused@1"] == 1.0


@pytest.mark.parametrize("depth", [1, 3, 40])
def test_the_nearest_documents_are_those_of_all_compared(depth: int) -> None:
    draw = np.random.default_rng(5)

    def unit(*shape: int) -> np.ndarray:
        vectors = draw.normal(size=shape).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    queries = unit(700, 8)
    documents = [(f"d{n:05}", unit(int(draw.integers(1, 40)), 8)) for n in range(600)]
    documents += [("e1", documents[0][1]), ("e0", documents[0][1])]  # ties
    found = nearest_documents(queries, documents, depth)
    for query, ranking in zip(queries, found, strict=True):
        scores = {doc_id: float((windows @ query).max()) for doc_id, windows in documents}
        expected = sorted(scores, key=lambda doc_id: -scores[doc_id])[:depth]
        assert [score for _, score in ranking] == pytest.approx(
            [max(scores[doc_id], 0.0) for doc_id in expected], abs=2e-5
        )
        assert ranking == sorted(ranking, key=lambda hit: (-hit[1], hit[0]))


def test_no_document_and_no_query_have_no_nearest() -> None:
    vector = np.ones((1, 2), dtype=np.float32)
    assert nearest_documents(vector, [], 3) == [[]]
    assert nearest_documents(vector[:0], [("d", vector)], 3) == []
    assert nearest_documents(vector, [("d", vector)], 0) == [[]]
