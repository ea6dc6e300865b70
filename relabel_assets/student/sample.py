"""The documents by which a student knows its corpus, graded or not.

What belongs here: which they are. What does not: what is made of them (collection.py).
"""

import hashlib

import polars as pl

from relabel_assets.corpus.config import StudentConfig
from relabel_assets.corpus.pairs import DOCUMENT_COLUMNS
from relabel_assets.student.windows import BODY_CHARACTERS, WINDOW_WORDS

WINDOWS = 32_768  # 25 MB of the student's folder, and a few minutes of reading


def corpus_sample(documents: pl.DataFrame, config: StudentConfig) -> pl.DataFrame:
    """All of `documents`, or as many as have 32,768 windows; none where the architecture reads pairs alone.

    They are drawn by a hash of their id, so that those of queries for training and of others are as likely to be among
    them, and a new document changes little. Columns: doc_id and DOCUMENT_COLUMNS.
    """
    known = documents.select("doc_id", *DOCUMENT_COLUMNS)
    if config.architecture != "late_interaction":
        return known.clear()
    words = pl.col("body").fill_null("").str.slice(0, BODY_CHARACTERS).str.count_matches(r"\S+")
    counted = documents.select(
        "doc_id",
        drawn=pl.Series([hashlib.sha256(doc_id.encode()).digest() for doc_id in documents["doc_id"]], dtype=pl.Binary),
        windows=((words + WINDOW_WORDS - 1) // WINDOW_WORDS).clip(lower_bound=1),
    ).sort("drawn")
    kept = counted.filter((pl.col("windows").cum_sum() <= WINDOWS) | (pl.int_range(pl.len()) == 0))
    return known.join(kept, on="doc_id", how="semi").sort("doc_id")
