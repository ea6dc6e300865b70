"""The search index of candidates at scale, beside bm25s and bare tantivy on the same words.

    python relabel_assets_tests/benchmarks/bm25_scale.py [--documents 100000] [--queries 1000]

Documents have 20 to 200 words, drawn by Zipf's law from 200,000 made words that no stemmer changes. Queries
have 2 to 6. Each engine runs in a process of its own and reads the same file. `ours` searches three fields,
of which two are empty here, with the analyzer, the order of ties and the scratch folder of
candidates/bm25.py. `tantivy` is one field of white-space words, with one writer thread as ours. `bm25s` has
its words in memory (method lucene, k1 1.2, b 0.75).

Printed: seconds of indexing, queries a second, the most memory of the process, and each as a ratio to bm25s.
Then how many queries have the same top 10 as bare tantivy, up to equal scores, and the share of bm25s's top
10 that is found. tantivy rounds the length of a document to one byte, so its scores differ from bm25s's by
some percent.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from relabel_assets.tables.vocabulary import DOCUMENT_METADATA

WORDS, TOP, BATCH = 200_000, 10, 20_000
ENGINES = ("ours", "tantivy", "bm25s")
_EQUAL = 1e-6  # float32 sums in another order
Hits = list[list[tuple[str, float]]]


def made_texts(count: int, shortest: int, longest: int, seed: int) -> Iterator[str]:
    """Texts of words such as "qa1c", by Zipf's law with exponent 1.07 (that of English, near 1)."""
    draw = np.random.default_rng(seed)
    weights = np.cumsum(1 / np.arange(1, WORDS + 1) ** 1.07)
    for start in range(0, count, BATCH):
        lengths = draw.integers(shortest, longest + 1, size=min(BATCH, count - start))
        ranks = np.searchsorted(weights, draw.random(int(lengths.sum())) * weights[-1])
        words = [f"q{rank:x}q" for rank in ranks.tolist()]
        ends = np.cumsum(lengths)
        for length, end in zip(lengths.tolist(), ends.tolist(), strict=True):
            yield " ".join(words[end - length : end])


def frames(file: Path) -> Iterator[pl.DataFrame]:
    """The documents as frames of seed_docs rows."""
    empty = {name: pl.lit(None, pl.String) for name in ("title", *DOCUMENT_METADATA)}
    with file.open() as lines:
        number, batch = 0, list[str]()
        for line in lines:
            batch.append(line.rstrip("\n"))
            if len(batch) == BATCH:
                yield _frame(number, batch).with_columns(**empty)
                number, batch = number + len(batch), []
        if batch:
            yield _frame(number, batch).with_columns(**empty)


def _frame(first: int, bodies: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"doc_id": [f"d{first + n:07}" for n in range(len(bodies))], "body": bodies}
    )


def ours(file: Path, queries: list[str], scratch: Path) -> tuple[float, float, Hits]:
    from relabel_assets.candidates.bm25 import bm25_index

    started = time.monotonic()
    with bm25_index(frames(file), scratch=scratch) as bm25:
        indexed = time.monotonic()
        hits = [bm25.top(query, 2 * TOP) for query in queries]
        return indexed - started, time.monotonic() - indexed, hits


def tantivy(file: Path, queries: list[str], scratch: Path) -> tuple[float, float, Hits]:
    import tantivy

    builder = tantivy.SchemaBuilder().add_text_field("doc_id", stored=True, tokenizer_name="raw")
    builder = builder.add_text_field("body", tokenizer_name="white", index_option="freq")
    started = time.monotonic()
    index = tantivy.Index(builder.build(), path=str(scratch))
    index.register_tokenizer(
        "white", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    )
    writer = index.writer(heap_size=64 * 1024 * 1024, num_threads=1)
    for frame in frames(file):
        for doc_id, body in frame.select("doc_id", "body").iter_rows():
            writer.add_document(tantivy.Document(doc_id=[doc_id], body=[body]))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    indexed, searcher, hits = time.monotonic(), index.searcher(), []
    for query in queries:
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(index.schema, "body", word, "freq"))
            for word in query.split()
        ]
        found = searcher.search(tantivy.Query.boolean_query(terms), 2 * TOP).hits
        hits.append(
            [(searcher.doc(address)["doc_id"][0], float(score)) for score, address in found]
        )
    return indexed - started, time.monotonic() - indexed, hits


def bm25s(file: Path, queries: list[str], _: Path) -> tuple[float, float, Hits]:
    import bm25s

    started = time.monotonic()
    retriever = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    corpus = [body.split() for frame in frames(file) for body in frame["body"]]
    retriever.index(corpus, show_progress=False)
    indexed, hits = time.monotonic(), []
    for query in queries:
        rows, scores = retriever.retrieve([query.split()], k=2 * TOP, show_progress=False)
        pairs = zip(rows[0].tolist(), scores[0].tolist(), strict=True)
        hits.append([(f"d{row:07}", score) for row, score in pairs if score > 0])
    return indexed - started, time.monotonic() - indexed, hits


def measured(engine: str, folder: Path) -> None:
    """Run one engine and print its numbers and hits as JSON."""
    queries = (folder / "queries.txt").read_text().splitlines()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run = globals()[engine]
        index_s, search_s, hits = run(folder / "documents.txt", queries, Path(scratch))
    highest_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    numbers = {"index_s": index_s, "per_s": len(queries) / search_s, "mb": highest_mb}
    print(json.dumps({**numbers, "hits": hits}))


def is_same(found: list[tuple[str, float]], rival: list[tuple[str, float]]) -> bool:
    """Whether two top tens have the same documents, save those that tie with the last place."""
    if not found or not rival:
        return not found and not rival
    best, last = {doc_id for doc_id, _ in found[:TOP]}, rival[:TOP][-1][1]
    sure = {doc_id for doc_id, score in rival[:TOP] if score > last * (1 + _EQUAL)}
    others_tie = all(
        score <= last * (1 + _EQUAL) for doc_id, score in found[:TOP] if doc_id not in sure
    )
    return sure <= best and others_tie and len(best) == len(rival[:TOP])


def share_found(found: list[tuple[str, float]], rival: list[tuple[str, float]]) -> float:
    """The share of the rival's top ten that is in the top ten of `found`; 1 if it has none."""
    wanted = {doc_id for doc_id, _ in rival[:TOP]}
    return len(wanted & {doc_id for doc_id, _ in found[:TOP]}) / len(wanted) if wanted else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        measured(options.engine, options.folder)
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        texts = made_texts(options.documents, 20, 200, seed=7)
        with (Path(folder) / "documents.txt").open("w") as file:
            file.writelines(f"{text}\n" for text in texts)
        (Path(folder) / "queries.txt").write_text(
            "\n".join(made_texts(options.queries, 2, 6, seed=11))
        )
        for engine in ENGINES:
            command = [sys.executable, __file__, "--engine", engine, "--folder", folder]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            results[engine] = json.loads(output.splitlines()[-1])
            print(f"{engine} done", file=sys.stderr, flush=True)
    rival = results["bm25s"]
    print(f"{options.documents:,} documents, {options.queries:,} queries")
    for engine, result in results.items():
        same = sum(map(is_same, result["hits"], results["tantivy"]["hits"]))
        found = np.mean(list(map(share_found, result["hits"], rival["hits"])))
        print(
            f"{engine:<8} index {result['index_s']:7.1f} s (x{result['index_s'] / rival['index_s']:.2f})"
            f" | {result['per_s']:8.0f} queries a second (x{result['per_s'] / rival['per_s']:.2f})"
            f" | at most {result['mb']:6.0f} MB (x{result['mb'] / rival['mb']:.2f})"
            f" | same top {TOP} as tantivy: {same:,}, of bm25s: {found:.1%}"
        )


if __name__ == "__main__":
    main()
