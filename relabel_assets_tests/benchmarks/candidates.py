"""Candidates for a growing corpus: time and the highest memory of the process, each size in a process of its own.

    python relabel_assets_tests/benchmarks/candidates.py [DOCUMENTS]...

Documents of 100 words drawn by Zipf's law from 200,000 words, 200 queries of four words. Prints the growth of memory
from the first size to each: documents stream through the index on disk, and only their ids stay.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

BATCH = 10_000
WORDS = 200_000


def documents(count: int) -> Iterator[pl.DataFrame]:
    draw = np.random.default_rng(7)
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        words = np.minimum(draw.zipf(1.3, size=(len(numbers), 100)), WORDS)
        yield pl.DataFrame(
            {
                "doc_id": [f"d{number}" for number in numbers],
                "title": [f"w{row[0]} w{row[1]}" for row in words],
                "body": [" ".join(f"w{word}" for word in row) for row in words],
                "author": None, "path": None, "updated_at": None, "doc_type": None,
            },
            schema_overrides=dict.fromkeys(("author", "path", "updated_at", "doc_type"), pl.String),
        )  # fmt: skip


def measure(count: int) -> None:
    from relabel_assets.candidates.bm25 import find_candidates
    from relabel_assets.corpus.config import CandidatesConfig

    draw = np.random.default_rng(11)
    words = np.minimum(draw.zipf(1.3, size=(200, 4)), WORDS)
    queries = pl.DataFrame(
        {
            "query_id": [f"q{number}" for number in range(200)],
            "text": [" ".join(f"w{word}" for word in row) for row in words],
            "seed_doc_id": [f"d{number}" for number in range(200)],
        }
    )
    judged = pl.DataFrame(schema={"query_id": pl.String, "doc_id": pl.String})
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        found = find_candidates(
            documents(count), queries, config=CandidatesConfig(), judged=judged, scratch=Path(scratch)
        )
    took_s = time.monotonic() - started
    highest_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(count, found.height, took_s, highest_mb)


def main(sizes: list[int]) -> None:
    first: tuple[int, float, float] | None = None
    for count in sizes:
        command = [sys.executable, __file__, "--one", str(count)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        took_s, highest_mb = float(said[2]), float(said[3])
        first = first or (count, took_s, highest_mb)
        print(
            f"{count:>9,} documents: {said[1]} pairs in {took_s:.1f} s, at most {highest_mb:,.0f} MB; "
            f"x{count / first[0]:.0f} documents, x{took_s / first[1]:.1f} time, x{highest_mb / first[2]:.2f} memory",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]))
    else:
        main([int(count) for count in sys.argv[1:]] or [10_000, 100_000])
