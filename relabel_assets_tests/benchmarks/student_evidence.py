"""Ablation of the head's features by cross-validation, beside late interaction alone.

    python relabel_assets_tests/benchmarks/student_evidence.py [CORPUS]... [--learning-curve]

Needs corpora whose teacher has graded (`relabel run`); reads RELABEL_HOME and RELABEL_DATA.
Benchmark queries are never looked at: four folds over the seed documents of train and dev queries,
against the teacher's grades. Vectors are the untrained base's. Figures have 95 % intervals from a
paired bootstrap over queries.

With --learning-curve, all evidence again, from fewer and from more of the queries: means of three
draws of folds, and the standard deviation of draws.
"""

import argparse
from collections.abc import Iterable

import numpy as np
import polars as pl
from sklearn.model_selection import GroupKFold

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.cut_points import cut_points, grades_from
from relabel_assets.benchmark.metrics import kappa, ndcg_at_10, pairwise
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.progress import silent
from relabel_assets.running import runner
from relabel_assets.student.base import base_path
from relabel_assets.student.late_interaction.cache import iter_encoded_documents
from relabel_assets.student.late_interaction.corpus_statistics import compute_corpus_statistics
from relabel_assets.student.late_interaction.features import FEATURE_NAMES, PRIOR_WEIGHTS
from relabel_assets.student.late_interaction.head import fit_head
from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets.student.late_interaction.scoring import feature_matrix
from relabel_assets.student.runtime.encoder import load_encoder
from relabel_assets.student.sample import corpus_sample

SEED = 13
FEEDBACK = tuple(name for name in FEATURE_NAMES if name.startswith("feedback"))
BACKGROUND = tuple(
    name
    for name in FEATURE_NAMES
    if (name.endswith("_z") and name not in FEEDBACK) or name.startswith("ordinary")
)
WORDS = (
    "bm25",
    "bm25_share",
    "covered",
    "covered_by_title",
    "covered_by_header",
    "bigrams",
    "bm25_share_z",
)
# The features of a head, and its prior.
VARIANTS: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    "late interaction": (("late_interaction",), {}),
    "without feedback": (
        tuple(name for name in FEATURE_NAMES if name not in FEEDBACK),
        PRIOR_WEIGHTS,
    ),
    "without background": (
        tuple(name for name in FEATURE_NAMES if name not in BACKGROUND),
        PRIOR_WEIGHTS,
    ),
    "without words": (tuple(name for name in FEATURE_NAMES if name not in WORDS), PRIOR_WEIGHTS),
    "all, held near nothing": (FEATURE_NAMES, {}),
    "all evidence": (FEATURE_NAMES, PRIOR_WEIGHTS),
}
# Folds, and the share of all seed documents to learn from.
CURVE = ((4, 0.2), (4, 0.35), (4, 0.5), (10, 0.77), (10, 0.9))
DRAWS = 3

Split = tuple[np.ndarray, np.ndarray]  # rows to learn from, rows to grade


def cross_validated(
    features: np.ndarray, pairs: pl.DataFrame, variant: str, splits: Iterable[Split]
) -> pl.DataFrame:
    """Score and grade of every pair, from a head that was fitted without its seed document."""
    names, prior = VARIANTS[variant]
    columns, grades = (
        features[:, [FEATURE_NAMES.index(name) for name in names]],
        pairs["grade"].to_numpy(),
    )
    scores, assigned = np.zeros(len(grades)), np.zeros(len(grades), dtype=np.int64)
    for train, held_out in splits:
        queries = pairs["query_id"][train].to_list()
        head = fit_head(columns[train], grades[train], queries, names=names, seed=SEED, prior=prior)
        scores[held_out] = head.scores(columns[held_out])
        points = cut_points(head.scores(columns[train]), grades[train], 4)
        assigned[held_out] = grades_from(scores[held_out], points)
    return pairs.select("query_id", "doc_id").with_columns(
        score=pl.Series(scores), grade=pl.Series(assigned)
    )


def drawn_splits(groups: np.ndarray, folds: int, share: float, draw: int) -> Iterable[Split]:
    """Folds over the seed documents `groups` (N,); each trains on `share` of all seed documents."""
    random, seeds = np.random.default_rng([SEED, draw]), np.unique(groups)
    shuffled = random.permutation(seeds)
    for fold in range(folds):
        held_out = shuffled[fold::folds]
        training_seeds = random.permutation(np.setdiff1d(seeds, held_out))[
            : round(share * len(seeds))
        ]
        yield (
            np.flatnonzero(np.isin(groups, training_seeds)),
            np.flatnonzero(np.isin(groups, held_out)),
        )


def features_of(pairs: pl.DataFrame, corpus: pl.DataFrame) -> np.ndarray:
    """The features (N, F) of `pairs`; `corpus` has the documents of the corpus."""
    encoder = load_encoder(base_path("embedded"), 192)
    encoded = dict(iter_encoded_documents(encoder, pairs, silent))
    statistics = compute_corpus_statistics(encoder, encoded, pairs, corpus, SEED)
    return feature_matrix(QueryScorer(encoder), encoded.items(), pairs, statistics)


def print_variants(features: np.ndarray, pairs: pl.DataFrame, queries: pl.DataFrame) -> None:
    reference = pairs.select("query_id", "doc_id", pl.lit("teacher").alias("assessor"), "grade")
    for variant in VARIANTS:
        splits = GroupKFold(4).split(features, groups=pairs["group"].to_list())
        labels = cross_validated(features, pairs, variant, splits).select(
            pl.lit("student").alias("labeler"), pl.all()
        )
        metrics = measure(labels, reference, queries).rows.filter(pl.col("slice") == "all")
        cells = [
            f"{row['metric']} {row['value']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
            for row in metrics.iter_rows(named=True)
            if row["metric"] in ("ndcg@10", "pairwise_half", "kappa", "kappa_quadratic")
        ]
        print(f"  {variant:24} {'   '.join(cells)}", flush=True)


def print_learning_curve(features: np.ndarray, pairs: pl.DataFrame) -> None:
    groups, grades = pairs["group"].to_numpy(), pairs["grade"].to_numpy()
    for folds, share in CURVE:
        draws = []
        for draw in range(DRAWS):
            labels = cross_validated(
                features, pairs, "all evidence", drawn_splits(groups, folds, share, draw)
            )
            scored, assigned = (
                pairs.select("query_id", "doc_id", "grade", score=labels["score"]),
                labels["grade"],
            )
            draws.append(
                {
                    "ndcg@10": ndcg_at_10(scored),
                    "pairwise_half": pairwise(scored)["pairwise_half"],
                    "kappa": kappa(grades, assigned),
                    "kappa_quadratic": kappa(grades, assigned, weights="quadratic"),
                }
            )
        cells = [
            f"{name} {values.mean():.3f} ({values.std():.3f})"
            for name, values in pl.DataFrame(draws).to_dict().items()
        ]
        print(f"  from {share:.0%} of queries      {'   '.join(cells)}", flush=True)


def main(corpora: list[str], *, with_curve: bool) -> None:
    project, warehouse = runner.from_environment()
    for corpus in corpora or project.corpora().names():
        queries, documents = (
            warehouse.read("synthetic_queries", corpus),
            warehouse.read("seed_docs", corpus),
        )
        seeds = queries.select("query_id", group=pl.coalesce("seed_doc_id", "query_id"))
        pairs = training_pairs(warehouse.read("teacher_labels", corpus), queries, documents).join(
            seeds, on="query_id", maintain_order="left"
        )
        n_queries = pairs["query_id"].n_unique()
        print(
            f"\n{corpus}: {pairs.height:,} pairs, {n_queries} queries, against the "
            "teacher's grades",
            flush=True,
        )
        features = features_of(pairs, corpus_sample(documents, StudentConfig()))
        print_variants(features, pairs, queries)
        if with_curve:
            print_learning_curve(features, pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help="all, if left out")
    parser.add_argument(
        "--learning-curve", action="store_true", help="metrics from fewer and from more queries"
    )
    arguments = parser.parse_args()
    main(arguments.corpora, with_curve=arguments.learning_curve)
