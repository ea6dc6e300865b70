"""Splits of the queries: train for the student, dev for its epoch, benchmark for its measurement.

What belongs here: dividing queries, and finding leaks between the splits. What does not: where
queries come from (queries.py, teacher/queries/).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from relabel_assets.corpus.config import QueriesConfig
from relabel_assets.errors import Problem

# rapidfuzz's ratio of the normalised texts with their words sorted, 0-100. Word order and
# punctuation do not count: "parental leave, SE" and "se parental leave" are 100. 90 is not measured:
# in a query of 20 characters it allows two to differ, such as a plural and a typing error.
NEAR_DUPLICATE = 90
_CHUNK = 2000  # queries compared at a time: 2,000 x 100,000 scores of one byte take 200 MB
# From this many groups on, a share above 0 chooses at least one. Not measured: with fewer, one group
# is a quarter of the queries or more, too many to take away from training.
_MIN_GROUPS = 5


def normalised(text: str) -> str:
    """The lower-cased words of `text`, one space between them, without punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def assign_splits(
    queries: pl.DataFrame, *, config: QueriesConfig, file: str
) -> tuple[pl.DataFrame, list[Problem]]:
    """`queries` with `split` set, without those that leak; and a problem for each leak.

    - Provided benchmark queries stay. If no query states its split, `benchmark_share` of the seed
      documents become the benchmark.
    - The other queries are divided by seed document: the `dev_share` of them whose ids have the
      lowest hashes become dev. A new query therefore moves few others.
    - Near duplicates, and all queries of their seed documents, get the same split.
    - A train or dev query leaks if it has a benchmark query's seed document, or duplicates it.
    """
    if queries.is_empty():
        return queries, []
    groups = _groups(queries)
    if queries["split"].is_null().all() and config.benchmark_share > 0:
        is_chosen = _shares(groups, config.benchmark_share, f"benchmark:{config.seed}")
        queries = queries.with_columns(
            split=pl.Series(["benchmark" if chosen else "train" for chosen in is_chosen])
        )
    leaking = _leaking_rows(queries)
    problems = [
        Problem(
            file,
            None,
            f"query {queries['query_id'][row]!r} {why}, so it is not used for training.",
            "Remove one of them.",
        )
        for row, why in leaking.items()
    ]
    splits = queries["split"].to_list()
    trainable = [
        row for row, split in enumerate(splits) if split != "benchmark" and row not in leaking
    ]
    is_dev = _shares([groups[row] for row in trainable], config.dev_share, f"dev:{config.seed}")
    for row, dev in zip(trainable, is_dev, strict=True):
        splits[row] = "dev" if dev else "train"
    divided = queries.with_columns(split=pl.Series(splits, dtype=pl.String))
    return divided.filter(~pl.Series([row in leaking for row in range(queries.height)])), problems


def leaking_queries(queries: pl.DataFrame) -> list[str]:
    """A sentence for each leak between the splits of stored queries."""
    ids = queries["query_id"]
    leaks = [f"query {ids[row]!r} {why}" for row, why in _leaking_rows(queries).items()]
    training = queries.filter(pl.col("split") != "benchmark")
    crossing = training.filter(pl.col("split") == "dev").join(
        training.filter(pl.col("split") == "train"), on="seed_doc_id"
    )
    return leaks + [
        f"seed document {seed!r} is in train and dev"
        for seed in crossing["seed_doc_id"].unique().sort()
    ]


def leaking_pairs(queries: pl.DataFrame, pairs: pl.DataFrame) -> list[str]:
    """A sentence for each training pair with a benchmark query, or with its seed document."""
    benchmark = queries.filter(pl.col("split") == "benchmark")
    of_query = pairs.filter(pl.col("query_id").is_in(benchmark["query_id"].implode()))
    of_seed = pairs.filter(pl.col("doc_id").is_in(benchmark["seed_doc_id"].drop_nulls().implode()))
    return [
        f"pair ({query}, {document}) has a benchmark {thing}"
        for thing, leaks in (("query", of_query), ("query's seed document", of_seed))
        for query, document in leaks.select("query_id", "doc_id").iter_rows()
    ]


def near_duplicates(left: Sequence[str], right: Sequence[str]) -> Iterable[tuple[int, int]]:
    """Index pairs of near duplicates. Memory is bounded: blocks of `left` against all of `right`."""
    others = [" ".join(sorted(normalised(text).split())) for text in right]
    for start in range(0, len(left), _CHUNK):
        block = [
            " ".join(sorted(normalised(text).split())) for text in left[start : start + _CHUNK]
        ]
        scores = process.cdist(
            block,
            others,
            scorer=fuzz.ratio,
            score_cutoff=NEAR_DUPLICATE,
            dtype=np.uint8,
            workers=-1,
        )
        for row, column in zip(*np.nonzero(scores), strict=True):
            yield start + int(row), int(column)


def _leaking_rows(queries: pl.DataFrame) -> dict[int, str]:
    """The row numbers of train and dev queries that leak, each with the reason."""
    rows = queries.with_row_index("row")
    benchmark = rows.filter(pl.col("split") == "benchmark")
    training = rows.filter(pl.col("split").fill_null("train") != "benchmark")
    leaks: dict[int, str] = {}
    duplicates = near_duplicates(training["text"].to_list(), benchmark["text"].to_list())
    for training_row, benchmark_row in duplicates:
        original = benchmark["query_id"][benchmark_row]
        leaks[training["row"][training_row]] = (
            f"is a near duplicate of benchmark query {original!r}"
        )
    seeds = set(benchmark["seed_doc_id"].drop_nulls())
    for row, seed in training.select("row", "seed_doc_id").iter_rows():
        if seed in seeds:
            leaks[row] = f"has the seed document of a benchmark query, {seed!r}"
    return leaks


def _groups(queries: pl.DataFrame) -> list[str]:
    """The name of each row's group. Rows of one seed document, or near duplicates, share a group."""
    names = [
        f"seed:{seed}" if seed is not None else f"query:{query}"
        for query, seed in queries.select("query_id", "seed_doc_id").iter_rows()
    ]
    ids = sorted(set(names))
    number = {name: index for index, name in enumerate(ids)}
    texts = queries["text"].to_list()
    edges = [(number[names[one]], number[names[two]]) for one, two in near_duplicates(texts, texts)]
    starts, ends = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges)), (starts, ends)), shape=(len(ids), len(ids)))
    _, components = connected_components(graph, directed=False)
    # A group has the lowest name of its component: that of the first index, because `ids` is sorted.
    _, lowest = np.unique(components, return_index=True)
    return [ids[lowest[components[number[name]]]] for name in names]


def _shares(groups: Sequence[str], share: float, salt: str) -> list[bool]:
    """Whether each row's group is chosen. The `share` of groups with the lowest name hashes are."""
    hashes = {group: hashlib.sha256(f"{salt}:{group}".encode()).digest() for group in groups}
    count = round(share * len(hashes))
    if share > 0 and len(hashes) >= _MIN_GROUPS:
        count = max(count, 1)
    chosen = set(sorted(hashes, key=lambda group: hashes[group])[:count])
    return [group in chosen for group in groups]
