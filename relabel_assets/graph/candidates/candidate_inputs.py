"""What candidates are chosen by: the language of the corpus, its rankings beside BM25's, its settings.

What belongs here: reading them, with the student's encoder or from runs/. What does not: the choice
(candidates/choose.py), and its table (assets/bm25_candidates.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from relabel_assets.candidates.analyzer import stemmer_language
from relabel_assets.candidates.nearest import Ranking, nearest_documents
from relabel_assets.candidates.other_rankings import best_of_runs, dense_depth
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.runs.run_files import with_known_queries
from relabel_assets.corpus.runs.system_files import systems_of_corpus
from relabel_assets.errors import Problem
from relabel_assets.graph.step import Step
from relabel_assets.student.base import passage_model

# Fewer queries may find nothing for reasons of their own. Not measured: a tenth would blame every corpus with
# misspelled queries.
FINDS_NOTHING = 0.5


def settings_of(corpus: CorpusFolder) -> dict[str, Any]:
    """The inputs of candidates beside tables: the model and the runs only where they are used."""
    config, student = corpus.config.candidates, corpus.config.student
    settings: dict[str, Any] = {"candidates": config}
    if dense_depth(config):
        model = {"max_length": student.max_length, "precision": student.precision}
        settings["encoder"] = model | {"base_model": passage_model(student)}
    if config.runs:
        settings["runs"] = corpus.fingerprint("runs")
    return settings


def language_of(step: Step) -> str:
    """The language that the corpus' texts are stemmed in: the stated one, or that of most documents."""
    stated = step.corpus.config.candidates.language
    return stated or stemmer_language(step.read_column("seed_docs", "language"))


def first_documents(step: Step) -> dict[str, str]:
    """Each document of the corpus, with the first one of its text: itself, if it repeats none."""
    rows = step.read("seed_docs", columns=["doc_id", "duplicate_of"])
    return {doc_id: of or doc_id for doc_id, of in rows.iter_rows()}


def dense_rankings(step: Step, queries: pl.DataFrame) -> dict[str, Ranking]:
    """The documents nearest to each query, by query_id; empty without dense candidates.

    Raises StudentError where the base model cannot be loaded.
    """
    depth = dense_depth(step.corpus.config.candidates)
    if not depth:
        return {}
    from relabel_assets.student.vectors.passage_encoder import PassageEncoder

    encoder = PassageEncoder.load(step.corpus.config.student, step.project.vectors())
    frames = (
        batch.filter(pl.col("duplicate_of").is_null()) for batch in step.read_batches("seed_docs")
    )
    vectors = encoder.queries(queries["text"].to_list())
    rankings = nearest_documents(vectors, encoder.documents(frames, step.progress), depth)
    return dict(zip(queries["query_id"], rankings, strict=True))


def run_rankings(
    step: Step, queries: pl.DataFrame, first_of: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[Problem]]:
    """The best documents of the corpus' runs, by query_id, and what could not be used; empty with `runs: 0`.

    Raises ConfigError for a wrong systems.yaml.
    """
    depth = step.corpus.config.candidates.runs
    if not depth:
        return {}, []
    runs = systems_of_corpus(step.corpus, step.progress).runs
    known = with_known_queries(
        runs, queries["query_id"], pl.Series(list(first_of), dtype=pl.String)
    )
    return best_of_runs(known.frame, first_of, depth), known.problems


def queries_without_results(candidates: pl.DataFrame, queries: Sequence[str]) -> list[str]:
    """The queries of which no candidate has a word, in order of their ids.

    >>> candidates = pl.DataFrame({"query_id": ["q1", "q2"], "bm25_score": [1.5, 0.0]})
    >>> queries_without_results(candidates, ["q1", "q2", "q3"])
    ['q2', 'q3']
    """
    found = set(candidates.filter(pl.col("bm25_score") > 0)["query_id"])
    return sorted(query for query in queries if query not in found)


def finding_nothing(candidates: pl.DataFrame, queries: Sequence[str]) -> list[str]:
    """A sentence if BM25 finds nothing for half of the queries or more; none else.

    >>> candidates = pl.DataFrame({"query_id": ["q1", "q2"], "bm25_score": [1.5, 0.0]})
    >>> finding_nothing(candidates, ["q1", "q2"])[0][:51]
    'BM25 finds no document for 1 of 2 queries, such as '
    >>> finding_nothing(candidates, ["q1"])
    []
    """
    without = queries_without_results(candidates, queries)
    if not queries or len(without) < FINDS_NOTHING * len(queries):
        return []
    return [
        f"BM25 finds no document for {len(without):,} of {len(queries):,} queries, such as "
        f"{', '.join(map(repr, without[:3]))}: no document has a word of theirs. Their other candidates are "
        "random, and a teacher would be paid for them. Are queries and documents in one language? Set "
        "candidates.dense_top_k to find documents by meaning, or add runs of your own search engine."
    ]
