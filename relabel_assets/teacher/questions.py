"""What a corpus' teacher would be asked, for the commands that say or write it without asking.

What belongs here: taking the pairs from the warehouse, or, where none are chosen yet, a sample from the folder. What
does not: any figure (core/estimate.py) and any request (resources/teacher.py).
"""

import polars as pl

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.graph.project import Project
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS
from relabel_assets.teacher.estimate import Estimate
from relabel_assets.teacher.query_writer import estimate_queries
from relabel_assets.teacher.query_writing import queries_prompt
from relabel_assets.teacher.teacher import GradingQuestions
from relabel_assets.warehouse.warehouse import Warehouse

_SAMPLE = 200  # documents: their mean length is within a few percent of the corpus'
_ASSUMED_QUERY = "what is the policy on expenses for remote staff"


def grading_questions(folder: CorpusFolder, pairs: pl.DataFrame) -> GradingQuestions:
    """The requests for `pairs`, by the settings, rubric and prompt of the corpus."""
    prompt = folder.config.teacher.prompt
    return GradingQuestions(
        pairs, folder.config.teacher, folder.rubric, folder.read_text(prompt) if prompt else None
    )  # fmt: skip


def candidate_pairs(warehouse: Warehouse, corpus: str) -> pl.DataFrame:
    """The candidates that the warehouse has, with their texts; empty where there are none yet."""
    candidates = warehouse.read("bm25_candidates", corpus).select("query_id", "doc_id")
    return with_texts(candidates, warehouse.read("synthetic_queries", corpus), warehouse.read("seed_docs", corpus))


def assumed_pairs(folder: CorpusFolder) -> tuple[pl.DataFrame, int, str]:
    """(a sample of pairs, how many there may be, what that assumes), for a corpus without candidates.

    Raises CorpusError where the corpus has no documents that can be used.
    """
    documents, queries = folder.documents().frame, folder.queries().frame if folder.has_queries else None
    settings, n_documents = folder.config.queries, documents.height
    if queries is not None:
        n_queries, said = queries.height, f"{queries.height:,} queries of queries.jsonl"
    else:
        n_seeds = min(settings.seed_documents, n_documents)
        n_queries = n_seeds * settings.per_document
        said = f"{n_seeds:,} seed documents x {settings.per_document} queries"
    chosen = folder.config.candidates
    per_query = min(n_documents, chosen.bm25_top_k + chosen.include_seed + chosen.random)
    sample = documents.sample(min(_SAMPLE, n_documents), seed=chosen.seed).select("doc_id", *DOCUMENT_COLUMNS)
    pairs = sample.with_columns(query_id=pl.lit("q"), text=pl.lit(_ASSUMED_QUERY))
    return pairs, n_queries * per_query, f"{said} x {per_query} candidates; the length of {sample.height} documents"


def queries_estimate(project: Project, folder: CorpusFolder) -> Estimate:
    """What having the teacher write the queries of a corpus without any will take."""
    settings = folder.config.queries
    prompt = queries_prompt(
        folder.read_text(settings.prompt) if settings.prompt else None, file=settings.prompt or "the queries prompt"
    )
    return estimate_queries(
        project.teacher(), folder.documents().frame, corpus=folder.name, config=folder.config.teacher,
        queries=settings, prompt=prompt,
    )  # fmt: skip
