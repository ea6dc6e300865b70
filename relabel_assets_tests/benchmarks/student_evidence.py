"""What each kind of evidence is worth: heads fitted without it, beside late interaction alone, by cross-validation.

    python relabel_assets_tests/benchmarks/student_evidence.py [CORPUS]...

Needs corpora whose teacher has graded (`relabel run`); reads RELABEL_HOME and RELABEL_DATA. Benchmark queries are never
looked at: four folds over the seed documents of train and dev queries, against the teacher's grades. Vectors are the
untrained base's. Figures have 95 % intervals from a paired bootstrap over queries.
"""

import copy
import sys

import numpy as np
import polars as pl
from sklearn.model_selection import GroupKFold

from relabel_assets import runner
from relabel_assets.core.cut_points import cut_points, grades_from
from relabel_assets.core.pairs import DOCUMENT_COLUMNS, training_pairs
from relabel_assets.core.progress import silent
from relabel_assets.core.student.base import base_path
from relabel_assets.core.student.encoder import Encoder, load_encoder
from relabel_assets.core.student.evidence import NAMES, Background, Lexicon
from relabel_assets.core.student.head import fit_head
from relabel_assets.core.student.interaction import pair_figures
from relabel_assets.core.student.late_interaction import QueryScorer
from relabel_assets.core.student.reading import documents_in_runs

SEED = 13
BACKGROUND = tuple(name for name in NAMES if name.endswith("_z") or name.startswith("ordinary"))
WORDS = ("bm25", "bm25_share", "covered", "covered_by_title", "covered_by_header", "bigrams", "bm25_share_z")
VARIANTS = {
    "late interaction": ("late_interaction",),
    "without background": tuple(name for name in NAMES if name not in BACKGROUND),
    "without words": tuple(name for name in NAMES if name not in WORDS),
    "all evidence": NAMES,
}


def cross_validated(figures: np.ndarray, pairs: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """score and grade of every pair, each from a head that saw none of its seed document's queries."""
    columns, grades = figures[:, [NAMES.index(name) for name in names]], pairs["grade"].to_numpy()
    scores, given = np.zeros(len(grades)), np.zeros(len(grades), dtype=np.int64)
    for train, rest in GroupKFold(4).split(columns, grades, pairs["group"].to_list()):
        head, _ = fit_head(columns[train], grades[train], pairs["query_id"][train].to_list(), names=names, seed=SEED)
        scores[rest] = head.scores(columns[rest])
        points = cut_points(head.scores(columns[train]), grades[train], 4)
        given[rest] = grades_from(scores[rest], points)
    return pairs.select("query_id", "doc_id").with_columns(score=pl.Series(scores), grade=pl.Series(given))


def main(corpora: list[str]) -> None:
    from relabel_assets.core.benchmark import measure

    project, warehouse = runner.from_environment()
    for corpus in corpora or project.corpora().names():
        queries, documents = warehouse.read("synthetic_queries", corpus), warehouse.read("seed_docs", corpus)
        seeds = queries.select("query_id", group=pl.coalesce("seed_doc_id", "query_id"))
        pairs = training_pairs(warehouse.read("teacher_labels", corpus), queries, documents).join(
            seeds, on="query_id", maintain_order="left"
        )
        encoder = load_encoder(base_path("embedded"), 192)
        scorer = QueryScorer(Encoder(copy.deepcopy(encoder.model), encoder.tokenizer, encoder.max_length))
        read = dict(documents_in_runs(encoder, pairs, silent))
        lexicon = Lexicon.of(list(read.values()), len(encoder.tokenizer))
        texts = pairs.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
        background = Background.of(encoder, texts.sample(min(64, texts.height), seed=SEED).to_dicts())
        figures = pair_figures(scorer, read.items(), pairs, lexicon, background)
        scores = pl.concat(
            cross_validated(figures, pairs, names).select(pl.lit(name).alias("labeler"), pl.all())
            for name, names in VARIANTS.items()
        )
        reference = pairs.select("query_id", "doc_id", pl.lit("teacher").alias("assessor"), "grade")
        found = measure(scores, reference, queries).rows.filter(pl.col("slice") == "all")
        n_queries = pairs["query_id"].n_unique()
        print(f"\n{corpus}: {pairs.height:,} pairs, {n_queries} queries, against the teacher's grades")
        for name in VARIANTS:
            cells = [
                f"{row['metric']} {row['value']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
                for row in found.filter(pl.col("labeler") == name).iter_rows(named=True)
                if row["metric"] in ("ndcg@10", "pairwise_half", "kappa_quadratic")
            ]
            print(f"  {name:20} {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
