"""Which pairs a cascade asks about: in one round or in several, and the same share of each query or not.

    python -m relabel_assets_tests.benchmarks.cascade_rounds [CORPUS_FOLDER]... [--shares 0.1 0.2]

Folds and figures are those of benchmarks/cascade.py: train queries alone, against the teacher's grades. The
rival of every line is what the project does: one round, and the same share of each query. The difference to
it has a 95 % interval from a paired bootstrap over queries.

- N rounds: after each, the grades that are known decide what weighs most in the next.
- chance of the top 10: a pair weighs by its expected change of DCG@10, over draws of all grades of the
  query from what is known, in place of exp(0.7 expected grade).
- by need: a part of the budget is spent alike; the rest goes wherever the next grade takes away the most
  variance a pair, weighted as within a query.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.student.cascade.asking import choose_pairs, pairs_to_ask
from relabel_assets.student.cascade.residual_process import QueryPairs, ResidualProcess
from relabel_assets_tests.benchmarks.cascade import (
    FOLDS,
    METRICS,
    SEED,
    Data,
    Student,
    fold_process,
    labels_of,
    read,
    student_of,
)

DRAWS = 64  # of the grades of a query
TOP_WEIGHT = 0.7  # as in student/cascade/asking.py
MOST_BY_NEED = 3  # times the mean: what a query may get

# Gets process, pairs, their grades and how many are asked about; gives the rows that are.
Choose = Callable[[ResidualProcess, QueryPairs, np.ndarray, int], list[int]]


@dataclass(frozen=True)
class Query:
    """The pairs of a query with the teacher's grades, and the process of the other folds."""

    rows: np.ndarray
    pairs: QueryPairs
    grades: np.ndarray
    process: ResidualProcess


def in_rounds(
    n_rounds: int, process: ResidualProcess, pairs: QueryPairs, grades: np.ndarray, count: int
) -> list[int]:
    known: list[int] = []
    for number in range(1, n_rounds + 1):
        n_more = -(-count * number // n_rounds) - len(known)
        known += choose_pairs(process, pairs, n_more, known, grades[known])
    return known


def by_top_chance(
    n_rounds: int, process: ResidualProcess, pairs: QueryPairs, grades: np.ndarray, count: int
) -> list[int]:
    known: list[int] = []
    draw = np.random.default_rng(SEED)
    for number in range(1, n_rounds + 1):
        n_more = -(-count * number // n_rounds) - len(known)
        mean = process.posterior(pairs, known, grades[known]).mean
        covariance = process.covariance(pairs, known) + 1e-6 * np.eye(len(pairs))
        factor = np.linalg.cholesky(covariance)
        drawn = mean[:, None] + factor @ draw.normal(size=(len(pairs), DRAWS))
        rank = np.argsort(np.argsort(-drawn, axis=0), axis=0)
        discount = np.where(rank < 10, 1 / np.log2(rank + 2), 0)
        weight = (discount * 2 ** np.clip(drawn, 0, 3)).mean(axis=1)
        known += _greedy(process, pairs, weight / weight.max(), n_more, known)[0]
    return known


def _greedy(
    process: ResidualProcess, pairs: QueryPairs, weight: np.ndarray, n: int, known: list[int]
) -> tuple[list[int], list[float]]:
    """As choose_pairs, with any weight (n,), and the gain of each choice."""
    covariance, noise = process.covariance(pairs, known), process.noise_variance(pairs)
    chosen, gains = list[int](), list[float]()
    for _ in range(min(n, len(pairs) - len(known))):
        total = np.diagonal(covariance) + noise
        gain = weight @ covariance**2 / total
        gain[known + chosen] = -1.0
        row = int(np.argmax(gain))
        chosen.append(row)
        gains.append(float(gain[row]))
        column = covariance[:, row]
        covariance = covariance - np.outer(column, column) / total[row]
    return chosen, gains


def alike(queries: list[Query], share: float) -> np.ndarray:
    return pairs_to_ask([len(query.pairs) for query in queries], share, SEED)


def by_need(alike_part: float, queries: list[Query], share: float) -> np.ndarray:
    total, counts = int(alike(queries, share).sum()), alike(queries, share * alike_part)
    offers = []
    for number, query in enumerate(queries):
        weight = np.exp(TOP_WEIGHT * (query.pairs.expected - query.pairs.expected.max()))
        most = int(np.ceil(MOST_BY_NEED * share * len(query.pairs)))
        _, gains = _greedy(query.process, query.pairs, weight / weight.sum(), most, [])
        offers += [(-gain, number) for gain in gains[counts[number] :]]
    for _, number in sorted(offers)[: total - int(counts.sum())]:
        counts[number] += 1
    return counts


Counts = Callable[[list[Query], float], np.ndarray]
VARIANTS: dict[str, tuple[Choose, Counts]] = {
    "one round": (partial(in_rounds, 1), alike),
    "2 rounds": (partial(in_rounds, 2), alike),
    "3 rounds": (partial(in_rounds, 3), alike),
    "5 rounds": (partial(in_rounds, 5), alike),
    "chance of the top 10": (partial(by_top_chance, 1), alike),
    "the same, 3 rounds": (partial(by_top_chance, 3), alike),
    "half by need": (partial(in_rounds, 1), partial(by_need, 0.5)),
    "a quarter by need": (partial(in_rounds, 1), partial(by_need, 0.75)),
}


def labels(data: Data, queries: list[Query], share: float, variant: str) -> pl.DataFrame:
    choose, count = VARIANTS[variant]
    expected, is_known = np.empty(len(data.grades)), np.zeros(len(data.grades), dtype=bool)
    for query, n in zip(queries, count(queries, share), strict=True):
        known = choose(query.process, query.pairs, query.grades, int(n))
        posterior = query.process.posterior(query.pairs, known, query.grades[known])
        expected[query.rows], is_known[query.rows[known]] = posterior.mean, True
    return labels_of(data, expected, is_known)


def queries_of(data: Data, student: Student) -> list[Query]:
    processes = [fold_process(data, student, fold) for fold in range(FOLDS)]
    return [
        Query(rows, pairs, data.grades[rows], processes[int(data.fold[rows[0]])])
        for rows, pairs in zip(data.rows, student.queries, strict=True)
    ]


def print_variants(data: Data, queries: list[Query], share: float) -> None:
    reference = data.pairs.select(
        "query_id", "doc_id", pl.lit("teacher").alias("assessor"), "grade"
    )
    intents = data.pairs.select("query_id", pl.lit("any").alias("intent")).unique()
    rival = labels(data, queries, share, "one round").with_columns(labeler=pl.lit("teacher"))
    for variant in VARIANTS:
        own = labels(data, queries, share, variant).with_columns(labeler=pl.lit("student"))
        # `measure` compares a student with a teacher.
        rows = measure(pl.concat([own, rival]), reference, intents).rows.filter(slice="all")
        cells = [_cell(rows, metric) for metric in METRICS]
        print(f"{share:4.0%}  {variant:20}", *cells, flush=True)


def _cell(rows: pl.DataFrame, metric: str) -> str:
    value = rows.filter(metric=metric, labeler="student")["value"][0]
    less = rows.filter(metric=metric, labeler="student-teacher").row(0, named=True)
    interval = f"[{less['ci_low']:+.3f},{less['ci_high']:+.3f}]"
    return f"{value:.3f} {less['value']:+.3f} {interval}".rjust(30)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.05, 0.1, 0.2])
    arguments = parser.parse_args()
    demo = sorted(path.parent for path in Path("data").glob("*/corpus.yaml"))
    for folder in arguments.folders or demo:
        data = read(folder)
        print(f"{folder.name}: {len(data.rows)} queries, {len(data.grades):,} pairs", flush=True)
        queries = queries_of(data, student_of(data))
        for share in arguments.shares:
            print_variants(data, queries, share)


if __name__ == "__main__":
    main()
