"""The check of a sample's pool."""

from pathlib import Path

import polars as pl

from relabel_assets.graph.checks.gate_checks import pool_changes
from relabel_assets.warehouse.warehouse import Warehouse

HASH = "0" * 64


def put(warehouse: Warehouse, n_candidates: int, n_strata: list[int]) -> None:
    queries = {"query_id": ["q1", "q2"], "text": ["a", "b"], "split": ["benchmark", "train"]}
    names = ("intent", "persona", "seed_doc_id", "teacher_model", "prompt_hash")
    absent = [pl.lit(None, pl.String).alias(name) for name in names]
    table = pl.DataFrame(queries).with_columns(
        *absent,
        is_round_trip=pl.lit(None, pl.Boolean),
        source=pl.lit("provided"),
        content_hash=pl.lit(HASH),
        weight=pl.lit(None, pl.Float64),
        stratum=pl.lit(None, pl.String),
    )
    warehouse.replace("synthetic_queries", "tiny", table, input_hash=HASH)
    of_both = [(query, f"d{i}") for query in ("q1", "q2") for i in range(n_candidates)]
    candidates = pl.DataFrame(of_both, schema=["query_id", "doc_id"], orient="row").with_columns(
        rank=pl.lit(None, pl.Int32),
        bm25_score=1.0,
        source=pl.lit("bm25"),
        dense_rank=pl.lit(None, pl.Int32),
        dense_score=pl.lit(None, pl.Float64),
    )
    warehouse.replace("bm25_candidates", "tiny", candidates, input_hash=HASH)
    samples = pl.DataFrame(
        {
            "query_id": ["q1"] * len(n_strata),
            "doc_id": [f"d{i}" for i in range(len(n_strata))],
            "stratum": [str(i) for i in range(len(n_strata))],
            "inclusion_prob": [0.5] * len(n_strata),
            "query_prob": [1.0] * len(n_strata),
            "n_stratum": n_strata,
            "n_drawn": [1] * len(n_strata),
            "why": ["such"] * len(n_strata),
            "drawn_at": [None] * len(n_strata),
        },
        schema_overrides={"drawn_at": pl.Datetime("us", "UTC")},
    )
    warehouse.replace("review_samples", "tiny", samples, input_hash=HASH)


def test_a_pool_of_another_size_than_at_the_last_draw_is_a_finding(tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    put(warehouse, n_candidates=5, n_strata=[2, 3])
    assert pool_changes(warehouse, "tiny") == []
    put(warehouse, n_candidates=6, n_strata=[2, 3])
    (line,) = pool_changes(warehouse, "tiny")
    assert line.startswith("the pool has 6 pairs and had 5 when the sample was drawn.")
    put(warehouse, n_candidates=6, n_strata=[])
    assert pool_changes(warehouse, "tiny") == []
