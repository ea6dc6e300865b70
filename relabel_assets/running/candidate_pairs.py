"""The pairs that a live teacher would be asked about, as the warehouse has them.

What belongs here: reading them. What does not: choosing candidates (candidates/) and asking
(teacher/).
"""

import polars as pl

from relabel_assets.corpus.pairs import with_texts
from relabel_assets.warehouse.warehouse import Warehouse


def candidate_pairs(warehouse: Warehouse, corpus: str) -> pl.DataFrame:
    """The candidates of `corpus` with their texts; empty where there are none yet."""
    candidates = warehouse.read("bm25_candidates", corpus).select("query_id", "doc_id")
    queries, documents = (
        warehouse.read(name, corpus) for name in ("synthetic_queries", "seed_docs")
    )
    return with_texts(candidates, queries, documents)
