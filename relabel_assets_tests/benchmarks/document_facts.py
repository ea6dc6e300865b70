"""Seconds and memory of what seed_docs computes of all documents together: duplicates and languages.

    python -m relabel_assets_tests.benchmarks.document_facts --documents 100000

Near duplicates by our bands beside datasketch's MinHashLSH on the same signatures: both are run, and the
ratio of seconds and of memory is printed, with the planted near duplicates that each finds.
"""

import argparse
import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import polars as pl
from datasketch import MinHash, MinHashLSH

from relabel_assets.corpus.config.documents_config import DocumentsConfig
from relabel_assets.corpus.hygiene import duplicates
from relabel_assets.corpus.hygiene.document_facts import DocumentFacts
from relabel_assets.corpus.hygiene.language import language

_PLANTED = 100  # every hundredth document repeats the one before it, but for one word


def corpus(n_documents: int, n_words: int) -> pl.DataFrame:
    """Documents of random words, of which some nearly repeat the one before."""
    draw = random.Random(13)
    words = [f"w{n}" for n in range(20_000)]
    bodies: list[str] = []
    for number in range(n_documents):
        if number % _PLANTED == 1:
            body = bodies[-1].split()
            body[len(body) // 2] = "changed"
        else:
            body = draw.choices(words, k=n_words)
        bodies.append(" ".join(body))
    ids = [f"d{number:07}" for number in range(n_documents)]
    return pl.DataFrame({"doc_id": ids, "title": ids, "body": bodies, "content_hash": ids})


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result of `work`, its seconds of processor time, and its MB of Python memory at most."""
    started = time.process_time()
    result = work()
    seconds = time.process_time() - started
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return result, seconds, peak


def by_library(ids: list[str], signatures: list[Any]) -> int:
    """The number of documents that MinHashLSH finds near one before them."""
    index = MinHashLSH(num_perm=64, params=(8, 8))
    n_found = 0
    for doc_id, values in zip(ids, signatures, strict=True):
        minhash = MinHash(hashvalues=values, scheme="affine32", permutations=PERMUTATIONS)
        n_found += bool(index.query(minhash))
        index.insert(doc_id, minhash, check_duplication=False)
    return n_found


PERMUTATIONS = MinHash(num_perm=64).permutations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=300)
    options = parser.parse_args()
    rows = corpus(options.documents, options.words)
    facts = DocumentFacts(DocumentsConfig())
    for name, work in {
        "compare (exact, signatures, paragraphs)": lambda: facts.add(rows),
        "name languages": lambda: [
            language(t, b) for t, b in zip(rows["title"], rows["body"], strict=True)
        ],
    }.items():
        started = time.process_time()
        work()
        print(f"{name}: {time.process_time() - started:.1f} s for {rows.height:,} documents")
    found = facts._duplicates
    near, own_s, own_mb = measured(found.near)
    n_own = sum(len(cluster) - 1 for cluster in near)
    n_lib, lib_s, lib_mb = measured(lambda: by_library(found._doc_ids, found._signatures))
    n_planted = len(range(1, rows.height, _PLANTED))
    print(
        f"bands of {duplicates.__name__}: {own_s:.1f} s, {own_mb:.0f} MB, {n_own:,} of {n_planted:,}"
    )
    print(f"MinHashLSH: {lib_s:.1f} s, {lib_mb:.0f} MB, {n_lib:,} of {n_planted:,}")
    print(f"ratio: {lib_s / own_s:.1f} times the seconds, {lib_mb / own_mb:.1f} times the memory")


if __name__ == "__main__":
    main()
