"""Pseudo-relevance feedback: the mean and the heaviest words of a query's nearest windows.

What belongs here: a query's feedback. What does not: comparing a document with it (features.py).
Imported only where a model is needed: it loads torch.

Documents that answer one query resemble each other. So the windows nearest to the query, taken
without a grade, show what further relevant documents look like (Rocchio 1971, Lavrenko & Croft
2001).

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

# Many enough that the farthest of them only share the topic. Measured beside 1,000, see
# docs/experiments.md.
_N_NEAREST = 300
# A window that is 0.1 nearer than another counts exp(2) = 7 times as much. Measured beside 12 and
# 40, see docs/experiments.md.
_COSINE_SCALE = 20.0
_N_WORDS = (
    256  # keeps a query's feedback small: the other words of some thousand have next to no weight
)
# Queries at once: their cosines with all windows of a corpus, at most 32,768 (see sample.py), take
# 8 MB.
_QUERIES_PER_CHUNK = 64
_MIN_NORM = 1e-9  # keeps 0 / 0 out of feedback from windows without words


@dataclass(frozen=True)
class QueryFeedback:
    """What the corpus has near a query.

    `mean` and `negative_mean` (H,) are unit vectors. `word_ids` and `word_weights` (K,) are the
    heaviest words, their squared weights sum to 1. `background_mean` and `background_std` (2,) are
    of the corpus' cosines with (`mean`, the words).
    """

    mean: Tensor
    negative_mean: Tensor
    word_ids: NDArray
    word_weights: NDArray
    background_mean: NDArray
    background_std: NDArray


class FeedbackWindows:
    """The windows among which a query finds its nearest: M windows of D documents.

    `vectors` (M, H) are the windows' unit mean vectors, `document_of_window` (M,) is the row of
    each in `word_counts` (D, V).
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
        """From each document's window vectors (W, H) and words. Vectors are rounded to half
        precision, as they are saved."""
        n_windows = [len(of_document) for of_document in window_vectors]
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
            for cosines, places in zip(nearest.values, nearest.indices, strict=True):
                results.append(self._from_nearest(cosines, places))
        return results

    def _from_nearest(self, cosines: Tensor, places: Tensor) -> QueryFeedback:
        """The feedback from one query's nearest windows: their cosines with it, and their places
        among all, (n,) each."""
        weights = torch.softmax(_COSINE_SCALE * torch.stack([cosines, -cosines]), dim=1)  # (2, n)
        mean, negative_mean = nn.functional.normalize(weights @ self.vectors[places], dim=1)
        # Each window counts with the words of its whole document.
        documents = self.document_of_window[places.numpy()]
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
