"""The benchmark: labelers beside the reference labels, with intervals and the student's difference from its teacher.

What belongs here: which pairs count, slices, the bootstrap and the gate. What does not: one figure's formula
(metrics.py) and showing it (report.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.metrics import PAIRWISE, ndcg_by_query, pairwise_counts

METRICS = ("ndcg@10", *PAIRWISE, "kappa", "kappa_quadratic")
DIFFERENCE = "student-teacher"
_SCHEMA = {
    "labeler": pl.String, "metric": pl.String, "slice": pl.String, "value": pl.Float64, "ci_low": pl.Float64,
    "ci_high": pl.Float64, "n_queries": pl.Int64, "n_pairs": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """`rows` as benchmark_report has them, without corpus and reference_kind; how many reference pairs counted or not."""

    rows: pl.DataFrame
    n_pairs: int
    n_left_out: int


@dataclass(frozen=True)
class Verdict:
    """Non-inferiority in one metric: passed, failed or inconclusive, and a sentence that says it."""

    metric: str
    margin: float
    value: float
    ci_low: float
    verdict: str
    sentence: str


@dataclass(frozen=True)
class _QueryFigures:
    """What one labeler's metrics need of one query, so that any resample of queries is a weighted sum."""

    ndcg: float  # NaN where the query does not count
    pairwise: tuple[int, int, int]
    confusion: NDArray[np.int64]  # (n, n), reference grades in rows


def measure(
    scores: pl.DataFrame, reference: pl.DataFrame, queries: pl.DataFrame, *, n_resamples: int = 2000, seed: int = 13
) -> Measurement:
    """Every metric of every labeler, over all queries and by intent, with 95 % intervals.

    `scores` has labeler, query_id, doc_id, score (what it ranks by) and grade; `reference` query_id, doc_id, assessor
    and grade (of several assessors median_grades); `queries` query_id and intent. All labelers are
    measured on the same pairs: those of the reference that every one of them graded. Intervals are percentiles of a
    paired bootstrap over queries (Sakai 2006): each resample takes the same queries for every labeler.
    """
    labelers = sorted(scores["labeler"].unique())
    truth = median_grades(reference)
    shared = scores.group_by("query_id", "doc_id").len().filter(pl.col("len") == len(labelers)).drop("len")
    judged = truth.join(shared, on=["query_id", "doc_id"], how="inner").sort("query_id", "doc_id")
    n_left_out = truth.height - judged.height
    if judged.is_empty():
        return Measurement(pl.DataFrame(schema=_SCHEMA), 0, n_left_out)
    n_grades = 1 + int(max(judged["grade"].max() or 0, scores["grade"].max() or 0))  # type: ignore[arg-type]
    figures: dict[str, dict[str, _QueryFigures]] = {}
    for labeler in labelers:
        mine = scores.filter(pl.col("labeler") == labeler).select("query_id", "doc_id", "score", given="grade")
        figures[labeler] = _by_query(judged.join(mine, on=["query_id", "doc_id"]), n_grades)
    intents = dict(queries.select("query_id", "intent").iter_rows())
    query_ids = judged["query_id"].unique(maintain_order=True).to_list()
    slices = {"all": query_ids}
    for intent in sorted({intent for query in query_ids if (intent := intents.get(query))}):
        slices[f"intent={intent}"] = [query for query in query_ids if intents.get(query) == intent]
    rows = [row for name, members in slices.items() for row in _slice_rows(name, members, figures, n_resamples, seed)]
    return Measurement(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), judged.height, n_left_out)


def median_grades(reference: pl.DataFrame) -> pl.DataFrame:
    """query_id, doc_id and grade: several assessors count as their median, rounded down."""
    return reference.group_by("query_id", "doc_id").agg(pl.col("grade").median().floor().cast(pl.Int64))


def resamples(n_queries: int, n_resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each query counts in each resample of a bootstrap, (1 + R, Q); the first row is the data itself."""
    draws = np.random.default_rng(seed).multinomial(n_queries, np.full(n_queries, 1 / n_queries), size=n_resamples)
    return np.vstack([np.ones(n_queries, dtype=np.int64), draws])


def gate(rows: pl.DataFrame, *, ndcg_margin: float, pairwise_margin: float) -> list[Verdict]:
    """Whether the student is at most a margin below its teacher, from the interval of the difference over all queries."""
    verdicts = []
    for metric, margin in (("ndcg@10", ndcg_margin), ("pairwise_half", pairwise_margin)):
        found = rows.filter(
            (pl.col("labeler") == DIFFERENCE) & (pl.col("metric") == metric) & (pl.col("slice") == "all")
        )
        for row in found.drop_nulls(["value", "ci_low", "ci_high"]).iter_rows(named=True):
            value, low, high = row["value"], row["ci_low"], row["ci_high"]
            verdict = "passed" if low > -margin else "failed" if high < -margin else "inconclusive"
            sentence = (
                f"{metric}: student minus teacher is {value:+.3f} [{low:+.3f}, {high:+.3f}] on {row['n_queries']} queries; "
                f"non-inferiority within {margin}: {verdict}."
            )
            verdicts.append(Verdict(metric, margin, value, low, verdict, sentence))
    return verdicts


def _by_query(pairs: pl.DataFrame, n_grades: int) -> dict[str, _QueryFigures]:
    ndcg = ndcg_by_query(pairs)
    figures = {}
    for (query,), group in pairs.group_by("query_id", maintain_order=True):
        grades, given = group["grade"].to_numpy().astype(int), group["given"].to_numpy().astype(int)
        confusion = np.zeros((n_grades, n_grades), dtype=np.int64)
        np.add.at(confusion, (grades, given), 1)
        counts = pairwise_counts(grades, group["score"].to_numpy())
        figures[str(query)] = _QueryFigures(ndcg.get(str(query), float("nan")), counts, confusion)
    return figures


def _slice_rows(
    name: str, members: Sequence[str], figures: Mapping[str, Mapping[str, _QueryFigures]], n_resamples: int, seed: int
) -> Iterator[tuple[Any, ...]]:
    weights = resamples(len(members), n_resamples, seed)
    values = {labeler: _weighted(weights, [mine[query] for query in members]) for labeler, mine in figures.items()}
    if {"student", "teacher"} <= set(values):
        values[DIFFERENCE] = {metric: values["student"][metric] - values["teacher"][metric] for metric in METRICS}
    some = next(iter(figures.values()))
    n_pairs = {query: int(some[query].confusion.sum()) for query in members}
    counting = {
        "ndcg@10": [query for query in members if not np.isnan(some[query].ndcg)],
        **{metric: [query for query in members if some[query].pairwise[2]] for metric in PAIRWISE},
        "kappa": list(members),
        "kappa_quadratic": list(members),
    }
    for labeler, by_metric in values.items():
        for metric in METRICS:
            value, resampled = by_metric[metric][0], by_metric[metric][1:]
            resampled = resampled[~np.isnan(resampled)]
            is_defined = not np.isnan(value) and len(resampled) > 0
            low, high = np.percentile(resampled, [2.5, 97.5]) if is_defined else (None, None)
            used = counting[metric]
            pairs = sum(n_pairs[query] for query in used)
            yield labeler, metric, name, value if is_defined else None, low, high, len(used), pairs


def _weighted(weights: NDArray, figures: Sequence[_QueryFigures]) -> dict[str, NDArray]:
    """Each metric of every resample, (1 + R,); NaN where it is undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ndcg = np.array([figure.ndcg for figure in figures])
        counts = ~np.isnan(ndcg)
        found = {"ndcg@10": (weights @ np.nan_to_num(ndcg)) / (weights @ counts)}
        right, tied, pairs = (weights @ np.array([figure.pairwise for figure in figures])).T.astype(float)
        found |= {
            "pairwise_strict": right / pairs,
            "pairwise_half": (right + tied / 2) / pairs,
            "pairwise_untied": right / (pairs - tied),
        }
        confusion = np.tensordot(weights, np.stack([figure.confusion for figure in figures]), axes=1).astype(float)
        found |= {"kappa": _kappas(confusion, power=0), "kappa_quadratic": _kappas(confusion, power=2)}
    return found


def _kappas(confusion: NDArray, power: int) -> NDArray:
    """Cohen's kappa of each (n, n) table in (R, n, n); power 0 counts any difference the same, 2 is quadratic."""
    grades = np.arange(confusion.shape[1])
    gap = np.abs(grades[:, None] - grades[None, :])
    cost = (gap != 0).astype(float) if power == 0 else gap.astype(float) ** power
    total = confusion.sum(axis=(1, 2))
    chance = confusion.sum(axis=2)[:, :, None] * confusion.sum(axis=1)[:, None, :] / total[:, None, None]
    return 1 - (confusion * cost).sum(axis=(1, 2)) / (chance * cost).sum(axis=(1, 2))
