"""The pairs to grade: BM25's top documents, those of other rankings, the seed, judged and random ones."""

import polars as pl

from relabel_assets.candidates.choose import find_candidates
from relabel_assets.candidates.other_rankings import OtherRankings, seed_recall
from relabel_assets.corpus.grades.grades import with_known_pairs
from relabel_assets.graph.candidates.candidate_inputs import (
    dense_rankings,
    finding_nothing,
    first_documents,
    language_of,
    run_rankings,
    settings_of,
)
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset


@table_asset(
    code_version="3",
    kinds={"tantivy", "polars"},
    settings=settings_of,
    files=("teacher_labels",),
)
def bm25_candidates(step: Step) -> Rows:
    """The candidate pairs of every query, with their source, BM25 score and dense score."""
    queries, config = step.read("synthetic_queries"), step.corpus.config.candidates
    first_of, language = first_documents(step), language_of(step)
    runs, problems = run_rankings(step, queries, first_of)
    others = OtherRankings(dense_rankings(step, queries), runs)
    reference = step.read("reference_labels")
    is_review = pl.col("reviewed_at").is_not_null()
    candidates = find_candidates(
        step.read_batches("seed_docs"),
        queries,
        _judged(step, queries, reference.filter(~is_review)),
        config=config,
        scratch=step.project.home.scratch,
        reviewed=reference.filter(is_review).select("query_id", "doc_id").unique(),
        others=others,
        language=language,
        progress=step.progress,
    )
    recall = seed_recall(candidates, queries, config, others, first_of)
    by_source = candidates.group_by("source").len().sort("source").iter_rows()
    metadata = {
        **{f"pairs_{source}": count for source, count in by_source},
        **{f"seed_recall_{name}": share for name, share in recall.items()},
        "language": language,
    }
    notices = finding_nothing(candidates, queries["query_id"].to_list())
    return Rows(candidates, metadata, problems, notices=notices)


def _judged(step: Step, queries: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """The pairs with a grade of the recorded teacher or of the corpus' qrels."""
    doc_ids = step.read_column("seed_docs", "doc_id")
    recorded = with_known_pairs(
        step.corpus.recorded_labels(),
        queries["query_id"],
        doc_ids,
        file=step.corpus.file_of("teacher_labels"),
    )
    pairs = [frame.select("query_id", "doc_id") for frame in (recorded.frame, reference)]
    return pl.concat(pairs).unique()
