"""The sample of documents, graded or not, from which a student computes its corpus statistics.

What belongs here: choosing the documents. What does not: computing the statistics of these documents
(late_interaction/corpus_statistics.py).
"""

import hashlib

import polars as pl

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.student.architectures import architecture
from relabel_assets.student.windows import BODY_CHARACTERS, WINDOW_WORDS, unspaced_windows
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

# A student saves a vector of 384 numbers of 2 bytes for each window: 25 MB, encoded in a few minutes.
MAX_WINDOWS = 32_768


def corpus_sample(documents: pl.DataFrame, config: StudentConfig) -> pl.DataFrame:
    """All of `documents`, or as many of them as have 32,768 windows together.

    None where the architecture uses no corpus. Documents are taken in the order of a hash of their
    id: a new document changes the sample little, and graded documents are not preferred. Columns:
    doc_id and DOCUMENT_COLUMNS.

    >>> texts = {name: ["some text"] * 2 for name in DOCUMENT_COLUMNS}
    >>> documents = pl.DataFrame({"doc_id": ["d2", "d1"], **texts})
    >>> corpus_sample(documents, StudentConfig())["doc_id"].to_list()
    ['d1', 'd2']
    >>> corpus_sample(documents, StudentConfig(architecture="cross_encoder")).height
    0
    """
    texts = documents.select("doc_id", *DOCUMENT_COLUMNS)
    if not architecture(config.architecture).uses_corpus:
        return texts.clear()
    n_words = pl.col("body").fill_null("").str.slice(0, BODY_CHARACTERS).str.count_matches(r"\S+")
    hashes = [hashlib.sha256(doc_id.encode()).digest() for doc_id in documents["doc_id"]]
    n_windows = ((n_words + WINDOW_WORDS - 1) // WINDOW_WORDS).clip(lower_bound=1)
    unspaced = pl.Series([*map(unspaced_windows, documents["body"])], dtype=pl.UInt32)
    by_hash = documents.select(
        "doc_id",
        hash=pl.Series(hashes, dtype=pl.Binary),
        windows=pl.coalesce(unspaced, n_windows),
    ).sort("hash")
    is_first = pl.int_range(pl.len()) == 0  # taken even where it alone has more windows
    taken = by_hash.filter((pl.col("windows").cum_sum() <= MAX_WINDOWS) | is_first)
    return texts.join(taken, on="doc_id", how="semi").sort("doc_id")
