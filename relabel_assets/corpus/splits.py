"""Splits of the queries: train for the student, dev for its epoch, benchmark for its measurement, label.

What belongs here: dividing queries, and finding leaks between the splits. What does not: where
queries come from (queries.py, teacher/queries/).
"""

import hashlib
import heapq
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from relabel_assets.corpus.config import QueriesConfig
from relabel_assets.errors import Problem
from relabel_assets.intake.words import has_digit, lower_words, separated

# rapidfuzz's ratio of two texts as `compared` gives them, 0-100. Word order and punctuation do not count:
# "parental leave, SE" and "se parental leave" are 100. 90 is not measured: in a query of 20
# characters it allows two to differ, such as a plural and a typing error.
NEAR_DUPLICATE = 90
# Texts whose lengths differ by more have a lower ratio: 2 * 9 / (9 + 11) is 0.9.
_MOST_TIMES_AS_LONG = 11 / 9
# Compared at a time with all texts: 500 x 100,000 scores of one byte take 50 MB.
_TEXTS_A_BLOCK = 500
# The time of a ratio grows with the square of the length. Two texts of 3,000 characters take 0.2 ms, so
# 1,000 such queries took three minutes. A longer text is therefore compared by a sample of its words.
_LONGEST_COMPARED = 128  # characters of its words. rapidfuzz compares up to 128 three times as fast
_WORDS_COMPARED, _LONGEST_WORD = 12, 12  # of a sample: it is about as long as a query. Not measured
# From this many groups on, a share above 0 chooses at least one. Not measured: with fewer, one group
# is a quarter of the queries or more, too many to take away from training.
_MIN_GROUPS = 5


def normalised(text: str) -> str:
    """The lower-cased words of `text`, one space between them, without punctuation."""
    return " ".join(lower_words(text))


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


def compared(text: str) -> str:
    """What is compared of a text: its normalised words in alphabetical order, or a sample of them.

    >>> compared("Parental leave, SE!")
    'leave parental se'
    """
    # A text of emoji or punctuation alone has no words. It is near no other than its like.
    words = lower_words(text) or text.split()
    if sum(map(len, words)) > _LONGEST_COMPARED:
        words = _sample(words)
    return " ".join(sorted(words))


def _sample(words: Sequence[str]) -> list[str]:
    """The words with the lowest hashes, so that similar texts have similar samples (Broder 1997).

    A longer word counts as several, and scripts without spaces have words of their own. All words with a
    digit are one, so that none is left out.
    """
    spaced, unspaced = separated(" ".join(words))
    numbers = _numbers(spaced)
    pieces = {
        word[start : start + _LONGEST_WORD]
        for word in {*spaced.split(), *unspaced} - {*numbers}
        for start in range(0, len(word), _LONGEST_WORD)
    }
    sample = heapq.nsmallest(_WORDS_COMPARED, pieces, key=_hash)
    return [*sample, f"{_hash(' '.join(numbers)):010}"] if numbers else sample


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())


def _numbers(text: str) -> tuple[str, ...]:
    """The words of `text` with a digit, sorted: error codes, versions, years.

    >>> _numbers("0x8007 error 2023"), _numbers("第123条")
    (('0x8007', '2023'), ('123',))
    """
    if not has_digit(text):
        return ()
    return tuple(sorted(word for word in separated(text)[0].split() if has_digit(word)))


def near_duplicates(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, NDArray]]:
    """(index in `left`, indices in `right`) of each text that has near duplicates, in any order.

    Texts whose words with a digit differ are none: "error 0x8007" and "error 0x8005" are different queries.
    So only texts with the same of these words are compared. Both hold texts as `compared` gives them. If both
    are the same list, a pair may come in one order alone. Leave out equal texts first: each costs as much as
    any other.
    """
    rows_left = _rows_by_numbers(left)
    rows_right = rows_left if left is right else _rows_by_numbers(right)
    for numbers in rows_left.keys() & rows_right.keys():
        yield from _near_texts(left, rows_left[numbers], right, rows_right[numbers])


def _rows_by_numbers(texts: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """The indices of `texts` with the same words with a digit, shorter texts first."""
    rows = defaultdict[tuple[str, ...], list[int]](list)
    for row in sorted(range(len(texts)), key=lambda index: len(texts[index])):
        rows[_numbers(texts[row])].append(row)
    return rows


def _near_texts(
    left: Sequence[str], order: Sequence[int], right: Sequence[str], rows: Sequence[int]
) -> Iterator[tuple[int, NDArray]]:
    """`near_duplicates` of the texts `order` of `left` among `rows` of `right`, both by length."""
    others = np.array(rows, dtype=np.int64)
    lengths = np.array([len(right[index]) for index in others])
    for start in range(0, len(order), _TEXTS_A_BLOCK):
        block = order[start : start + _TEXTS_A_BLOCK]
        shortest, longest = len(left[block[0]]), len(left[block[-1]])
        first, end = np.searchsorted(
            lengths, (int(shortest / _MOST_TIMES_AS_LONG), int(longest * _MOST_TIMES_AS_LONG) + 1)
        )
        compared_with = others[start if order is rows else first : end]
        scores = process.cdist(
            [left[index] for index in block],
            [right[index] for index in compared_with],
            scorer=fuzz.ratio,
            score_cutoff=NEAR_DUPLICATE,
            dtype=np.uint8,
            workers=-1,
        )
        for row, near in zip(block, scores, strict=True):
            if near.any():
                yield row, compared_with[np.flatnonzero(near)]


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
