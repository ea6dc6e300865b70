"""Metrics of a labeler against reference grades: NDCG, pairwise accuracy, kappa.

What belongs here: one metric of one set of graded pairs. What does not: intervals and slices
(bootstrap.py). scikit-learn and ir_measures are imported where they are used: loading them takes half as
long as the rest of a short command.
"""

import warnings

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

PAIRWISE = ("pairwise_strict", "pairwise_half", "pairwise_untied")


def ndcg_by_query(pairs: pl.DataFrame) -> dict[str, float]:
    """NDCG@10 of each query with a grade above 0 (Järvelin & Kekäläinen 2002).

    Linear gain, log2 discount. `pairs` has query_id, doc_id, grade (reference) and score. Equal
    scores are ordered by document id, descending, as in trec_eval. A query without a grade above 0
    is left out: no order of its documents is better than another.

    >>> pairs = pl.DataFrame({"query_id": ["q", "q", "z"], "doc_id": ["d1", "d2", "d1"],
    ...                       "grade": [3, 0, 0], "score": [0.2, 0.9, 0.5]})
    >>> {query: round(value, 3) for query, value in ndcg_by_query(pairs).items()}
    {'q': 0.631}
    """
    import ir_measures

    relevant = pairs.filter(pl.col("grade").max().over("query_id") > 0)
    if relevant.is_empty():
        return {}
    # Ranks replace the scores, so that our tie rule holds and not the library's.
    ordered = relevant.sort("query_id", "score", "doc_id", descending=[False, True, True])
    ordered = ordered.with_columns(rank=-pl.int_range(pl.len()).over("query_id").cast(pl.Float64))
    qrels = [
        ir_measures.Qrel(query, document, int(grade))
        for query, document, grade in ordered.select("query_id", "doc_id", "grade").iter_rows()
    ]
    run = [
        ir_measures.ScoredDoc(query, document, rank)
        for query, document, rank in ordered.select("query_id", "doc_id", "rank").iter_rows()
    ]
    values = ir_measures.iter_calc([ir_measures.nDCG @ 10], qrels, run)
    return {value.query_id: value.value for value in values}


def ndcg_at_10(pairs: pl.DataFrame) -> float | None:
    """The mean of ndcg_by_query; None if no query counts.

    >>> pairs = pl.DataFrame({"query_id": ["q", "q"], "doc_id": ["d1", "d2"],
    ...                       "grade": [3, 0], "score": [0.9, 0.2]})
    >>> ndcg_at_10(pairs)
    1.0
    """
    values = list(ndcg_by_query(pairs).values())
    return float(np.mean(values)) if values else None


def pairwise_counts(grades: NDArray, scores: NDArray) -> tuple[int, int, int]:
    """Document pairs of one query with different grades: in the right order, tied in score, all.

    >>> pairwise_counts(np.array([2, 1, 0]), np.array([5.0, 5.0, 1.0]))
    (2, 1, 3)
    """
    upper = np.triu_indices(len(grades), k=1)
    grade_gaps = (grades[:, None] - grades[None, :])[upper]
    score_gaps = (scores[:, None] - scores[None, :])[upper]
    differ = grade_gaps != 0
    agreement = np.sign(score_gaps[differ]) * np.sign(grade_gaps[differ])
    return int((agreement > 0).sum()), int((agreement == 0).sum()), int(differ.sum())


def pairwise_figures(right: float, tied: float, pairs: float) -> dict[str, float | None]:
    """Pairwise accuracy with ties as wrong (strict), as half right (half), and left out (untied).

    None where no pair counts.

    >>> pairwise_figures(right=2, tied=1, pairs=4)
    {'pairwise_strict': 0.5, 'pairwise_half': 0.625, 'pairwise_untied': 0.6666666666666666}
    """
    return {
        "pairwise_strict": right / pairs if pairs else None,
        "pairwise_half": (right + tied / 2) / pairs if pairs else None,
        "pairwise_untied": right / (pairs - tied) if pairs > tied else None,
    }


def pairwise(pairs: pl.DataFrame) -> dict[str, float | None]:
    """pairwise_figures over the document pairs of all queries together.

    >>> pairs = pl.DataFrame({"query_id": ["q", "q"], "doc_id": ["d1", "d2"],
    ...                       "grade": [3, 0], "score": [0.5, 0.5]})
    >>> pairwise(pairs)
    {'pairwise_strict': 0.0, 'pairwise_half': 0.5, 'pairwise_untied': None}
    """
    counts = [
        pairwise_counts(group["grade"].to_numpy().astype(int), group["score"].to_numpy())
        for _, group in pairs.group_by("query_id", maintain_order=True)
    ]
    if not counts:
        return dict.fromkeys(PAIRWISE)
    right, tied, n_pairs = np.sum(counts, axis=0).tolist()
    return pairwise_figures(right, tied, n_pairs)


def kappa(reference: ArrayLike, grades: ArrayLike, weights: str | None = None) -> float | None:
    """Cohen's kappa (Cohen 1960); with weights="quadratic" the weighted one (Cohen 1968).

    None if it is undefined: without pairs, or if all grades of both sides are the same grade.

    >>> kappa([0, 3, 1, 2], [0, 3, 1, 2])
    1.0
    >>> print(kappa([2, 2], [2, 2]))
    None
    """
    from sklearn.metrics import cohen_kappa_score

    if not np.size(reference):
        return None
    with warnings.catch_warnings():
        # scikit-learn warns if all grades are the same. The last line returns None then.
        warnings.simplefilter("ignore")
        value = float(cohen_kappa_score(np.asarray(reference), np.asarray(grades), weights=weights))
    return None if np.isnan(value) else value
