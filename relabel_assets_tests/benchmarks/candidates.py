"""Candidates: time and memory by corpus size, and the pairs that a change of the corpus adds.

    python relabel_assets_tests/benchmarks/candidates.py [DOCUMENTS]...
    python relabel_assets_tests/benchmarks/candidates.py --stability [FOLDER]...

The first form: documents of 100 words drawn by Zipf's law from 200,000 words, 200 queries of four
words, each size in a process of its own. It prints the growth of time and memory from the first
size to each: documents stream through the index on disk, and only their ids stay.

The second form: how many pairs does a changed corpus renew? A corpus of 10,000 documents and 300 queries
loses, gains or changes 1, 10 or 100 documents. Printed is the share of pairs (BM25's top 10 and 2 at random)
that are asked of the teacher again: a pair that is new, or whose document changed. Beside it is the share
whose bm25_score is another: every score depends on the number of documents and on their mean length.
FOLDERs are corpus folders (documents.jsonl, queries.jsonl); all documents of the first
ones are taken, and the last one fills up. Without a FOLDER, documents are drawn by Zipf's law.
`--size N` sets the number of documents, `--draws N` how often documents to change are drawn.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from relabel_assets.candidates.choose import find_candidates
from relabel_assets.corpus.config.config import CandidatesConfig
from relabel_assets.corpus.folders import Corpora
from relabel_assets.tables.vocabulary import DOCUMENT_METADATA

BATCH = 10_000
WORDS = 200_000
N_STABILITY_QUERIES = 300
N_CHANGES = (1, 10, 100)
N_SPARE = max(N_CHANGES)  # documents held back, to be added
NONE_JUDGED = pl.DataFrame(schema={"query_id": pl.String, "doc_id": pl.String})


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
            }
            | dict.fromkeys(DOCUMENT_METADATA),
            schema_overrides=dict.fromkeys(DOCUMENT_METADATA, pl.String),
        )


def zipf_queries(count: int) -> pl.DataFrame:
    words = np.minimum(np.random.default_rng(11).zipf(1.3, size=(count, 4)), WORDS)
    return pl.DataFrame(
        {
            "query_id": [f"q{number}" for number in range(count)],
            "text": [" ".join(f"w{word}" for word in row) for row in words],
            "seed_doc_id": [f"d{number}" for number in range(count)],
        }
    )


def measure(count: int) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        pairs = find_candidates(
            documents(count),
            zipf_queries(200),
            NONE_JUDGED,
            config=CandidatesConfig(),
            scratch=Path(scratch),
        )
    took_s = time.monotonic() - started
    highest_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(count, pairs.height, took_s, highest_mb)


def growth(sizes: list[int]) -> None:
    first: tuple[int, float, float] | None = None
    for count in sizes:
        command = [sys.executable, __file__, "--one", str(count)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        took_s, highest_mb = float(output[2]), float(output[3])
        first = first or (count, took_s, highest_mb)
        print(
            f"{count:>9,} documents: {output[1]} pairs in {took_s:.1f} s, at most "
            f"{highest_mb:,.0f} MB; "
            f"x{count / first[0]:.0f} documents, x{took_s / first[1]:.1f} time, "
            f"x{highest_mb / first[2]:.2f} memory",
            flush=True,
        )


@dataclass(frozen=True)
class Change:
    """A corpus after a change, and the ids of the documents with a changed text."""

    kind: str
    n_documents: int
    documents: pl.DataFrame
    changed_ids: tuple[str, ...] = ()


def stability(folders: Sequence[Path], size: int, n_draws: int) -> None:
    corpus, spare, queries = _from_folders(folders, size) if folders else _from_zipf(size)
    print(f"{corpus.height:,} documents, {queries.height} queries, {n_draws} draws of each change")
    rows = []
    before = _candidates(corpus, queries)
    for draw in range(n_draws):
        for change in _changes(corpus, spare, np.random.default_rng(draw)):
            after = _candidates(change.documents, queries)
            new = after.join(before, on=["query_id", "doc_id"], how="anti")
            kept = after.join(new, on=["query_id", "doc_id"], how="anti")
            n_asked = new.height + kept.filter(pl.col("doc_id").is_in(change.changed_ids)).height
            scores = after.join(before, on=["query_id", "doc_id"], suffix="_before")
            n_moved = scores.filter(pl.col("bm25_score") != pl.col("bm25_score_before")).height
            shares = n_asked / after.height, n_moved / after.height
            rows.append((change.kind, change.n_documents, *shares))
    table = pl.DataFrame(rows, schema=["kind", "documents", "asked", "moved"], orient="row")
    means = table.group_by("kind", "documents", maintain_order=True).agg(
        pl.col("asked", "moved").mean() * 100
    )
    for kind, count, asked, moved in means.iter_rows():
        print(
            f"{count:>4} {kind:<8} asked again {asked:6.3f} % of pairs, another bm25_score {moved:6.2f} %",
            flush=True,
        )


def _candidates(corpus: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as scratch:
        config = CandidatesConfig(include_seed=False)
        return find_candidates([corpus], queries, NONE_JUDGED, config=config, scratch=Path(scratch))


def _changes(
    corpus: pl.DataFrame, spare: pl.DataFrame, draw: np.random.Generator
) -> Iterator[Change]:
    """Each kind of change to each number of documents; a change adds a fifth of another body."""
    for count in N_CHANGES:
        rows = draw.choice(corpus.height, size=count, replace=False)
        ids = corpus["doc_id"][rows].to_list()
        donor_bodies = corpus["body"][draw.choice(corpus.height, size=count)].to_list()
        bodies = corpus["body"].to_list()
        for row, donor_body in zip(rows, donor_bodies, strict=True):
            words = donor_body.split()
            bodies[row] += " " + " ".join(words[: max(1, len(words) // 5)])
        yield Change("changed", count, corpus.with_columns(body=pl.Series(bodies)), tuple(ids))
        added = spare[draw.choice(spare.height, size=count, replace=False)]
        yield Change("added", count, pl.concat([corpus, added]).sort("doc_id"))
        yield Change("removed", count, corpus.filter(~pl.col("doc_id").is_in(ids)))


def _from_zipf(size: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A corpus of `size` documents of 20 to 400 words, spare documents, and queries."""
    frame = pl.concat(documents(size + N_SPARE))
    lengths = np.random.default_rng(5).lognormal(4.2, 0.5, frame.height).clip(20, 400).astype(int)
    bodies = [
        " ".join(text.split()[:length]) for text, length in zip(frame["body"], lengths, strict=True)
    ]
    frame = frame.with_columns(body=pl.Series(bodies))
    return frame.head(size), frame.tail(N_SPARE), zipf_queries(N_STABILITY_QUERIES)


def _from_folders(
    folders: Sequence[Path], size: int
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A corpus of `size` documents, spare documents, and equally many queries of each folder."""
    frames, queries = [], []
    share = -(-N_STABILITY_QUERIES // len(folders))
    for path in folders:
        folder, prefix = Corpora(path.parent).open(path.name), pl.lit(f"{path.name}/")
        frames.append(folder.documents().frame.with_columns(doc_id=prefix + pl.col("doc_id")))
        folder_queries = folder.queries().frame.head(share)
        queries.append(
            folder_queries.select(
                query_id=prefix + pl.col("query_id"),
                text="text",
                seed_doc_id=pl.lit(None, pl.String),
            )
        )
    # The last folder's in the order of a hash, so that it is cut evenly; then the spare ones from
    # all of them.
    corpus = pl.concat([*frames[:-1], _shuffled(frames[-1])]).head(size + N_SPARE)
    if corpus.height < size + N_SPARE:
        raise SystemExit(
            f"only {corpus.height:,} documents: set --size to at most {corpus.height - N_SPARE:,}"
        )
    corpus = _shuffled(corpus)
    return corpus.head(size).sort("doc_id"), corpus.tail(N_SPARE), pl.concat(queries)


def _shuffled(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(pl.col("doc_id").hash(seed=3))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arguments", nargs="*", metavar="DOCUMENTS or FOLDER")
    parser.add_argument("--stability", action="store_true")
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        measure(options.one)
    elif options.stability:
        stability([Path(folder) for folder in options.arguments], options.size, options.draws)
    else:
        growth([int(count) for count in options.arguments] or [10_000, 100_000])
