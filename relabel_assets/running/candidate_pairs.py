"""The candidate pairs of a corpus with their texts, read from the warehouse.

What belongs here: reading the pairs for estimates and exports. What does not: choosing candidates
(candidates/), and requests to the teacher (teacher/).
"""

import polars as pl

from relabel_assets.corpus.pairs import of_other_queries, with_texts
from relabel_assets.labeling.final.label_queries import PairTexts
from relabel_assets.warehouse.warehouse import Warehouse

_PAIR = ["query_id", "doc_id"]


def candidate_pairs(warehouse: Warehouse, corpus: str) -> pl.DataFrame:
    """The candidates of `corpus` that the teacher grades, with their texts; empty before the first run.

    Those of queries that only get labels are not among them: see `label_pairs`.
    """
    texts = _candidates(warehouse, corpus)
    pairs = of_other_queries(texts.pairs, texts.queries)
    return with_texts(pairs, texts.queries, texts.documents)


def label_pairs(warehouse: Warehouse, corpus: str) -> PairTexts:
    """The candidates of the queries that only get labels."""
    texts = _candidates(warehouse, corpus)
    return PairTexts.of_label_queries(texts.pairs, texts.queries, texts.documents)


def pairs_without_answer(warehouse: Warehouse, corpus: str) -> pl.DataFrame:
    """The pairs of label queries that the student chose and the teacher has not graded, with their texts."""
    texts = label_pairs(warehouse, corpus)
    asked = warehouse.read("asked_labels", corpus).filter(pl.col("grade").is_null())
    pairs = texts.pairs.join(asked, on=_PAIR, how="semi", maintain_order="left")
    return with_texts(pairs, texts.queries, texts.documents)


def _candidates(warehouse: Warehouse, corpus: str) -> PairTexts:
    tables = ("bm25_candidates", "synthetic_queries", "seed_docs")
    pairs, queries, documents = (warehouse.read(name, corpus) for name in tables)
    return PairTexts(pairs.select(_PAIR), queries, documents)
