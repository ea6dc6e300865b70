"""How often the intervals of people's samples cover the truth, and how wide they are.

    python relabel_assets_tests/benchmarks/ppi_coverage.py CORPUS... [--draws 1000] [--ndcg-draws 300]

Needs corpora with reference labels and a student's labels (`relabel run`); reads RELABEL_HOME and
RELABEL_DATA. The reference pairs of a corpus' benchmark queries are taken as the whole pool, and their
reference grades as what people would say. So the truth is known. Samples of 50, 100, 200 and 500 pairs are
drawn as `relabel review sample` draws them: its strata, its allocation, other random numbers each time.

Printed for each size, labeler and metric: the share of samples from which it can be told, how many of
these intervals hold the truth (95 % is promised), and their mean width. Beside it that of people alone in
the same sample (the named rival), and in a simple random sample, which knows no student. NDCG of single
pairs has no estimate by people alone. `--by query` draws whole queries instead.
`--new-queries` draws the pool's queries too, with replacement, and asks for the truth of all of them.
`--weights 0.5` gives queries the weights exp(0.5 z), z normal; the effective number of queries is printed.
"""

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.benchmark.pool.contributions import Ratio, linear_metrics
from relabel_assets.benchmark.pool.graded_sample import Floats, GradedSample, Ints
from relabel_assets.benchmark.pool.ndcg_model import TOP, NdcgModel, discounts, ranks
from relabel_assets.benchmark.pool.prediction_powered import estimate
from relabel_assets.review.draws.query_sampling import draw_queries
from relabel_assets.review.draws.sampling import draw_pairs
from relabel_assets.review.draws.strata import pool_of
from relabel_assets.review.samples import FRAME
from relabel_assets.running import runner
from relabel_assets.warehouse.warehouse import Warehouse

SIZES, SEED = (50, 100, 200, 500), 13
_PAIR = ["query_id", "doc_id"]
Key = tuple[str, str]  # labeler and metric


@dataclass(frozen=True)
class Truth:
    """A pool whose grades are all known. Arrays have its N rows, sorted by query."""

    pairs: pl.DataFrame
    query: Ints
    grade: Ints
    probs: Floats
    labels: Mapping[str, Ints]
    ranks: Mapping[str, Ints]
    weight: Floats  # (Q,)

    @property
    def n_queries(self) -> int:
        return int(self.query[-1]) + 1

    def model(self) -> NdcgModel:
        return NdcgModel(
            self.probs, self.query, discounts(np.stack([*self.ranks.values()], axis=1))
        )

    def linear(self, sample: GradedSample) -> dict[Key, list[Ratio]]:
        """The terms of each metric that is linear in people's grades, and of differences."""
        tops = {name: rank <= TOP for name, rank in self.ranks.items()}
        metrics = linear_metrics(
            self.probs, self.query, self.labels, tops, sample, weight=self.weight
        )
        return with_difference({key: [ratio] for key, ratio in metrics.items()})

    def ndcg(self, model: NdcgModel, sample: GradedSample) -> dict[Key, list[Ratio]]:
        ratios = [ratio.weighted(self.weight, sample.query) for ratio in model.ratios(sample)]
        named = zip(self.ranks, ratios, strict=True)
        return with_difference({(name, "ndcg@10"): [ratio] for name, ratio in named})

    def sampled(self, position: Ints, group: Ints, sizes: Floats, by_query: bool) -> GradedSample:
        at = np.sort(position)
        return GradedSample(
            at, self.grade[at], self.query[at], group[at], sizes, self.n_queries, by_query
        )


def with_difference(terms: dict[Key, list[Ratio]]) -> dict[Key, list[Ratio]]:
    differences = {
        (DIFFERENCE, metric): [*terms["student", metric], terms["teacher", metric][0].negated()]
        for labeler, metric in terms
        if labeler == "student"
    }
    return terms | differences


def truth_of(warehouse: Warehouse, corpus: str, spread: float) -> Truth:
    queries = warehouse.read("synthetic_queries", corpus).filter(pl.col("split") == "benchmark")
    reference = median_grades(warehouse.read("reference_labels", corpus))
    student, teacher, candidates = (
        warehouse.read(name, corpus)
        for name in ("student_labels", "teacher_labels", "bm25_candidates")
    )
    graded = teacher.drop_nulls("grade")
    pairs = (
        reference.join(queries, on="query_id", how="semi")
        .join(student.select(*_PAIR, "expected_grade", "grade_probs", student="grade"), on=_PAIR)
        .join(graded.select(*_PAIR, teacher="grade"), on=_PAIR)
        .join(candidates.select(*_PAIR, "bm25_score"), on=_PAIR)
        .sort(_PAIR)
    )
    query = pairs["query_id"].rank("dense").to_numpy().astype(np.int64) - 1
    scores = {"student": "expected_grade", "teacher": "teacher", "bm25": "bm25_score"}
    return Truth(
        pairs=pairs,
        query=query,
        grade=pairs["grade"].to_numpy().astype(np.int64),
        probs=np.array(pairs["grade_probs"].to_list()),
        labels={name: pairs[name].to_numpy().astype(np.int64) for name in ("student", "teacher")},
        ranks={name: ranks(query, pairs[column].to_numpy()) for name, column in scores.items()},
        weight=np.exp(spread * np.random.default_rng(SEED).normal(size=int(query[-1]) + 1)),
    )


def design(truth: Truth, n: int, by: str) -> pl.DataFrame:
    """The frame of a draw of n pairs, in the order of the pool."""
    pairs = truth.pairs
    student = pairs.select(*_PAIR, "expected_grade", "grade_probs", grade="student")
    pool = pool_of(pairs.select(_PAIR), student, pairs.select(*_PAIR, grade="teacher"))
    draw = draw_pairs if by == "pair" else draw_queries
    frame = draw(pl.DataFrame(schema=FRAME), pool, n=n, drawn_at="2026-05-04T10:00:00Z")
    return pairs.select(_PAIR).join(frame, on=_PAIR, how="left", maintain_order="left")


def samples(truth: Truth, n: int, by: str, seed: int) -> Iterator[GradedSample]:
    """Draw after draw of the same design, with other random numbers."""
    random, frame = np.random.default_rng([seed, n]), design(truth, n, by)
    keys = ["stratum"] if by == "pair" else ["query_id", "stratum"]
    group = frame.select(pl.struct(keys).rank("dense")).to_series().to_numpy().astype(np.int64) - 1
    sizes = np.bincount(group).astype(float)
    chance = (frame["inclusion_prob"] / frame["query_prob"]).to_numpy()
    drawn = np.rint(np.bincount(group, chance)).astype(int)  # of each group, if its query is
    n_queries = round(truth.n_queries * float(frame["query_prob"].to_numpy().mean()))
    while True:
        position = smallest(random.random(len(group)), group, drawn)
        if by == "query":
            chosen = random.permutation(truth.n_queries)[:n_queries]
            position = position[np.isin(truth.query[position], chosen)]
        yield truth.sampled(position, group, sizes, by == "query")


def smallest(numbers: Floats, group: Ints, n_of_group: Ints) -> Ints:
    """The positions of the n smallest numbers of each group."""
    order = np.lexsort((numbers, group))
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    return order[place < n_of_group[group[order]]]


def simple_samples(truth: Truth, n: int, seed: int) -> Iterator[GradedSample]:
    random, size = np.random.default_rng([seed, n, 1]), len(truth.grade)
    group = np.zeros(size, dtype=np.int64)
    while True:
        drawn = random.permutation(size)[:n]
        yield truth.sampled(drawn, group, np.array([float(size)]), by_query=False)


def coverage(truth: Truth, n: int, by: str, draws: int, ndcg_draws: int, seed: int) -> list[tuple]:
    """A row for each labeler and metric: share told, cover of these, widths, bias and mean L."""
    model = truth.model()
    census = truth.sampled(
        np.arange(len(truth.grade)), truth.query, np.bincount(truth.query).astype(float), False
    )
    true_terms = truth.linear(census) | truth.ndcg(model, census)
    true = {key: estimate(terms, census).value for key, terms in true_terms.items()}
    seen: dict[Key, list[tuple[float, ...]]] = defaultdict(list)
    simple: dict[Key, list[float]] = defaultdict(list)
    drawn = zip(samples(truth, n, by, seed), simple_samples(truth, n, seed), strict=False)
    for number, (sample, srs) in enumerate(drawn):
        if number == draws:
            break
        terms = truth.linear(sample)
        if number < ndcg_draws:
            terms |= truth.ndcg(model, sample)
        for key, of_key in terms.items():
            powered, alone = estimate(of_key, sample), estimate(of_key, sample, tuning=0.0)
            low, high = powered.pool.low - 1e-9, powered.pool.high + 1e-9
            is_told = bool(np.isfinite(powered.pool.half_width))
            seen[key].append(
                (
                    is_told,
                    low <= true[key] <= high if is_told else float("nan"),
                    2 * powered.pool.half_width,
                    2 * alone.pool.half_width,
                    powered.value - true[key],
                    powered.tuning,
                    2 * powered.new_queries.half_width,
                )
            )
        if by == "pair" and number < ndcg_draws:
            for key, of_key in truth.linear(srs).items():
                simple[key].append(2 * estimate(of_key, srs, tuning=0.0).pool.half_width)
    rows = []
    for key, values in seen.items():
        means = np.nanmean(np.array(values), axis=0)
        of_simple = float(np.nanmean(simple[key])) if simple[key] else float("nan")
        rows.append((*key, true[key], len(values), *means, of_simple))
    return rows


def new_queries(truth: Truth, n: int, draws: int, seed: int) -> list[tuple]:
    """How often the slice `new queries` covers the truth of all queries, from pools of drawn queries."""
    random, census = np.random.default_rng([seed, n, 2]), np.arange(len(truth.grade))
    whole = truth.sampled(census, np.zeros_like(census), np.array([float(len(census))]), False)
    true = {key: estimate(terms, whole).value for key, terms in truth.linear(whole).items()}
    seen: dict[Key, list[tuple[float, float]]] = defaultdict(list)
    places = np.split(census, np.flatnonzero(np.diff(truth.query)) + 1)
    for number in range(draws):
        numbers = random.integers(0, truth.n_queries, truth.n_queries)
        chosen = [places[at] for at in numbers]
        rows, query = np.concatenate(chosen), np.repeat(np.arange(len(chosen)), [*map(len, chosen)])
        ids = pl.Series([f"q{at:05}" for at in query])
        pool = Truth(
            truth.pairs[rows].with_columns(query_id=ids),
            query,
            truth.grade[rows],
            truth.probs[rows],
            {name: labels[rows] for name, labels in truth.labels.items()},
            {name: rank[rows] for name, rank in truth.ranks.items()},
            truth.weight[numbers],
        )
        sample = next(samples(pool, n, "pair", seed + number))
        for key, terms in pool.linear(sample).items():
            interval = estimate(terms, sample).new_queries
            seen[key].append((interval.low <= true[key] <= interval.high, 2 * interval.half_width))
    return [
        (*key, true[key], len(values), *np.mean(values, axis=0)) for key, values in seen.items()
    ]


def main(arguments: argparse.Namespace) -> None:
    # What no sample can tell has no mean cover.
    warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
    project, warehouse = runner.from_environment()
    for corpus in arguments.corpora or project.corpora().names():
        truth = truth_of(warehouse, corpus, arguments.weights)
        effective = truth.weight.sum() ** 2 / (truth.weight**2).sum()
        print(
            f"\n{corpus}: {len(truth.grade)} pairs of {truth.n_queries} queries, by their weights "
            f"{effective:.0f}"
        )
        for n in SIZES:
            if n > 0.9 * len(truth.grade):
                continue
            started = time.monotonic()
            if arguments.new_queries:
                for labeler, metric, true, count, cover, width in new_queries(
                    truth, n, arguments.draws, arguments.seed
                ):
                    print(
                        f"  {n:3} {labeler:15} {metric:16} {true:6.3f} {count:5} {cover:6.1%} {width:.3f}"
                    )
                continue
            print(
                "  n   labeler         metric           truth  told covered  width   alone  simple    bias  L"
            )
            for row in coverage(
                truth, n, arguments.by, arguments.draws, arguments.ndcg_draws, arguments.seed
            ):
                labeler, metric, true, _, told, cover, width, alone, bias, tuning, _, simple = row
                print(
                    f"  {n:3} {labeler:15} {metric:16} {true:6.3f} {told:5.0%} {cover:7.1%} {width:6.3f} "
                    f"{alone:7.3f} {simple:7.3f} {bias:+7.3f} {tuning:.2f}"
                )
            print(f"      {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help="default: all")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--ndcg-draws", type=int, default=300)
    parser.add_argument("--by", choices=("pair", "query"), default="pair")
    parser.add_argument("--weights", type=float, default=0.0, help="spread of their logarithms")
    parser.add_argument("--new-queries", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    main(parser.parse_args())
