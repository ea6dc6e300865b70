"""The pairs to grade: BM25's top documents, the seed document, judged pairs, random ones."""

import polars as pl

from relabel_assets.candidates.choose import find_candidates
from relabel_assets.corpus.grades import with_known_pairs
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset


@table_asset(
    code_version="2",
    kinds={"tantivy", "polars"},
    settings=lambda corpus: corpus.config.candidates,
    files=("teacher_labels",),
)
def bm25_candidates(step: Step) -> Rows:
    """The candidate pairs of every query, with their source and BM25 score."""
    queries = step.read("synthetic_queries")
    doc_ids = step.read_column("seed_docs", "doc_id")
    recorded = with_known_pairs(
        step.corpus.recorded_labels(), queries["query_id"], doc_ids, file="teacher_labels.jsonl"
    )
    reference = step.read("reference_labels")
    is_review = pl.col("reviewed_at").is_not_null()
    pairs = [
        frame.select("query_id", "doc_id")
        for frame in (recorded.frame, reference.filter(~is_review))
    ]
    candidates = find_candidates(
        step.read_batches("seed_docs"),
        queries,
        pl.concat(pairs).unique(),
        config=step.corpus.config.candidates,
        scratch=step.project.home.scratch,
        reviewed=reference.filter(is_review).select("query_id", "doc_id").unique(),
        progress=step.progress,
    )
    by_source = candidates.group_by("source").len().sort("source").iter_rows()
    return Rows(candidates, metadata={f"pairs_{source}": count for source, count in by_source})
