"""What people's grades with known chances say about a whole pool: labelers and systems, from frames.

What belongs here: from the tables' rows to estimates with their names. What does not: the statistics
(prediction_powered.py) and the draw of the sample (review/).

Two slices. `pool`: these queries and their candidates; only the grades that people did not give are unsure.
`new queries`: the same value, for queries like these; which queries there are is unsure too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from relabel_assets.benchmark.bootstrap import ROW_SCHEMA, median_grades
from relabel_assets.benchmark.labelers import DIFFERENCE, POOL_SLICES
from relabel_assets.benchmark.pool.contributions import Ratio, linear_metrics
from relabel_assets.benchmark.pool.graded_sample import Floats, GradedSample, Ints, merged
from relabel_assets.benchmark.pool.ndcg_model import TOP, NdcgModel, discounts, ranks
from relabel_assets.benchmark.pool.prediction_powered import MIN_GRADES, Estimate, estimate
from relabel_assets.benchmark.resampling import query_weights

_PAIR = ["query_id", "doc_id"]
_LABELERS = ("teacher", "student", "bm25")  # those that grade every pair


@dataclass(frozen=True)
class Pool:
    """A pool with its sample. `pairs`: query_id and doc_id, sorted; arrays have its N rows."""

    pairs: pl.DataFrame
    query: Ints  # (N,)
    probs: Floats  # (N, K)
    sample: GradedSample
    weight: Floats  # (Q,) how much a query counts


def drawn_grades(samples: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """The rows of review_samples with people's grade of each pair, NULL where there is none yet.

    Several people count as their median (median_grades). Grades of pairs that were not drawn do not count:
    nobody knows their chance.

    >>> samples = pl.DataFrame({"query_id": ["q", "q"], "doc_id": ["d1", "d2"], "inclusion_prob": [0.5, 0.5]})
    >>> reference = pl.DataFrame({"query_id": ["q", "q"], "doc_id": ["d1", "d3"], "grade": [2, 3],
    ...                           "inclusion_prob": [0.5, None]})
    >>> drawn_grades(samples, reference)["grade"].to_list()
    [2, None]
    """
    of_people = reference.filter(pl.col("inclusion_prob").is_not_null())
    return samples.join(median_grades(of_people), on=_PAIR, how="left")


def pool_rows(
    samples: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
    student: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    n_grades: int,
) -> tuple[pl.DataFrame, str | None]:
    """The rows of benchmark_report on the whole pool, and a sentence where there are none.

    The pool: all candidates of the queries in the splits from which people's sample was drawn. The frames
    are the rows of review_samples, reference_labels, synthetic_queries and student_labels, and measure's
    `labels`. Queries that the student learned from say nothing of new ones: then that slice is left out.

    >>> nothing = pl.DataFrame(schema={"query_id": pl.String})
    >>> pool_rows(nothing, nothing, nothing, nothing, nothing, n_grades=4)[1]
    'No pairs were drawn for people: relabel review sample.'
    """
    if samples.is_empty():
        return pl.DataFrame(
            schema=ROW_SCHEMA
        ), "No pairs were drawn for people: relabel review sample."
    sampled = queries.join(samples, on="query_id", how="semi")
    splits = [str(split) for split in sampled["split"].unique()]
    of_pool = queries.filter(pl.col("split").cast(pl.String).is_in(splits)).select("query_id")
    pairs = student.join(of_pool, on="query_id", how="semi").select(*_PAIR, "grade_probs")
    people = drawn_grades(samples, reference)
    pool = pool_with_sample(pairs, people, query_weights(queries), n_grades=n_grades)
    if isinstance(pool, str):
        return pl.DataFrame(schema=ROW_SCHEMA), pool
    rows = measure_pool(pool, labels.filter(pl.col("labeler").is_in(_LABELERS)))
    if {"train", "dev"} & set(splits):
        rows = rows.filter(pl.col("slice") == "pool")
    return rows, None


def pool_with_sample(
    pairs: pl.DataFrame,
    people: pl.DataFrame,
    weight_of: Mapping[str, float] | None = None,
    *,
    n_grades: int,
) -> Pool | str:
    """The pool and its graded sample, or a sentence on why nothing can be said of it.

    `pairs`: query_id, doc_id and grade_probs, the student's probability of each grade; all pairs of the
    pool. `people`: drawn_grades, with query_id, doc_id, stratum, inclusion_prob, query_prob (1 where pairs
    were drawn and not queries) and grade. `weight_of`: query_weights, how much each query counts.

    >>> pairs = pl.DataFrame({"query_id": "q", "doc_id": ["d1", "d2"], "grade_probs": [[0.5, 0.5]] * 2})
    >>> people = pl.DataFrame({"query_id": ["q"], "doc_id": ["d1"], "stratum": ["all"], "query_prob": [1.0],
    ...                        "inclusion_prob": [0.5], "grade": [1]})
    >>> pool_with_sample(pairs, people, n_grades=2)
    'People graded 1 pair of the sample; at least 20 are needed.'
    """
    graded = people.filter(pl.col("grade").is_not_null())
    if graded.height < MIN_GRADES:
        noun = "pair" if graded.height == 1 else "pairs"
        return (
            f"People graded {graded.height} {noun} of the sample; at least {MIN_GRADES} are needed."
        )
    pairs = pairs.sort(_PAIR).with_row_index("position")
    query = pairs["query_id"].rank("dense").to_numpy().astype(np.int64) - 1
    places = pairs.select(*_PAIR, "position").with_columns(query=pl.Series(query))
    sampled = people.join(places, on=_PAIR, how="inner").sort("position")
    if sampled.height < people.height:
        return "The sample has pairs that are not in the pool. Draw again: relabel review sample."
    probs = np.zeros((pairs.height, n_grades))
    given = np.array(pairs["grade_probs"].to_list(), dtype=float)
    probs[:, : given.shape[1]] = given
    sample = _sample(sampled, n_queries=int(query.max()) + 1)
    if not sample.is_by_query and round(float(sample.group_sizes.sum())) != pairs.height:
        return "Pairs joined or left the pool after the draw. Draw again: relabel review sample."
    query_ids = pairs["query_id"].unique(maintain_order=True)
    weight = np.array([weight_of[query_id] if weight_of else 1.0 for query_id in query_ids])
    return Pool(pairs.select(_PAIR), query, probs, sample, weight)


def measure_pool(pool: Pool, labels: pl.DataFrame) -> pl.DataFrame:
    """The metrics of every labeler on the whole pool, with the columns of bootstrap.measure's rows.

    `labels`: labeler, query_id, doc_id, score (to rank by) and grade. A labeler that graded no pair is left
    out; pairs that it did not grade do not count in its agreement, and are last in its ranking.
    `student-teacher` is the paired difference. Metrics: mean_grade (of people), precision@10 (grade 2 or
    above), ndcg@10, kappa, kappa_quadratic, within_one (share of pairs at most one grade apart). n_pairs
    are people's grades, n_queries the queries of the pool.

    All 20 pairs of this pool are graded, so its share within one grade has no error:

    >>> ids = {"query_id": "q", "doc_id": [f"d{number:02}" for number in range(20)]}
    >>> grades = [number % 2 for number in range(20)]
    >>> pairs = pl.DataFrame(ids | {"grade_probs": [[0.5, 0.5]] * 20})
    >>> drawn = {"stratum": "all", "query_prob": 1.0, "inclusion_prob": 1.0, "grade": grades}
    >>> pool = pool_with_sample(pairs, pl.DataFrame(ids | drawn), n_grades=2)
    >>> labels = pl.DataFrame(ids | {"labeler": "student", "score": 0.5, "grade": grades})
    >>> measure_pool(pool, labels).filter(metric="within_one", slice="pool").select(
    ...     "value", "ci_low", "ci_high").row(0)
    (1.0, 1.0, 1.0)
    """
    by_labeler = {
        str(name): pool.pairs.join(rows, on=_PAIR, how="left", maintain_order="left")
        for (name,), rows in labels.group_by("labeler", maintain_order=True)
    }
    by_labeler = {name: rows for name, rows in by_labeler.items() if rows["grade"].count()}
    grades = {
        name: rows["grade"].fill_null(-1).to_numpy().astype(np.int64)
        for name, rows in by_labeler.items()
    }
    ranked = {
        name: ranks(pool.query, rows["score"].fill_null(-np.inf).to_numpy())
        for name, rows in by_labeler.items()
    }
    tops = {name: rank <= TOP for name, rank in ranked.items()}
    metrics = linear_metrics(pool.probs, pool.query, grades, tops, pool.sample, weight=pool.weight)
    ndcg = _ndcg(pool, discounts(np.stack([*ranked.values()], axis=1)))
    metrics |= {(name, "ndcg@10"): ratio for name, ratio in zip(ranked, ndcg, strict=True)}
    rows = [
        row
        for (labeler, metric), terms in _with_differences(metrics)
        for row in _rows(labeler, metric, estimate(terms, pool.sample), pool.sample)
    ]
    return pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row")


def rank_systems(pool: Pool, runs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """NDCG@10 of every system on the pool, and of every two systems the difference.

    `runs`: of each system query_id, doc_id and rank from 1, of which the first ten count. Documents that
    are not in the pool have grade 0, as trec_eval has it; queries that are not in it do not count.

    Columns: system, other (NULL, or the system whose value is taken off), slice, value, ci_low, ci_high,
    n_queries and n_pairs (people's grades).

    >>> pairs = pl.DataFrame({"query_id": "q", "doc_id": [f"d{i:02}" for i in range(20)],
    ...                       "grade_probs": [[0.5, 0.5]] * 20})
    >>> people = pairs.select("query_id", "doc_id", stratum=pl.lit("all"), inclusion_prob=1.0, query_prob=1.0,
    ...                       grade=pl.int_range(20) % 2)
    >>> pool = pool_with_sample(pairs, people, n_grades=2)
    >>> run = pairs.select("query_id", "doc_id", rank=pl.int_range(1, 21))
    >>> rows = rank_systems(pool, {"one": run.filter(pl.col("rank") > 1), "two": run})
    >>> rows.filter(slice="pool").select("system", "other", pl.col("value", "ci_low").round(3)).rows()
    [('one', None, 0.445, 0.445), ('two', None, 0.445, 0.445), ('one', 'two', 0.0, 0.0)]
    """
    columns = []
    for run in runs.values():
        joined = pool.pairs.join(run, on=_PAIR, how="left", maintain_order="left")
        columns.append(joined["rank"].fill_null(0).to_numpy().astype(np.int64))
    ratios = _ndcg(pool, discounts(np.stack(columns, axis=1)))
    by_system = dict(zip(runs, ratios, strict=True))
    rows = []
    alone = [(system, None, [ratio]) for system, ratio in by_system.items()]
    differences = [
        (one, other, [by_system[one], by_system[other].negated()])
        for one, other in combinations(by_system, 2)
    ]
    for system, other, terms in [*alone, *differences]:
        for row in _rows(system, other, estimate(terms, pool.sample), pool.sample):
            rows.append(row)
    schema = {"system": pl.String, "other": pl.String} | {
        name: kind for name, kind in ROW_SCHEMA.items() if name not in ("labeler", "metric")
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _ndcg(pool: Pool, discount: Floats) -> list[Ratio]:
    """NDCG@10 of each of J rankings, from the discounts (N, J) of the pairs."""
    ratios = NdcgModel(pool.probs, pool.query, discount).ratios(pool.sample)
    return [ratio.weighted(pool.weight, pool.sample.query) for ratio in ratios]


def _sample(sampled: pl.DataFrame, *, n_queries: int) -> GradedSample:
    """The graded sample, from the drawn pairs with position and query, sorted by position."""
    chances = sampled.group_by("stratum").agg(pl.col("inclusion_prob").n_unique())
    is_by_query = bool((sampled["query_prob"] < 1).any() or (chances["inclusion_prob"] > 1).any())
    group = ["query_id", "stratum"] if is_by_query else ["stratum"]
    groups = (
        sampled.group_by(group)
        .agg(
            n_drawn=pl.len(),
            n_graded=pl.col("grade").count(),
            chance=(pl.col("inclusion_prob") / pl.col("query_prob")).mean(),
        )
        .with_columns(size=pl.col("n_drawn") / pl.col("chance"))
        .sort(group)
    )
    if is_by_query:
        # A query without a grade counts as not drawn.
        seen = pl.col("n_graded").sum().over("query_id") > 0
        groups = groups.filter(seen)
    numbers, sizes = _numbered(groups, group)
    graded = sampled.join(numbers, on=group, how="inner").filter(pl.col("grade").is_not_null())
    graded = graded.sort("position")

    def column(name: str) -> Ints:
        return graded[name].to_numpy().astype(np.int64)

    return GradedSample(
        position=column("position"),
        grade=column("grade"),
        query=column("query"),
        group=column("group"),
        group_sizes=sizes,
        n_queries=n_queries,
        is_by_query=is_by_query,
        is_unfinished=not is_by_query and _stopped_early(sampled),
    )


def _stopped_early(sampled: pl.DataFrame) -> bool:
    """Whether more than a twentieth of the queries with drawn pairs have no grade at all.

    A query or two may be skipped, because nobody could say.
    """
    n_graded = sampled.group_by("query_id").agg(pl.col("grade").count())["grade"]
    return int((n_graded == 0).sum()) > len(n_graded) / 20


def _numbered(groups: pl.DataFrame, keys: Sequence[str]) -> tuple[pl.DataFrame, Floats]:
    """The number of each group, merged where nobody graded; within queries where these were drawn."""
    parts, sizes, start = [], [], 0
    split = ["query_id"] if len(keys) > 1 else []
    frames = groups.partition_by(split, maintain_order=True) if split else [groups]
    for part in frames:
        into, size = merged(
            part["stratum"].to_list(), part["size"].to_numpy(), part["n_graded"].to_numpy()
        )
        parts.append(part.select(keys).with_columns(group=pl.Series(into + start)))
        sizes.append(size)
        start += len(size)
    return pl.concat(parts), np.concatenate(sizes)


def _with_differences(
    metrics: Mapping[tuple[str, str], Ratio],
) -> Iterator[tuple[tuple[str, str], list[Ratio]]]:
    """Each metric as terms of an estimate, and student minus teacher where both have it."""
    for key, ratio in metrics.items():
        yield key, [ratio]
    for (labeler, metric), ratio in metrics.items():
        if labeler == "student" and (teacher := metrics.get(("teacher", metric))):
            yield (DIFFERENCE, metric), [ratio, teacher.negated()]


def _rows(
    name: str, what: str | None, estimated: Estimate, sample: GradedSample
) -> Iterator[tuple[object, ...]]:
    """A row for each slice. Where the interval cannot be told, the value is NULL too."""
    sizes = sample.n_queries, len(sample.grade)
    for slice_name, interval in zip(
        POOL_SLICES, (estimated.pool, estimated.new_queries), strict=True
    ):
        value = estimated.value if np.isfinite(interval.low) else float("nan")
        ends = (value, interval.low, interval.high)
        yield name, what, slice_name, *(_or_null(end) for end in ends), *sizes


def _or_null(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
