"""Splits of the queries: train for the student, dev for its epoch, benchmark for its measurement, label.

What belongs here: dividing queries, and finding leaks between the splits. What does not: where
queries come from (queries.py, teacher/queries/).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.queries.near_queries import compared, near_duplicates
from relabel_assets.errors import Problem

# From this many groups on, a share above 0 chooses at least one. Not measured: with fewer, one group
# is a quarter of the queries or more, too many to take away from training.
_MIN_GROUPS = 5


def assign_splits(
    queries: pl.DataFrame, *, config: QueriesConfig, file: str, are_compared: bool = True
) -> tuple[pl.DataFrame, list[Problem]]:
    """`queries` with `split` set, without those that leak; and a problem for each leak.

    - Provided label queries stay, and decide nothing about others: they teach and measure nobody.
    - Provided benchmark queries stay. If no query states its split, `benchmark_share` of the seed
      documents become the benchmark.
    - The other queries are divided by seed document: the `dev_share` of them whose ids have the
      lowest hashes become dev. A new query therefore moves few others.
    - Near duplicates, and all queries of their seed documents, get the same split.
    - A train or dev query leaks if it has a benchmark query's seed document, or duplicates it.

    Unless they `are_compared`, only equal texts are duplicates: the time for near ones grows with the square
    of the number of queries.
    """
    is_label = (pl.col("split") == "label").fill_null(value=False)
    labeled, queries = queries.filter(is_label), queries.filter(~is_label)
    if queries.is_empty():
        return labeled, []
    groups = _groups(queries, are_compared)
    if queries["split"].is_null().all() and config.benchmark_share > 0:
        is_chosen = _shares(groups, config.benchmark_share, f"benchmark:{config.seed}")
        queries = queries.with_columns(
            split=pl.Series(["benchmark" if chosen else "train" for chosen in is_chosen])
        )
    leaking = _leaking_rows(queries, are_compared)
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
    kept = divided.filter(~pl.Series([row in leaking for row in range(queries.height)]))
    return pl.concat([kept, labeled]), problems


def leaking_queries(queries: pl.DataFrame) -> list[str]:
    """A sentence for each leak between the splits of stored queries."""
    ids = queries["query_id"]
    leaks = [f"query {ids[row]!r} {why}" for row, why in _leaking_rows(queries).items()]
    training = queries.filter(pl.col("split").is_in(["train", "dev"]))
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


def _leaking_rows(queries: pl.DataFrame, are_compared: bool = True) -> dict[int, str]:
    """The row numbers of train and dev queries that leak, each with the reason."""
    rows = queries.select("query_id", "seed_doc_id", "split", pl.col("text").map_elements(compared))
    rows = rows.with_row_index("row")
    benchmark = rows.filter(pl.col("split") == "benchmark")
    training = rows.filter(~pl.col("split").fill_null("train").is_in(["benchmark", "label"]))
    # Of several benchmark queries, the last is named.
    last = dict(benchmark.select("text", "row").iter_rows())
    texts, last_rows = training["text"].unique().to_list(), np.array(list(last.values()))
    pairs = (near_duplicates if are_compared else _equal_texts)(texts, list(last))
    originals = {texts[index]: last_rows[indices].max() for index, indices in pairs}
    leaks = {
        row: f"is a near duplicate of benchmark query {queries['query_id'][int(originals[text])]!r}"
        for row, text in training.select("row", "text").iter_rows()
        if text in originals
    }
    seeds = set(benchmark["seed_doc_id"].drop_nulls())
    for row, seed in training.select("row", "seed_doc_id").iter_rows():
        if seed in seeds:
            leaks[row] = f"has the seed document of a benchmark query, {seed!r}"
    return leaks


def _equal_texts(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, NDArray]]:
    """As near_duplicates, of equal texts alone. No text is twice in `right`."""
    places = {text: index for index, text in enumerate(right)}
    for index, text in enumerate(left):
        if text in places:
            yield index, np.array([places[text]])


def _groups(queries: pl.DataFrame, are_compared: bool) -> list[str]:
    """The name of each row's group. Rows of one seed document, or near duplicates, share a group."""
    names = [
        f"seed:{seed}" if seed is not None else f"query:{query}"
        for query, seed in queries.select("query_id", "seed_doc_id").iter_rows()
    ]
    ids = sorted(set(names))
    number = {name: index for index, name in enumerate(ids)}
    groups = np.array([number[name] for name in names])

    def merge(rows: NDArray) -> None:
        """Put the groups of `rows` together, under the lowest name."""
        present = groups[rows]
        if (present != present[0]).any():
            groups[np.isin(groups, present)] = present.min()

    rows_of = defaultdict[str, list[int]](list)
    for row, text in enumerate(queries["text"]):
        rows_of[compared(text)].append(row)
    for rows in rows_of.values():
        merge(np.array(rows))
    texts, first_rows = list(rows_of), np.array([rows[0] for rows in rows_of.values()])
    for index, indices in near_duplicates(texts, texts) if are_compared else ():
        merge(first_rows[np.append(indices, index)])
    return [ids[group] for group in groups]


def _shares(groups: Sequence[str], share: float, salt: str) -> list[bool]:
    """Whether each row's group is chosen. The `share` of groups with the lowest name hashes are."""
    hashes = {group: hashlib.sha256(f"{salt}:{group}".encode()).digest() for group in groups}
    count = round(share * len(hashes))
    if share > 0 and len(hashes) >= _MIN_GROUPS:
        count = max(count, 1)
    chosen = set(sorted(hashes, key=lambda group: hashes[group])[:count])
    return [group in chosen for group in groups]
