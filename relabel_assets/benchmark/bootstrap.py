"""The benchmark: metrics of every labeler against reference grades, with intervals.

What belongs here: which pairs count, and slices. What does not: drawing the resamples (resampling.py), the
formula of one metric (metrics.py), the gate (gates/gate.py) and the report (report.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.labelers import CASCADES, DIFFERENCES, PEOPLE, PEOPLE_DIFFERENCE
from relabel_assets.benchmark.metrics import PAIRWISE, ndcg_by_query, pairwise_counts
from relabel_assets.benchmark.resampling import interval, query_weights, resamples
from relabel_assets.progress import Progress, silent

METRICS = ("ndcg@10", *PAIRWISE, "kappa", "kappa_quadratic", "mean_grade")
_PAIR = ["query_id", "doc_id"]
ROW_SCHEMA = {
    "labeler": pl.String,
    "metric": pl.String,
    "slice": pl.String,
    "value": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "n_queries": pl.Int64,
    "n_pairs": pl.Int64,
}


@dataclass(frozen=True)
class Measurement:
    """The metrics of one corpus. `rows` has the columns of ROW_SCHEMA."""

    rows: pl.DataFrame
    n_pairs: int  # reference pairs that were measured
    n_left_out: int  # reference pairs without a grade by every labeler


@dataclass(frozen=True)
class _QueryCounts:
    """What one query adds to one labeler's metrics. A resample of queries is a weighted sum."""

    ndcg: float  # NaN if the query has no grade above 0
    pairwise: tuple[int, int, int]  # pairwise_counts
    confusion: NDArray[np.int64]  # (n_grades, n_grades), reference grades in rows


def measure(
    scores: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
    *,
    n_resamples: int = 2000,
    seed: int = 13,
    progress: Progress = silent,
) -> Measurement:
    """Every metric of every labeler, over all queries and by intent, with 95 % intervals.

    `scores`: labeler, query_id, doc_id, score (to rank by) and grade. `reference`: query_id, doc_id,
    assessor and grade; several assessors count as their median (median_grades). `queries`: query_id,
    intent, and perhaps weight and stratum. All labelers are measured on the same pairs: the reference
    pairs that all of them graded. Intervals are percentiles of a paired bootstrap over queries (Sakai
    2006): each resample draws the same queries for every labeler. 2,000 resamples put 50 beyond either end.
    A query counts by its `weight`, where `queries` has that column: NULL is 1. Cascades and student@people
    are measured over all queries alone: an intent has too few to tell them apart.

    >>> pairs = {"query_id": ["q"] * 2, "doc_id": ["d1", "d2"]}
    >>> reference = pl.DataFrame(pairs | {"assessor": ["ana"] * 2, "grade": [0, 3]})
    >>> bm25 = {"labeler": ["bm25"] * 2, "score": [1.5, 7.0], "grade": [0, 2]}
    >>> scores = pl.DataFrame(pairs | bm25)
    >>> queries = pl.DataFrame({"query_id": ["q"], "intent": ["keyword"]})
    >>> rows = measure(scores, reference, queries, n_resamples=10).rows
    >>> rows.select("labeler", "metric", "slice", "value").row(0)
    ('bm25', 'ndcg@10', 'all', 1.0)
    """
    labelers = sorted(scores["labeler"].unique())
    reference_grades = median_grades(reference)
    judged = reference_grades.join(graded_by_all(scores), on=_PAIR, how="inner").sort(_PAIR)
    n_left_out = reference_grades.height - judged.height
    if judged.is_empty():
        return Measurement(pl.DataFrame(schema=ROW_SCHEMA), 0, n_left_out)
    grades = pl.concat([judged["grade"], scores["grade"].cast(pl.Int64)])
    n_grades = 1 + int(grades.drop_nulls().to_numpy().max())
    counts: dict[str, dict[str, _QueryCounts]] = {}
    for done, labeler in enumerate(labelers, start=1):
        labels = scores.filter(pl.col("labeler") == labeler)
        labels = labels.select(*_PAIR, "score", labeler_grade="grade")
        counts[labeler] = _by_query(judged.join(labels, on=_PAIR), n_grades)
        progress("measuring labelers", done, len(labelers))
    slices, rows = _slices(judged, queries), list[tuple[Any, ...]]()
    weight_of = query_weights(queries)
    for done, (name, query_ids) in enumerate(slices.items(), start=1):
        is_all = name == "all"
        shown = {
            labeler: counts[labeler]
            for labeler in counts
            if is_all or labeler not in (*CASCADES, PEOPLE)
        }
        weights = np.array([weight_of[query] for query in query_ids])
        rows += _slice_rows(name, query_ids, shown, weights, n_resamples, seed)
        progress("drawing resamples, slices of the queries", done, len(slices))
    table = pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row")
    return Measurement(table, judged.height, n_left_out)


def graded_by_all(scores: pl.DataFrame) -> pl.DataFrame:
    """The pairs (query_id, doc_id) that every labeler of `scores` graded.

    >>> scores = {"labeler": ["bm25", "student", "bm25"], "query_id": ["q"] * 3, "doc_id": ["d1", "d1", "d2"]}
    >>> graded_by_all(pl.DataFrame(scores)).rows()
    [('q', 'd1')]
    """
    n_labelers = scores["labeler"].n_unique()
    return scores.group_by(_PAIR).len().filter(pl.col("len") == n_labelers).select(_PAIR)


def median_grades(reference: pl.DataFrame) -> pl.DataFrame:
    """One grade a pair: query_id, doc_id and the median grade of its assessors, rounded down.

    Down, because a document that is not clearly better should not count as better.

    >>> reference = pl.DataFrame({"query_id": ["q"] * 2, "doc_id": ["d"] * 2, "grade": [2, 3]})
    >>> median_grades(reference).rows()
    [('q', 'd', 2)]
    """
    return reference.group_by(_PAIR).agg(pl.col("grade").median().floor().cast(pl.Int64))


def _slices(judged: pl.DataFrame, queries: pl.DataFrame) -> dict[str, list[str]]:
    """The query ids of each slice: of all queries, of each intent, and of each stratum of a log."""
    query_ids = judged["query_id"].unique(maintain_order=True).to_list()
    slices = {"all": query_ids}
    for column in ("intent", "stratum"):
        if column not in queries.columns:
            continue
        value_of = dict(queries.select("query_id", column).iter_rows())
        for value in sorted({value for query in query_ids if (value := value_of.get(query))}):
            slices[f"{column}={value}"] = [
                query for query in query_ids if value_of.get(query) == value
            ]
    return slices


def _by_query(pairs: pl.DataFrame, n_grades: int) -> dict[str, _QueryCounts]:
    """The counts of each query, from one labeler's pairs."""
    ndcg = ndcg_by_query(pairs)
    counts = {}
    for (query,), group in pairs.group_by("query_id", maintain_order=True):
        grades = group["grade"].to_numpy().astype(int)
        labeler_grades = group["labeler_grade"].to_numpy().astype(int)
        confusion = np.zeros((n_grades, n_grades), dtype=np.int64)
        np.add.at(confusion, (grades, labeler_grades), 1)
        ordered = pairwise_counts(grades, group["score"].to_numpy())
        counts[str(query)] = _QueryCounts(ndcg.get(str(query), float("nan")), ordered, confusion)
    return counts


def _slice_rows(
    name: str,
    query_ids: Sequence[str],
    counts: Mapping[str, Mapping[str, _QueryCounts]],
    weights_of_queries: NDArray,  # (Q,)
    n_resamples: int,
    seed: int,
) -> Iterator[tuple[Any, ...]]:
    """A row of ROW_SCHEMA for each labeler and metric of one slice."""
    # The same for every labeler: paired.
    weights = resamples(len(query_ids), n_resamples, seed) * weights_of_queries
    values = {
        labeler: _weighted_metrics(weights, [by_query[query] for query in query_ids])
        for labeler, by_query in counts.items()
    }
    for labeler, difference in DIFFERENCES.items():
        if {labeler, "teacher"} <= set(values):
            compared, teacher = values[labeler], values["teacher"]
            values[difference] = {metric: compared[metric] - teacher[metric] for metric in METRICS}
    if {PEOPLE, "student"} <= set(values):
        after, before = values[PEOPLE], values["student"]
        values[PEOPLE_DIFFERENCE] = {metric: after[metric] - before[metric] for metric in METRICS}
    sizes = _sizes(query_ids, next(iter(counts.values())))
    for labeler, by_metric in values.items():
        for metric in METRICS:
            value, low, high = interval(by_metric[metric])
            n_queries, n_pairs = sizes[metric]
            yield labeler, metric, name, value, low, high, n_queries, n_pairs


def _sizes(
    query_ids: Sequence[str], by_query: Mapping[str, _QueryCounts]
) -> dict[str, tuple[int, int]]:
    """The number of queries that count in each metric, and of their pairs.

    Both depend on the reference grades alone, so they are the same for every labeler.
    """
    counted = {metric: list(query_ids) for metric in METRICS}
    counted["ndcg@10"] = [query for query in query_ids if not np.isnan(by_query[query].ndcg)]
    for metric in PAIRWISE:
        counted[metric] = [query for query in query_ids if by_query[query].pairwise[2]]
    return {
        metric: (len(queries), sum(int(by_query[query].confusion.sum()) for query in queries))
        for metric, queries in counted.items()
    }


def _weighted_metrics(weights: NDArray, queries: Sequence[_QueryCounts]) -> dict[str, NDArray]:
    """Each metric of every resample, (1 + R,); NaN where it is undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ndcg = np.array([query.ndcg for query in queries])
        has_ndcg = ~np.isnan(ndcg)
        pairwise = np.array([query.pairwise for query in queries])
        right, tied, pairs = (weights @ pairwise).T.astype(float)
        confusions = np.stack([query.confusion for query in queries])
        confusion = np.tensordot(weights, confusions, axes=1).astype(float)  # (1 + R, n, n)
        return {
            "ndcg@10": (weights @ np.nan_to_num(ndcg)) / (weights @ has_ndcg),
            "pairwise_strict": right / pairs,
            "pairwise_half": (right + tied / 2) / pairs,
            "pairwise_untied": right / (pairs - tied),
            "kappa": kappas(confusion, power=0),
            "kappa_quadratic": kappas(confusion, power=2),
            "mean_grade": _mean_grades(confusion),
        }


def _mean_grades(confusion: NDArray) -> NDArray:
    """The labeler's mean grade in each (n, n) table in (R, n, n)."""
    labeler_counts = confusion.sum(axis=1)  # (R, n)
    return labeler_counts @ np.arange(confusion.shape[1]) / labeler_counts.sum(axis=1)


def kappas(confusion: NDArray, power: int) -> NDArray:
    """Cohen's kappa of each (n, n) table in (R, n, n).

    `power` 0: every wrong grade costs the same. `power` 2: quadratic weights. NaN where it is undefined.

    >>> kappas(np.array([[[2.0, 0.0], [1.0, 1.0]]]), power=0).tolist()
    [0.5]
    """
    grades = np.arange(confusion.shape[1])
    gap = np.abs(grades[:, None] - grades[None, :])
    cost = (gap != 0).astype(float) if power == 0 else gap.astype(float) ** power
    total = confusion.sum(axis=(1, 2))
    reference_counts, labeler_counts = confusion.sum(axis=2), confusion.sum(axis=1)
    chance = reference_counts[:, :, None] * labeler_counts[:, None, :] / total[:, None, None]
    return 1 - (confusion * cost).sum(axis=(1, 2)) / (chance * cost).sum(axis=(1, 2))
