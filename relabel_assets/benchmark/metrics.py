"""How well a labeler agrees with reference grades: NDCG, pairwise accuracy, kappa.

What belongs here: one figure for one set of graded pairs. What does not: intervals and slices (benchmark.py).
"""

import warnings

import ir_measures
import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import cohen_kappa_score

PAIRWISE = ("pairwise_strict", "pairwise_half", "pairwise_untied")


def ndcg_by_query(pairs: pl.DataFrame) -> dict[str, float]:
    """NDCG@10 (Järvelin & Kekäläinen 2002; linear gain, log2 discount) of each query with a grade above 0.

    `pairs` has query_id, doc_id, grade (reference) and score. Equal scores go by document id, descending, as trec_eval
    has it. A query without any grade above 0 is left out: every order of its documents is as good.
    """
    relevant = pairs.filter(pl.col("grade").max().over("query_id") > 0)
    if relevant.is_empty():
        return {}
    # The scores become ranks, so that the tie rule is ours and not the library's.
    ordered = relevant.sort("query_id", "score", "doc_id", descending=[False, True, True])
    ordered = ordered.with_columns(place=-pl.int_range(pl.len()).over("query_id").cast(pl.Float64))
    qrels = [ir_measures.Qrel(q, d, int(g)) for q, d, g in ordered.select("query_id", "doc_id", "grade").iter_rows()]
    run = [ir_measures.ScoredDoc(q, d, s) for q, d, s in ordered.select("query_id", "doc_id", "place").iter_rows()]
    return {found.query_id: found.value for found in ir_measures.iter_calc([ir_measures.nDCG @ 10], qrels, run)}


def ndcg_at_10(pairs: pl.DataFrame) -> float | None:
    """The mean of ndcg_by_query; None where no query counts."""
    values = list(ndcg_by_query(pairs).values())
    return float(np.mean(values)) if values else None


def pairwise_counts(grades: NDArray, scores: NDArray) -> tuple[int, int, int]:
    """Of the pairs of one query's documents that differ in grade: how many are ordered rightly, tied, and there in all."""
    upper = np.triu_indices(len(grades), k=1)
    gaps = (grades[:, None] - grades[None, :])[upper]
    order = np.sign(scores[:, None] - scores[None, :])[upper]
    differ = gaps != 0
    agrees = order[differ] * np.sign(gaps[differ])
    return int((agrees > 0).sum()), int((agrees == 0).sum()), int(differ.sum())


def pairwise_figures(right: float, tied: float, pairs: float) -> dict[str, float | None]:
    """Pairwise accuracy: ties wrong (strict), as half, and left out (untied); None where there is no pair."""
    return {
        "pairwise_strict": right / pairs if pairs else None,
        "pairwise_half": (right + tied / 2) / pairs if pairs else None,
        "pairwise_untied": right / (pairs - tied) if pairs > tied else None,
    }


def pairwise(pairs: pl.DataFrame) -> dict[str, float | None]:
    """pairwise_figures over the document pairs of all queries, pooled."""
    counts = [
        pairwise_counts(group["grade"].to_numpy().astype(int), group["score"].to_numpy())
        for _, group in pairs.group_by("query_id", maintain_order=True)
    ]
    return pairwise_figures(*np.sum(counts, axis=0)) if counts else dict.fromkeys(PAIRWISE)


def kappa(reference: ArrayLike, grades: ArrayLike, weights: str | None = None) -> float | None:
    """Cohen's kappa (Cohen 1960), or with weights="quadratic" the weighted one (Cohen 1968); None where undefined."""
    if not np.size(reference):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(cohen_kappa_score(np.asarray(reference), np.asarray(grades), weights=weights))
    return None if np.isnan(value) else value
