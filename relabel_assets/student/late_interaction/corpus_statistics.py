"""Corpus statistics: word rarity, background windows and feedback windows, computed without grades.

What belongs here: the three kinds of statistics together, and computing them for a corpus. What
does not: their formulas (word_statistics.py, background.py, feedback.py). Imported only where a
model is needed: it loads torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from relabel_assets.progress import Progress, silent
from relabel_assets.student.late_interaction.background import BackgroundWindows
from relabel_assets.student.late_interaction.cache import iter_encoded_documents
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.feedback import FeedbackWindows
from relabel_assets.student.late_interaction.word_statistics import WordStatistics
from relabel_assets.student.runtime.encoder import Encoder
from relabel_assets.student.vectors.store import VectorStore
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

# Enough for a mean and a standard deviation, and few enough to compare each query with all of them.
# Other numbers were not measured.
_BACKGROUND_DOCUMENTS = 64


@dataclass(frozen=True)
class CorpusStatistics:
    """The statistics behind a pair's features: `words`, `background` scores, `feedback` windows."""

    words: WordStatistics
    background: BackgroundWindows
    feedback: FeedbackWindows


def compute_corpus_statistics(
    encoder: Encoder,
    encoded: Mapping[str, EncodedDocument],
    pairs: pl.DataFrame,
    corpus: pl.DataFrame,
    seed: int,
    progress: Progress = silent,
    store: VectorStore | None = None,
) -> CorpusStatistics:
    """The statistics for a student that is trained on `pairs` and `corpus`.

    `encoded` has the documents of `pairs` by doc_id: word statistics and background come from them.
    Feedback comes from the documents of `corpus`; those in `encoded` are not read again.

    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> texts = {name: ["parental leave", "travel"] for name in DOCUMENT_COLUMNS}
    >>> corpus = pl.DataFrame({"doc_id": ["d1", "d2"], **texts})
    >>> encoded = dict(iter_encoded_documents(encoder, corpus, silent))
    >>> statistics = compute_corpus_statistics(encoder, encoded, corpus, corpus, seed=13)
    >>> len(statistics.background.lengths), statistics.feedback.vectors.shape
    (2, torch.Size([2, 384]))
    """
    graded_documents = [encoded[doc_id] for doc_id in pairs["doc_id"].unique()]
    words = WordStatistics.from_documents(graded_documents, len(encoder.tokenizer))
    documents = _background_documents(pairs, seed)
    of_background = [encoded[document["doc_id"]] for document in documents]
    background = BackgroundWindows.from_documents(encoder, documents, of_background)
    feedback = _feedback_windows(encoder, encoded, corpus, words, progress, store)
    return CorpusStatistics(words, background, feedback)


def _background_documents(pairs: pl.DataFrame, seed: int) -> list[dict[str, Any]]:
    """A random sample of the documents of `pairs`, at most _BACKGROUND_DOCUMENTS."""
    documents = pairs.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
    return documents.sample(min(_BACKGROUND_DOCUMENTS, documents.height), seed=seed).to_dicts()


def _feedback_windows(
    encoder: Encoder,
    encoded: Mapping[str, EncodedDocument],
    corpus: pl.DataFrame,
    words: WordStatistics,
    progress: Progress,
    store: VectorStore | None,
) -> FeedbackWindows:
    """The feedback windows of `corpus`, of which the documents in `encoded` are not read again."""
    # Only window vectors and word counts: token vectors of a whole corpus would not fit the memory.
    window_vectors, word_counts = [], []
    for doc_id in corpus["doc_id"]:
        if doc_id in encoded:
            window_vectors.append(encoded[doc_id].window_vectors)
            word_counts.append(encoded[doc_id].word_counts)
    missing = corpus.filter(~pl.col("doc_id").is_in(list(encoded)))
    for _, document in iter_encoded_documents(encoder, missing, progress, store=store):
        window_vectors.append(document.window_vectors)
        word_counts.append(document.word_counts)
    return FeedbackWindows.from_documents(window_vectors, word_counts, words)
