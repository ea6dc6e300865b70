"""The candidate pairs of a corpus with their texts, read from the warehouse.

What belongs here: reading the pairs for estimates and exports. What does not: choosing candidates
(candidates/), and requests to the teacher (teacher/).
"""

import polars as pl

from relabel_assets.corpus.pairs import with_texts
from relabel_assets.warehouse.warehouse import Warehouse


def candidate_pairs(warehouse: Warehouse, corpus: str) -> pl.DataFrame:
    """The candidates of `corpus` with their texts; empty before the first run."""
    candidates = warehouse.read("bm25_candidates", corpus).select("query_id", "doc_id")
    queries, documents = (
        warehouse.read(name, corpus) for name in ("synthetic_queries", "seed_docs")
    )
    return with_texts(candidates, queries, documents)
