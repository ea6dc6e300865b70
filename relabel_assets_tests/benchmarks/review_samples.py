"""How much a stratified sample of pairs tells, beside a simple random one of the same size.

    python -m relabel_assets_tests.benchmarks.review_samples HOME CORPUS [N]

HOME is a RELABEL_HOME with a finished run of CORPUS, whose benchmark pairs have reference grades of people.
Of 2,000 samples of N pairs (200), the root mean squared error of three figures of the whole pool: people's
mean grade, the share of relevant documents in the student's top 10, and student minus people. Each error is
printed with its ratio to that of simple random sampling, the rival: below 1 is better. 2,000 samples tell a
ratio within about 0.04 (two standard errors). Last comes the bias of a sample of the most doubtful pairs,
which has no chances.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.review.draws.allocation import allocate
from relabel_assets.review.draws.strata import pool_of, strata_of
from relabel_assets.warehouse.warehouse import Warehouse

N_SAMPLES = 2000
PAIR = ["query_id", "doc_id"]
FIGURES = ("mean grade", "precision@10", "student - people")


def graded_pool(home: Path, corpus: str) -> pl.DataFrame:
    """pool_of the benchmark pairs that people graded, with `people` and `student`, their grades."""
    warehouse = Warehouse.at(home / "warehouse.duckdb")
    tables = ("synthetic_queries", "bm25_candidates", "student_labels", "teacher_labels")
    queries, candidates, student, teacher = (warehouse.read(name, corpus) for name in tables)
    people = median_grades(warehouse.read("reference_labels", corpus)).rename({"grade": "people"})
    benchmark = queries.filter(pl.col("split") == "benchmark")
    candidates = candidates.join(benchmark, on="query_id", how="semi").join(
        people, on=PAIR, how="semi"
    )
    pool = pool_of(candidates, student, teacher).join(people, on=PAIR, how="left")
    return pool.join(student.select(*PAIR, student="grade"), on=PAIR, how="left")


def figures(pool: pl.DataFrame) -> NDArray:
    """What each pair adds to each figure of FIGURES, (pairs, 3): the figure is the sum."""
    people, student = pool["people"].to_numpy(), pool["student"].to_numpy()
    is_top = pool["is_top"].to_numpy()
    relevant = is_top * (people >= 2) / is_top.sum()
    return np.stack([people / len(pool), relevant, (student - people) / len(pool)], axis=1)


def stratified(values: NDArray, strata: NDArray, given: list[int], seed: int) -> NDArray:
    """Estimates of the sums of `values` (pairs, 3) from N_SAMPLES stratified samples, (N_SAMPLES, 3)."""
    rng, totals = np.random.default_rng(seed), np.zeros((N_SAMPLES, values.shape[1]))
    for stratum, count in enumerate(given):
        inside = values[strata == stratum]
        for sample in range(N_SAMPLES):
            drawn = rng.choice(len(inside), count, replace=False)
            totals[sample] += inside[drawn].mean(axis=0) * len(inside)
    return totals


def designs(pool: pl.DataFrame, n: int) -> dict[str, tuple[NDArray, list[int]]]:
    """The strata of each pair and the pairs of each stratum, by the name of the design."""
    names = strata_of(pool, n)
    numbered = names.cast(pl.Categorical).to_physical().to_numpy()
    _, strata = np.unique(numbered, return_inverse=True)
    sizes = np.bincount(strata).tolist()
    need, spread = pool["need"].to_numpy(), pool["need"].to_numpy() / np.where(pool["is_top"], 2, 1)

    def given(weight: NDArray) -> list[int]:
        roots = [float(np.sqrt((weight[strata == k] ** 2).mean())) for k in range(len(sizes))]
        return allocate(sizes, roots, [2] * len(sizes), n)

    return {
        "simple random": (np.zeros(len(pool), dtype=int), [n]),
        "strata, in proportion to size": (strata, given(np.ones(len(pool)))),
        "strata, Neyman, top 10 once": (strata, given(spread)),
        "strata, Neyman, top 10 twice": (strata, given(need)),
    }


def main(home: Path, corpus: str, n: int) -> None:
    pool = graded_pool(home, corpus)
    values = figures(pool)
    truth = values.sum(axis=0)
    print(f"{corpus}: {len(pool):,} pairs of {pool['query_id'].n_unique()} queries, samples of {n}")
    print(f"{'design':32}" + "".join(f"{name:>24}" for name in FIGURES))
    rival = None
    for name, (strata, given) in designs(pool, n).items():
        estimates = stratified(values, strata, given, seed=13)
        error = np.sqrt(((estimates - truth) ** 2).mean(axis=0))
        rival = error if rival is None else rival
        cells = [f"{e:.4f} ({e / r:.2f})" for e, r in zip(error, rival, strict=True)]
        print(f"{name:32}" + "".join(f"{cell:>24}" for cell in cells))
    doubtful = pool.sort("need", *PAIR, descending=[True, False, False]).head(n)
    of_top = doubtful.filter("is_top")
    naive = [
        doubtful["people"].mean(),
        (of_top["people"] >= 2).mean(),
        (doubtful["student"] - doubtful["people"]).mean(),
    ]
    bias = np.array(naive, dtype=float) - truth
    print(f"{'the most doubtful: bias':32}" + "".join(f"{cell:>+24.4f}" for cell in bias))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", type=Path)
    parser.add_argument("corpus")
    parser.add_argument("n", nargs="?", type=int, default=200)
    arguments = parser.parse_args()
    main(arguments.home, arguments.corpus, arguments.n)
