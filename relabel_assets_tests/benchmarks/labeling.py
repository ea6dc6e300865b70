"""Pairs a second of a student beside sentence-transformers' CrossEncoder.predict on the same base, in the same run.

    python relabel_assets_tests/benchmarks/labeling.py 1000 10000 [--corpus people_handbook] [--rival-pairs 500]

It needs a finished `relabel run` and the extra `benchmarks`. Pairs are queries with documents of the corpus, so a document
meets several queries: the student reads it once, a cross-encoder with each. The more pairs, the more queries a document
has; beyond all pairs of the corpus, queries repeat with other words added. The rival's rate does not depend on the
number of pairs and is measured on `--rival-pairs`. Its head is untrained: its speed is compared, not its grades.
"""

import argparse
import resource
import time

import polars as pl
import torch
from sentence_transformers import CrossEncoder

from relabel_assets import Labeler, runner
from relabel_assets.core.pairs import DOCUMENT_COLUMNS
from relabel_assets.core.student.base import base_path
from relabel_assets.core.student.windows import header


def pairs_of(queries: pl.DataFrame, documents: pl.DataFrame, n: int) -> pl.DataFrame:
    """`n` pairs: every document with a query, then with the next, and so on."""
    rows = []
    for number in range(n):
        turn, place = divmod(number, documents.height)
        again, query = divmod((turn + place * 7) % (queries.height * (1 + turn // queries.height)), queries.height)
        text = queries["text"][query] + (f" {again}" if again else "")
        rows.append((f"{query}-{again}", text, place))
    frame = pl.DataFrame(rows, schema=["query_id", "text", "place"], orient="row")
    return frame.join(documents.with_row_index("place").cast({"place": pl.Int64}), on="place", maintain_order="left")


def matrix_peak() -> float:
    """This machine's fp32 rate on a large product, in GFLOP a second."""
    a = torch.rand(2048, 2048)
    a @ a
    started = time.perf_counter()
    for _ in range(5):
        a @ a
    return 5 * 2 * 2048**3 / (time.perf_counter() - started) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=int, nargs="+")
    parser.add_argument("--corpus", default="people_handbook")
    parser.add_argument("--rival-pairs", type=int, default=500)
    given = parser.parse_args()
    project, warehouse = runner.from_environment()
    queries, documents = (warehouse.read(name, given.corpus) for name in ("synthetic_queries", "seed_docs"))
    documents = documents.select("doc_id", *DOCUMENT_COLUMNS)
    student = warehouse.read("student_model", given.corpus).filter("is_current").row(0, named=True)
    print(f"{given.corpus}: {documents.height} documents, {torch.get_num_threads()} threads, "
          f"matrix peak {matrix_peak():.0f} GFLOP/s")  # fmt: skip

    rival = CrossEncoder(base_path(student["base_model"]), num_labels=1, max_length=512)
    asked = pairs_of(queries, documents, given.rival_pairs)
    words = [
        (row["text"], f"{header(row)}\n{row['body']}") for row in asked.to_dicts()
    ]  # fmt: skip
    rival.predict(words[:32])
    started = time.perf_counter()
    rival.predict(words, batch_size=32, show_progress_bar=False)
    rival_rate = len(words) / (time.perf_counter() - started)
    print(f"CrossEncoder.predict: {rival_rate:.1f} pairs/s on {len(words)} pairs")

    labeler = Labeler.load(project.home.path / student["path"])
    labeler.grade(asked.head(8))
    for n in given.pairs:
        frame = pairs_of(queries, documents, n)
        started = time.perf_counter()
        labeler.grade(frame)
        rate = n / (time.perf_counter() - started)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{student['architecture']}, {n:,} pairs: {rate:.1f} pairs/s, {memory:.0f} MB, "
              f"speedup vs CrossEncoder.predict: {rate / rival_rate:.1f}x")  # fmt: skip


if __name__ == "__main__":
    main()
