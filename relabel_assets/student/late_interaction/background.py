"""Background windows: a query's scores with documents that were not chosen for it.

What belongs here: the windows, and the statistics of a query's scores with them. What does not: the
windows near a query (feedback.py). Imported only where a model is needed: it loads torch.

A cosine alone says little: a long or vague query has a high cosine with every document. So a score
also gets a z-score: its distance above the mean of the query's background scores, in standard
deviations (z-norm, Auckenthaler et al. 2000).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.word_statistics import WordStatistics
from relabel_assets.student.runtime.encoder import Encoder
from relabel_assets.student.windows import windows

# Scores in `top_mean`. More than one, because a single window may be relevant by chance. Not measured.
_N_TOP_SCORES = 3
# Keeps a z-score finite where all scores are equal, such as BM25's of a word that no window has.
MIN_STD = 1e-3


@dataclass(frozen=True)
class BackgroundScores:
    """Statistics of one query's scores with all background windows.

    `mean` and `std` are (2,): of late interaction, and of the BM25 share. `top_mean` is the mean of
    the three greatest late interactions.
    """

    mean: NDArray
    std: NDArray
    top_mean: float


class BackgroundWindows:
    """M windows, one of each of M documents.

    `token_vectors` (tokens of all windows, H) come window after window; `lengths` (M,) are the
    windows' numbers of tokens. `word_ids` are the word pieces of each window.
    """

    def __init__(
        self, token_vectors: Tensor, word_ids: Sequence[Sequence[int]], lengths: Sequence[int]
    ) -> None:
        self.token_vectors, self.word_ids, self.lengths = token_vectors, word_ids, lengths
        self._starts = np.cumsum([0, *lengths[:-1]])
        self._n_words = np.array([len(ids) for ids in word_ids], dtype=float)
        self._counts: dict[int, NDArray] = {}  # by word: its count in each window, (M,)
        for window, ids in enumerate(word_ids):
            for word in ids:
                self._counts.setdefault(word, np.zeros(len(word_ids)))[window] += 1

    @classmethod
    def from_documents(
        cls,
        encoder: Encoder,
        documents: Sequence[Mapping[str, Any]],
        encoded: Sequence[EncodedDocument],
    ) -> "BackgroundWindows":
        """The first window of each document, with vectors rounded to half precision as when saved."""
        vectors = [document.token_vectors[: document.window_lengths[0]] for document in encoded]
        word_ids = encoder.words([windows(document)[0] for document in documents])
        lengths = [document.window_lengths[0] for document in encoded]
        return cls(torch.cat(vectors).half().float(), word_ids, lengths)

    def scores(
        self, query: Tensor, weights: Tensor, word_ids: Sequence[int], words: WordStatistics
    ) -> BackgroundScores:
        """The background scores of one query: token vectors (T, H), weights (T,) and word ids."""
        cosines = (self.token_vectors @ query.T).numpy()  # (tokens of all windows, T)
        max_cosines = np.maximum.reduceat(cosines, self._starts, axis=0)  # (M, T)
        absent = np.zeros(len(self.word_ids))
        # np.stack refuses an empty list: one column more, dropped again, serves a query without words.
        columns = [absent, *(self._counts.get(word, absent) for word in word_ids)]
        counts = np.stack(columns, axis=1)[:, 1:]  # (M, words of the query)
        late_interaction = max_cosines @ weights.numpy()
        bm25_shares = words.bm25_shares(word_ids, counts, self._n_words)
        scores = np.stack([late_interaction, bm25_shares], axis=1)  # (M, 2)
        return BackgroundScores(
            mean=scores.mean(axis=0),
            std=np.maximum(scores.std(axis=0), MIN_STD),
            top_mean=float(np.sort(scores[:, 0])[-_N_TOP_SCORES:].mean()),
        )
