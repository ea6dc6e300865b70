"""The vector store: time to read documents from it against encoding them, and grades in 8 bits.

    python relabel_assets_tests/benchmarks/vector_store.py --corpus data/support_desk
    python relabel_assets_tests/benchmarks/vector_store.py --passages 30000

Either needs no finished run. Passages are made of random words of the embedded base's vocabulary, 60 each.
First all documents are encoded and kept, then a new store gives them back; the ratio is of the two in
this process. Vectors that differ in a single bit are an error.

With a corpus that has recorded grades, a student is trained twice with the store, and the second
training has to read no document. Then the first student grades all candidates twice: with vectors of 8
bits a value, and with vectors in full precision, from the same encoder. The share of equal grades is what
8 bits cost. Everything is in a temporary folder.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from relabel_assets.benchmark.cut_points import grades_from
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.corpus.folders import Corpora
from relabel_assets.corpus.pairs import training_pairs, with_texts
from relabel_assets.graph.project import Project
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.running import runner
from relabel_assets.student import Labeler, corpus_sample, train_student
from relabel_assets.student.base import base_path
from relabel_assets.student.calibration import expected_grades
from relabel_assets.student.late_interaction.cache import (
    DOCUMENTS_PER_CHUNK,
    iter_encoded_documents,
)
from relabel_assets.student.late_interaction.documents import EncodedDocument, encode_documents
from relabel_assets.student.late_interaction.scoring import feature_matrix
from relabel_assets.student.runtime.encoder import Encoder, load_encoder
from relabel_assets.student.vectors.store import VectorStore, stored_files
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
from relabel_assets.warehouse.warehouse import Warehouse

_BEFORE_THE_STUDENT = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates"]
_BEFORE_THE_STUDENT += ["teacher_labels"]


def made_passages(n: int) -> pl.DataFrame:
    """`n` documents of 60 words each, a passage of a web page."""
    draw = random.Random(13)
    encoder = load_encoder(base_path("embedded"), max_length=192)
    words = sorted(word for word in encoder.tokenizer.get_vocab() if word.isalpha())
    bodies = [" ".join(draw.choices(words, k=60)) for _ in range(n)]
    no_text = pl.lit(None, pl.String)
    return pl.DataFrame({"doc_id": [f"d{i}" for i in range(n)], "body": bodies}).with_columns(
        no_text.alias(name) for name in DOCUMENT_COLUMNS if name != "body"
    )


def read_all(
    encoder: Encoder, documents: pl.DataFrame, folder: Path
) -> tuple[float, list[int], VectorStore]:
    """Read `documents` with a new store: seconds, a hash of each document's vectors, the store."""
    store, started, spent, hashes = VectorStore(folder), time.perf_counter(), 0.0, []
    for _, document in iter_encoded_documents(encoder, documents, shown, store=store):
        paused = time.perf_counter()
        hashes.append(hash(document.token_vectors.numpy().tobytes()))
        spent += time.perf_counter() - paused
    return time.perf_counter() - started - spent, hashes, store


def shown(step: str, done: int, total: int, note: str = "") -> None:
    if done % 5000 < DOCUMENTS_PER_CHUNK:
        print(f"  {step} {done:,}/{total:,} {note}", flush=True)


def measure_speed(documents: pl.DataFrame, folder: Path) -> None:
    encoder = load_encoder(base_path("embedded"), max_length=192)
    encode_s, encoded, first = read_all(encoder, documents, folder)
    read_s, from_store, second = read_all(encoder, documents, folder)
    if encoded != from_store:
        raise SystemExit("the store gives other vectors than the encoder")
    n, n_distinct = documents.height, first.counts["documents_read"]
    n_bytes = sum(file.n_bytes for file in stored_files(folder))
    print(f"{n:,} documents, {torch.get_num_threads()} threads, {encoder.inference.dtype}")
    print(f"encoded: {dict(first.counts)} in {encode_s:.1f} s, {n / encode_s:,.0f} a second")
    print(f"stored: {dict(second.counts)} in {read_s:.1f} s, {n / read_s:,.0f} a second")
    print(f"the store is {encode_s / read_s:.0f} times as fast; no bit of the vectors differs")
    print(f"{n_bytes / 1e6:,.1f} MB, {n_bytes / n_distinct:,.0f} bytes a document")


def documents_in_full_precision(
    encoder: Encoder, pairs: pl.DataFrame
) -> Iterator[tuple[str, EncodedDocument]]:
    documents = pairs.unique("doc_id", maintain_order=True)
    for start in range(0, documents.height, DOCUMENTS_PER_CHUNK):
        chunk = documents.slice(start, DOCUMENTS_PER_CHUNK)
        yield from zip(chunk["doc_id"], encode_documents(encoder, chunk.to_dicts()), strict=True)
        shown("encoding in full precision", start, documents.height)


def measure_grades(
    training: pl.DataFrame,
    sample: pl.DataFrame,
    candidates: pl.DataFrame,
    rubric: Rubric,
    scratch: Path,
) -> None:
    """Print the documents that a second training reads, and the share of grades that 8 bits keep."""
    for seed in (13, 14):
        store = VectorStore(scratch / "vectors")
        started = time.perf_counter()
        train_student(
            training,
            corpus=sample,
            config=StudentConfig(seed=seed),
            rubric=rubric,
            folder=scratch / f"student {seed}",
            store=store,
        )
        print(
            f"training with seed {seed}: {time.perf_counter() - started:.0f} s, {dict(store.counts)}"
        )
    labeler = Labeler.load(scratch / "student 13", store=VectorStore(scratch / "vectors"))
    grader: Any = labeler.grader
    in_8_bits = grader.scores(candidates)
    documents = documents_in_full_precision(grader.document_encoder, candidates)
    features = feature_matrix(grader.scorer, documents, candidates, grader.statistics)
    exact = grader.head.scores(features)
    exact = grader.guard.guarded(exact, features) if grader.guard else exact
    expected = [
        expected_grades(labeler.calibration.grade_probs(scores)) for scores in (in_8_bits, exact)
    ]
    grades = [grades_from(values, labeler.points) for values in expected]
    stays = float(np.mean(np.equal(*grades)))
    change = np.abs(expected[0] - expected[1])
    print(
        f"{candidates.height:,} candidates: {stays:.3%} of grades stay, the expected grade changes by "
        f"{change.mean():.5f} in the mean and {change.max():.4f} at most"
    )


def measure_corpus(folder: Path, scratch: Path) -> None:
    name = folder.name
    project = Project(home_path=str(scratch / "home"), data_path=str(folder.parent.resolve()))
    (scratch / "home").mkdir()
    outcome = runner.run_corpus(project, name, _BEFORE_THE_STUDENT)
    if not outcome.is_success:
        raise SystemExit(outcome.failures)
    warehouse = Warehouse.at(project.home.warehouse)
    documents, queries, labels, candidates = (
        warehouse.read(table, name)
        for table in ("seed_docs", "synthetic_queries", "teacher_labels", "bm25_candidates")
    )
    print(name)
    measure_speed(documents, scratch / "vectors")
    measure_grades(
        training_pairs(labels, queries, documents),
        corpus_sample(documents, StudentConfig()),
        with_texts(candidates.select("query_id", "doc_id"), queries, documents),
        Corpora(folder.parent).open(name).rubric,
        scratch,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--corpus", type=Path, help="the folder of a corpus")
    what.add_argument("--passages", type=int, help="the number of passages to make")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.corpus:
            measure_corpus(arguments.corpus, Path(scratch))
        else:
            measure_speed(made_passages(arguments.passages), Path(scratch) / "vectors")


if __name__ == "__main__":
    main()
