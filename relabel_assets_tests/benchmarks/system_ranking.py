"""Agreement of labelers with the reference labels on the ranking of retrieval systems.

    python relabel_assets_tests/benchmarks/system_ranking.py CORPUS [--runs FOLDER]

Needs a corpus with reference labels (`relabel run`); reads RELABEL_HOME and RELABEL_DATA. FOLDER
has run files as trec_eval reads them (query id, Q0, document id, rank, score, name), one a system;
the file's name is the system's. Without it the systems are ten that are made here of BM25 and of
the untrained base, of which late interaction is a relative of the student: runs of other systems
say more.

Each system orders the judged documents of each benchmark query (those it did not find come last),
and has a mean NDCG@10 by each labeler's grades. Kendall's tau is between the order of systems by a
labeler and by the reference; its 95 % intervals, and those of the student's less the teacher's, are
from a paired bootstrap over queries.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import ir_measures
import numpy as np
import polars as pl
import torch
from scipy.stats import kendalltau
from torch import nn

from relabel_assets.benchmark.bootstrap import median_grades, resamples
from relabel_assets.benchmark.metrics import ndcg_by_query
from relabel_assets.candidates.bm25 import Bm25, bm25_index
from relabel_assets.corpus.pairs import training_pairs, with_texts
from relabel_assets.progress import silent
from relabel_assets.running import runner
from relabel_assets.student import Labeler
from relabel_assets.student.base import base_path
from relabel_assets.student.late_interaction.cache import iter_encoded_documents
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets.student.late_interaction.scoring import late_interaction_scores
from relabel_assets.student.runtime.encoder import load_encoder

RESAMPLES, SEED = 2000, 13
FUSED_AT = 60  # of reciprocal rank fusion (Cormack et al. 2009)


def first_words(n: int, column: str) -> pl.Expr:
    return pl.col(column).fill_null("").str.split(" ").list.head(n).list.join(" ")


def by_bm25(
    pairs: pl.DataFrame, documents: pl.DataFrame, rewrite: Callable[[Bm25, str], str] | None = None
) -> pl.Series:
    scores: dict[tuple[str, str], float] = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        bm25_index([documents], scratch=Path(scratch)) as bm25,
    ):
        for (query_id, text), group in pairs.group_by("query_id", "text"):
            words = rewrite(bm25, str(text)) if rewrite else str(text)
            scores |= {
                (str(query_id), doc_id): score
                for doc_id, score in bm25.scores(words, group["doc_id"]).items()
            }
    return pl.Series([scores[key] for key in pairs.select("query_id", "doc_id").iter_rows()])


def expanded(documents: pl.DataFrame) -> Callable[[Bm25, str], str]:
    """A function that adds to a query the words that two of its top three documents share."""
    bodies = dict(documents.select("doc_id", "body").iter_rows())

    def rewrite(bm25: Bm25, text: str) -> str:
        best = [set(bodies[doc_id].lower().split()) for doc_id, _ in bm25.top(text, 3)]
        shared_words = {
            word
            for position, words in enumerate(best)
            for earlier in best[:position]
            for word in words & earlier
        }
        return " ".join([text, *sorted(shared_words)])

    return rewrite


def fused(pairs: pl.DataFrame, *systems: pl.Series) -> pl.Series:
    ranked = pairs.select("query_id").with_columns(
        pl.Series(str(n), scores) for n, scores in enumerate(systems)
    )
    ranks = [pl.col(str(n)).rank(descending=True).over("query_id") for n in range(len(systems))]
    return ranked.select(pl.sum_horizontal(1 / (FUSED_AT + rank) for rank in ranks)).to_series()


def made_here(pairs: pl.DataFrame, documents: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
    """The built-in systems by name, each with its score of every pair."""
    beginnings = documents.with_columns(body=first_words(20, "body"))
    short_queries = pairs.with_columns(text=first_words(3, "text"))
    bm25 = by_bm25(pairs, documents)
    yield "bm25", bm25
    yield "bm25 of three words", by_bm25(short_queries, documents)
    yield "bm25 of beginnings", by_bm25(pairs, beginnings)
    yield "bm25 expanded", by_bm25(pairs, documents, expanded(documents))
    encoder = load_encoder(base_path("embedded"), 192)
    scorer = QueryScorer(encoder)

    encoded_documents = dict(iter_encoded_documents(encoder, pairs, silent))

    def by_cosine(
        pairs: pl.DataFrame, encoded_documents: Mapping[str, EncodedDocument]
    ) -> pl.Series:
        texts = pairs["text"].unique().to_list()
        means = [vectors.mean(dim=0) for vectors, _ in scorer.encode_query_tokens(texts)]
        queries = dict(zip(texts, nn.functional.normalize(torch.stack(means), dim=-1), strict=True))
        pair_keys = pairs.select("text", "doc_id").iter_rows()
        return pl.Series(
            [
                float((encoded_documents[doc_id].window_vectors @ queries[text]).max())
                for text, doc_id in pair_keys
            ]
        )

    cosine = by_cosine(pairs, encoded_documents)
    yield "cosine", cosine
    yield "cosine of three words", by_cosine(short_queries, encoded_documents)
    of_beginnings = pairs.with_columns(body=first_words(20, "body"))
    yield (
        "cosine of beginnings",
        by_cosine(pairs, dict(iter_encoded_documents(encoder, of_beginnings, silent))),
    )
    late = pl.Series(late_interaction_scores(scorer, encoded_documents.items(), pairs))
    yield "late interaction", late
    yield "bm25 and cosine", fused(pairs, bm25, cosine)
    yield "bm25 and late interaction", fused(pairs, bm25, late)


def from_files(folder: Path, pairs: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
    last = -np.inf
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        scores = {
            (row.query_id, row.doc_id): row.score for row in ir_measures.read_trec_run(str(file))
        }
        pair_keys = pairs.select("query_id", "doc_id").iter_rows()
        yield file.stem, pl.Series([scores.get(key, last) for key in pair_keys])


def taus(figures: dict[str, np.ndarray], weights: np.ndarray) -> dict[str, float]:
    """Kendall's tau with the reference, by labeler; `figures` are (S, Q), `weights` (Q,)."""
    means = {}
    for name, of_systems in figures.items():
        counts = ~np.isnan(of_systems) * weights
        means[name] = np.nansum(of_systems * weights, axis=1) / counts.sum(axis=1)
    return {
        name: kendalltau(values, means["reference"]).statistic for name, values in means.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--runs", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.runs and not any(path.is_file() for path in arguments.runs.glob("*")):
        parser.error(
            f"{arguments.runs} has no files: it should be a folder of trec_eval's run "
            "files, one a system"
        )
    project, warehouse = runner.from_environment()
    names = (
        "synthetic_queries",
        "seed_docs",
        "teacher_labels",
        "student_labels",
        "reference_labels",
    )
    queries, documents, teacher, student, reference = (
        warehouse.read(name, arguments.corpus) for name in names
    )
    benchmark = queries.filter(pl.col("split") == "benchmark")
    judged = median_grades(reference.join(benchmark, on="query_id", how="semi")).rename(
        {"grade": "reference"}
    )
    for name, labels in (("teacher", teacher), ("student", student)):
        judged = judged.join(
            labels.select("query_id", "doc_id", pl.col("grade").alias(name)),
            on=["query_id", "doc_id"],
        )
    pairs = with_texts(judged.drop_nulls().sort("query_id", "doc_id"), queries, documents)
    settings = project.corpora().open(arguments.corpus)
    base = Labeler.untrained(
        training_pairs(teacher, queries, documents),
        config=settings.config.student,
        rubric=settings.rubric,
    )
    pairs = pairs.with_columns(base=base.grade(pairs)["grade"])
    labelers, query_ids = (
        ("reference", "teacher", "student", "base"),
        pairs["query_id"].unique().sort().to_list(),
    )
    ndcg_rows: dict[str, list[list[float]]] = {name: [] for name in labelers}
    print(
        f"{arguments.corpus}: {pairs.height:,} judged pairs of {len(query_ids)} queries; "
        "NDCG@10 by the "
        "grades of each labeler"
    )
    print(f"  {'':28}{''.join(f'{name:>11}' for name in labelers)}")
    for system, scores in (
        from_files(arguments.runs, pairs) if arguments.runs else made_here(pairs, documents)
    ):
        for name in labelers:
            of_query = ndcg_by_query(
                pairs.select("query_id", "doc_id", grade=name).with_columns(score=scores)
            )
            ndcg_rows[name].append([of_query.get(query_id, np.nan) for query_id in query_ids])
        cells = "".join(f"{np.nanmean(ndcg_rows[name][-1]):11.3f}" for name in labelers)
        print(f"  {system:28}{cells}", flush=True)
    figures = {name: np.array(rows) for name, rows in ndcg_rows.items()}
    exact, *drawn = (
        taus(figures, weights) for weights in resamples(len(query_ids), RESAMPLES, SEED)
    )
    print(
        f"\nKendall's tau with the reference, {len(figures['reference'])} systems, "
        f"{len(query_ids)} queries"
    )
    for name in labelers[1:]:
        low, high = np.nanpercentile([of_labelers[name] for of_labelers in drawn], [2.5, 97.5])
        print(f"  {name:18}{exact[name]:+.3f} [{low:+.3f}, {high:+.3f}]")
    low, high = np.nanpercentile(
        [of_labelers["student"] - of_labelers["teacher"] for of_labelers in drawn], [2.5, 97.5]
    )
    print(
        f"  student - teacher {exact['student'] - exact['teacher']:+.3f} [{low:+.3f}, {high:+.3f}]"
    )


if __name__ == "__main__":
    main()
