"""How many queries a benchmark needs, before its interval says what it claims.

    python relabel_assets_tests/benchmarks/gate_size.py [CORPUS]...

Needs corpora with reference labels that were taken to their benchmark (`relabel run`); reads
RELABEL_HOME and RELABEL_DATA. The benchmark queries of a corpus are taken as all there are, so that
the true difference of student and teacher is known. Then a benchmark of fewer queries is drawn 2,000
times, and its 95 % interval computed as the gate does. Printed for each number of queries: the mean
width of the interval, and how often it begins above the truth, which a gate at that margin would
pass by mistake. 2.5 % is what a 95 % interval promises.
"""

import argparse

import numpy as np
import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.metrics import ndcg_by_query, pairwise_counts
from relabel_assets.benchmark.resampling import resamples
from relabel_assets.running import runner
from relabel_assets.warehouse.warehouse import Warehouse

SIZES = (2, 3, 5, 10, 20, 30, 40, 50)
N_DRAWS, N_RESAMPLES, SEED = 2_000, 1_000, 13
_PAIR = ["query_id", "doc_id"]


def sums_by_query(warehouse: Warehouse, corpus: str) -> dict[str, np.ndarray]:
    """Student minus teacher of each query as (numerator, denominator), (Q, 2), by metric.

    Only queries whose documents differ in reference grade.
    """
    reference = median_grades(warehouse.read("reference_labels", corpus))
    labels = {
        labeler: warehouse.read(f"{labeler}_labels", corpus)
        .filter(pl.col("grade").is_not_null())
        .select(*_PAIR, score=pl.coalesce("expected_grade", pl.col("grade").cast(pl.Float64)))
        for labeler in ("student", "teacher")
    }
    both = labels["student"].join(labels["teacher"], on=_PAIR, suffix="_of_teacher")
    pairs = reference.join(both, on=_PAIR).filter(pl.col("grade").n_unique().over("query_id") > 1)
    of_teacher = pairs.with_columns(score="score_of_teacher")
    student, teacher = ndcg_by_query(pairs), ndcg_by_query(of_teacher)
    ndcg = [(student[query] - teacher[query], 1.0) for query in sorted(student)]
    ordered = [
        (right + tied / 2 - (right_of_teacher + tied_of_teacher / 2), float(n_pairs))
        for _, group in pairs.group_by("query_id", maintain_order=True)
        for right, tied, n_pairs in [counts(group, "score")]
        for right_of_teacher, tied_of_teacher, _ in [counts(group, "score_of_teacher")]
    ]
    return {"ndcg@10": np.array(ndcg), "pairwise_half": np.array(ordered)}


def counts(group: pl.DataFrame, score: str) -> tuple[int, int, int]:
    return pairwise_counts(group["grade"].to_numpy().astype(int), group[score].to_numpy())


def intervals(sums: np.ndarray, n_queries: int) -> np.ndarray:
    """The 95 % interval of each drawn benchmark, (N_DRAWS, 2)."""
    draw = np.random.default_rng([SEED, n_queries])
    weights = resamples(n_queries, N_RESAMPLES, SEED)[1:]  # (R, n_queries)
    ends = []
    for _ in range(N_DRAWS):
        chosen = sums[draw.integers(0, len(sums), n_queries)]
        numerator, denominator = (weights @ chosen).T
        ends.append(np.percentile(numerator / denominator, (2.5, 97.5)))
    return np.array(ends)


def main(corpora: list[str]) -> None:
    project, warehouse = runner.from_environment()
    for corpus in corpora or project.corpora().names():
        for metric, sums in sums_by_query(warehouse, corpus).items():
            truth = sums[:, 0].sum() / sums[:, 1].sum()
            print(f"\n{corpus}, {metric}: {len(sums)} queries, difference {truth:+.3f}")
            for n_queries in SIZES:
                low, high = intervals(sums, n_queries).T
                print(
                    f"  {n_queries:3} queries: width {(high - low).mean():.3f}, above the truth "
                    f"{(low > truth).mean():.1%}, below it {(high < truth).mean():.1%}",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help="default: all")
    main(parser.parse_args().corpora)
