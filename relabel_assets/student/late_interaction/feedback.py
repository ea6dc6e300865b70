"""Pseudo-relevance feedback: the mean and the heaviest words of a query's nearest windows.

What belongs here: a query's feedback. What does not: comparing a document with it (features.py).
Imported only where a model is needed: it loads torch.

Documents that answer one query resemble each other. So the query's nearest windows describe its
relevant documents, without any grade (Rocchio 1971, Lavrenko & Croft 2001).

- Feedback: the mean of the query's 300 nearest windows, weighted by exp(20 cosine), and their heaviest words.
- Negative feedback: the same windows, weighted by exp(-20 cosine). A document near this mean shares
  the query's topic but does not answer it (Wang, Fang & Zhai 2008).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from relabel_assets.student.late_interaction.background import MIN_STD
from relabel_assets.student.late_interaction.word_statistics import WordStatistics, count_matrix

# Enough that the farthest windows only share the topic. Measured: feedback from 100 and negative feedback
# from 1,000 make no difference (docs/experiments.md).
_N_NEAREST = 300
# A cosine greater by 0.1 weighs exp(2) = 7 times as much. Measured beside 12 and 40 (docs/experiments.md).
_COSINE_SCALE = 20.0
# Keeps a query's feedback small: its windows have some thousand words, and the others weigh little.
_N_WORDS = 256
# Their cosines with all windows of a corpus, at most 32,768 (student/sample.py), take 8 MB.
_QUERIES_PER_CHUNK = 64
_MIN_NORM = 1e-9  # keeps 0 / 0 out of feedback from windows without words


@dataclass(frozen=True)
class QueryFeedback:
    """The means and the heaviest words of a query's nearest windows.

    `mean` and `negative_mean` (H,) are unit vectors. `word_ids` and `word_weights` (K,) are the
    heaviest words; their squared weights sum to 1. `background_mean` and `background_std` (2,)
    describe the cosines of the whole corpus: of its windows with `mean`, of its documents with the words.
    """

    mean: Tensor
    negative_mean: Tensor
    word_ids: NDArray
    word_weights: NDArray
    background_mean: NDArray
    background_std: NDArray


class FeedbackWindows:
    """M windows of D documents, from which each query's nearest are taken.

    `vectors` (M, H) are the windows' unit mean vectors. `document_of_window` (M,) is each window's
    row of `word_counts` (D, V).
    """

    def __init__(
        self,
        vectors: Tensor,
        document_of_window: NDArray,
        word_counts: csr_array,
        words: WordStatistics,
    ) -> None:
        self.vectors = vectors
        self.document_of_window = document_of_window
        self.word_counts = word_counts
        self._tfidf = words.tfidf(word_counts)  # (D, V)

    @classmethod
    def from_documents(
        cls,
        window_vectors: Sequence[Tensor],
        word_counts: Sequence[Mapping[int, int]],
        words: WordStatistics,
    ) -> "FeedbackWindows":
        """The windows of documents, given by window vectors (W, H) and word counts of each.

        Vectors are rounded to half precision, as when they are saved.
        """
        n_windows = [len(vectors) for vectors in window_vectors]
        return cls(
            torch.cat(list(window_vectors)).half().float(),
            np.repeat(np.arange(len(n_windows)), n_windows),
            count_matrix(word_counts, len(words.idf)),
            words,
        )

    def feedback(self, queries: Tensor) -> list[QueryFeedback]:
        """The feedback of each query, given as unit vectors (Q, H)."""
        results = []
        for chunk in queries.split(_QUERIES_PER_CHUNK):
            n_nearest = min(_N_NEAREST, len(self.vectors))
            nearest = (chunk @ self.vectors.T).topk(n_nearest, dim=1)  # (chunk, n_nearest)
            for cosines, windows in zip(nearest.values, nearest.indices, strict=True):
                results.append(self._from_nearest(cosines, windows))
        return results

    def _from_nearest(self, cosines: Tensor, windows: Tensor) -> QueryFeedback:
        """The feedback from a query's nearest windows: cosines and rows of `vectors`, (n,) each."""
        weights = torch.softmax(_COSINE_SCALE * torch.stack([cosines, -cosines]), dim=1)  # (2, n)
        mean, negative_mean = nn.functional.normalize(weights @ self.vectors[windows], dim=1)
        # Each window contributes the words of its whole document.
        documents = self.document_of_window[windows.numpy()]
        tfidf = weights[0].double().numpy() @ self._tfidf[documents]  # (V,)
        heaviest = np.argpartition(-tfidf, min(_N_WORDS, len(tfidf) - 1))[:_N_WORDS]
        word_ids = np.sort(heaviest)
        word_vector = np.zeros(len(tfidf))
        word_vector[word_ids] = tfidf[word_ids] / max(np.linalg.norm(tfidf[word_ids]), _MIN_NORM)
        corpus_cosines = (
            (self.vectors @ mean).double().numpy(),  # (M,)
            self._tfidf @ word_vector,  # (D,)
        )
        return QueryFeedback(
            mean=mean,
            negative_mean=negative_mean,
            word_ids=word_ids,
            word_weights=word_vector[word_ids],
            background_mean=np.array([values.mean() for values in corpus_cosines]),
            background_std=np.maximum([values.std() for values in corpus_cosines], MIN_STD),
        )
