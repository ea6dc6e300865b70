"""Which queries train the student, which choose when it stops, and which measure it; and what would leak between them.

What belongs here: dividing queries and finding leaks. What does not: where queries come from (queries.py, synthesis.py).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process

from relabel_assets.corpus.config import QueriesConfig
from relabel_assets.errors import Problem

NEAR_DUPLICATE = (
    90  # rapidfuzz token_sort_ratio of the normalised texts, 0-100: "parental leave se" and "leave parental SE"
)
_CHUNK = 2000
_MIN_GROUPS_FOR_DEV = 5


def normalised(text: str) -> str:
    """Lower case words with punctuation and runs of space folded."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def assign_splits(queries: pl.DataFrame, *, config: QueriesConfig, file: str) -> tuple[pl.DataFrame, list[Problem]]:
    """`queries` with `split` set to train, dev or benchmark, and what was set aside because it would leak.

    Provided benchmark queries stay. Where no query says its split, `benchmark_share` of the seed documents become
    benchmark. The others are divided by seed document: the `dev_share` of seeds whose ids have the lowest hashes go to
    dev, so that a new query moves few others. Queries that are near duplicates, and their whole seeds, share a side. A
    query to train on that shares its seed document with a benchmark query, or nearly its words, is set aside.
    """
    if queries.is_empty():
        return queries, []
    groups = _groups(queries)
    if queries["split"].is_null().all() and config.benchmark_share > 0:
        is_chosen = _shares(groups, config.benchmark_share, f"benchmark:{config.seed}")
        queries = queries.with_columns(split=pl.Series(["benchmark" if chosen else "train" for chosen in is_chosen]))
    leaking = _leaking_rows(queries)
    problems = [
        Problem(
            file, None, f"query {queries['query_id'][row]!r} {why}; it cannot be trained on.", "Take one of them out."
        )
        for row, why in leaking.items()
    ]
    splits = queries["split"].to_list()
    trainable = [row for row, split in enumerate(splits) if split != "benchmark" and row not in leaking]
    is_dev = _shares([groups[row] for row in trainable], config.dev_share, f"dev:{config.seed}")
    for row, dev in zip(trainable, is_dev, strict=True):
        splits[row] = "dev" if dev else "train"
    divided = queries.with_columns(split=pl.Series(splits, dtype=pl.String))
    return divided.filter(~pl.Series([row in leaking for row in range(queries.height)])), problems


def leaking_queries(queries: pl.DataFrame) -> list[str]:
    """What leaks between the splits of stored queries, a sentence each; empty where nothing does."""
    ids = queries["query_id"]
    leaks = [f"query {ids[row]!r} {why}" for row, why in _leaking_rows(queries).items()]
    training = queries.filter(pl.col("split") != "benchmark")
    crossing = training.filter(pl.col("split") == "dev").join(
        training.filter(pl.col("split") == "train"), on="seed_doc_id"
    )
    return leaks + [f"seed document {seed!r} is in train and dev" for seed in crossing["seed_doc_id"].unique().sort()]


def leaking_pairs(queries: pl.DataFrame, pairs: pl.DataFrame) -> list[str]:
    """Training pairs (query_id, doc_id) of a benchmark query or of a benchmark query's seed document, a sentence each."""
    benchmark = queries.filter(pl.col("split") == "benchmark")
    of_query = pairs.filter(pl.col("query_id").is_in(benchmark["query_id"].implode()))
    of_seed = pairs.filter(pl.col("doc_id").is_in(benchmark["seed_doc_id"].drop_nulls().implode()))
    return [
        f"pair ({query}, {document}) has a benchmark {thing}"
        for thing, found in (("query", of_query), ("query's seed document", of_seed))
        for query, document in found.select("query_id", "doc_id").iter_rows()
    ]


def near_duplicates(left: Sequence[str], right: Sequence[str]) -> Iterable[tuple[int, int]]:
    """Index pairs of nearly equal texts, in bounded memory: a block of `left` against all of `right` at a time."""
    others = [" ".join(sorted(normalised(text).split())) for text in right]
    for start in range(0, len(left), _CHUNK):
        block = [" ".join(sorted(normalised(text).split())) for text in left[start : start + _CHUNK]]
        scores = process.cdist(
            block, others, scorer=fuzz.ratio, score_cutoff=NEAR_DUPLICATE, dtype=np.uint8, workers=-1
        )
        for row, column in zip(*np.nonzero(scores), strict=True):
            yield start + int(row), int(column)


def _leaking_rows(queries: pl.DataFrame) -> dict[int, str]:
    """Row numbers of train and dev queries that leak from the benchmark, with the reason."""
    rows = queries.with_row_index("row")
    benchmark, training = (
        rows.filter(pl.col("split") == "benchmark"),
        rows.filter(pl.col("split").fill_null("train") != "benchmark"),
    )
    leaks: dict[int, str] = {}
    for mine, theirs in near_duplicates(training["text"].to_list(), benchmark["text"].to_list()):
        leaks[training["row"][mine]] = f"is a near duplicate of benchmark query {benchmark['query_id'][theirs]!r}"
    seeds = set(benchmark["seed_doc_id"].drop_nulls())
    for row, seed in training.select("row", "seed_doc_id").iter_rows():
        if seed in seeds:
            leaks[row] = f"has the seed document of a benchmark query, {seed!r}"
    return leaks


def _groups(queries: pl.DataFrame) -> list[str]:
    """A name for each row's group: rows of one seed document, and near duplicates with their seeds, share it."""
    names = [
        f"seed:{seed}" if seed is not None else f"query:{query}"
        for query, seed in queries.select("query_id", "seed_doc_id").iter_rows()
    ]
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    texts = queries["text"].to_list()
    for one, other in near_duplicates(texts, texts):
        first, second = sorted((root(names[one]), root(names[other])))
        parent[second] = first
    return [root(name) for name in names]


def _shares(groups: Sequence[str], share: float, salt: str) -> list[bool]:
    """Whether each row's group is among the chosen `share` of the groups: those whose names have the lowest hashes.

    Where there are groups enough, at least one is chosen.
    """
    places = {group: hashlib.sha256(f"{salt}:{group}".encode()).digest() for group in groups}
    count = round(share * len(places))
    if share > 0 and len(places) >= _MIN_GROUPS_FOR_DEV:
        count = max(count, 1)
    chosen = set(sorted(places, key=lambda group: places[group])[:count])
    return [group in chosen for group in groups]
