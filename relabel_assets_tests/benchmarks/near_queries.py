"""The time of finding near duplicates among queries (near_queries.py of the corpus), beside all pairs.

    python -m relabel_assets_tests.benchmarks.near_queries [QUERIES]...

Queries have 2 to 7 words by Zipf's law from 20,000 made words of 2 to 12 letters; a tenth have a number, and
one in twenty repeats another with one letter changed. The rival compares every pair with rapidfuzz's `cdist`.
It counts more pairs: each in both orders, and those whose numbers differ, which are no near duplicates.
Lengths that differ too much leave out no pair. Printed: seconds, pairs, and the ratio to the rival, for at
most 20,000 queries.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
from rapidfuzz import fuzz, process

from relabel_assets.corpus.queries.near_queries import compared, near_duplicates

LETTERS, BLOCK, MOST_OF_RIVAL = "etaoinshrdlucmfwypvbgkjqxz", 500, 20_000


def made_queries(count: int) -> list[str]:
    """Distinct queries as `compared` gives them."""
    draw = np.random.default_rng(3)
    letters = 1 / np.arange(1, 27)
    words = [
        "".join(draw.choice(list(LETTERS), size=length, p=letters / letters.sum()))
        for length in draw.integers(2, 13, size=20_000)
    ]
    weights = np.cumsum(1 / np.arange(1, len(words) + 1))
    texts = list[str]()
    for length, chance in zip(draw.integers(2, 8, size=count), draw.random(count), strict=True):
        ranks = np.searchsorted(weights, draw.random(length) * weights[-1])
        text = " ".join(words[rank] for rank in ranks)
        if chance < 0.05 and texts:
            text = texts[int(chance * 20 * len(texts))].replace("e", "a", 1)
        elif chance < 0.15:
            text += f" {int(chance * 1e5) % 3000}"
        texts.append(text)
    return sorted({compared(text) for text in texts})


def all_pairs(texts: list[str]) -> Iterator[int]:
    for start in range(0, len(texts), BLOCK):
        scores = process.cdist(
            texts[start : start + BLOCK],
            texts,
            scorer=fuzz.ratio,
            score_cutoff=90,
            dtype=np.uint8,
            workers=-1,
        )
        yield int(np.count_nonzero(scores))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("queries", nargs="*", type=int, default=[10_000, 50_000])
    for n in parser.parse_args().queries:
        queries = made_queries(n)
        started = time.monotonic()
        n_pairs = sum(len(rows) for _, rows in near_duplicates(queries, queries))
        took_s = time.monotonic() - started
        line = f"{len(queries):>7,} queries: {took_s:6.1f} s, {n_pairs:,} pairs with themselves"
        if n <= MOST_OF_RIVAL:
            started = time.monotonic()
            n_all = sum(all_pairs(queries))
            rival_s = time.monotonic() - started
            line += f"; all pairs {rival_s:.1f} s (x{took_s / rival_s:.2f}), {n_all:,} both ways"
        print(line, flush=True)
