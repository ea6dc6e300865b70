"""What is known of a corpus beside the pair: how rare words are, which scores are ordinary, and what is near a query.

What belongs here: statistics of documents that no one has graded. What does not: one pair's figures (evidence.py). Imported only
where a model is needed.

One cosine says little by itself: long or vague queries find something near in any document. The background, windows of
documents of the training set, tells what is ordinary for a query (z-norm, Auckenthaler et al. 2000). And what is relevant
to a query is alike: the windows of the corpus that are nearest to it tell in which direction, and with which words, further
relevant ones are to be found (pseudo-relevance feedback: Rocchio 1971, Lavrenko & Croft 2001), and the farther of them, in
which direction there is only more about the same things (negative feedback: Wang, Fang & Zhai 2008).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from relabel_assets.student.late_interaction.documents import ReadDocument
from relabel_assets.student.runtime.encoder import Encoder
from relabel_assets.student.windows import windows

BM25_K1, _B = 1.2, 0.25  # BM25 with little length normalisation: documents are cut into windows already
_ORDINARY_BEST = 3
_LEAST_SPREAD = 1e-3
_LEAST_NORM = 1e-9
_NEAREST = 300  # windows that a query's feedback comes from, and
_SHARPNESS = 20.0  # how much more the nearest of them count: a tenth nearer, seven times as much
_FEEDBACK_WORDS = 256
_QUERIES_A_LOOK = 64


@dataclass(frozen=True)
class Lexicon:
    """How rare each word piece is in the training documents: `idf` (V,), and their mean length in word pieces."""

    idf: NDArray
    mean_length: float

    @classmethod
    def of(cls, documents: Sequence[ReadDocument], vocabulary: int) -> "Lexicon":
        """BM25's inverse document frequencies (Robertson & Zaragoza 2009, with the 1 that keeps them positive)."""
        seen = np.zeros(vocabulary)
        for document in documents:
            seen[list(document.counts)] += 1
        lengths = [document.n_words for document in documents]
        return cls(np.log(1 + (len(documents) - seen + 0.5) / (seen + 0.5)), float(np.mean(lengths)) or 1.0)

    def frequencies(self, counts: NDArray, n_words: NDArray) -> NDArray:
        """BM25's term frequencies, 0 to BM25_K1 + 1, of `counts` in documents of `n_words`."""
        length = BM25_K1 * (1 - _B + _B * n_words / self.mean_length)
        return counts * (BM25_K1 + 1) / (counts + length)

    def bm25_shares(self, ids: Sequence[int], counts: NDArray, n_words: NDArray) -> NDArray:
        """BM25 of documents with these `counts` (M, T) and lengths (M,), as shares of the most there could be; (M,)."""
        idf = self.idf[list(ids)]
        scores = (idf * self.frequencies(counts, n_words[:, None])).sum(axis=1)
        return scores / (idf.sum() * (BM25_K1 + 1) + 1e-6)

    def weighed(self, counts: csr_array) -> csr_array:
        """tf-idf of word counts (N, V), (1 + log n) * idf; rows are unit vectors (Salton & Buckley 1988), or nothing."""
        found = csr_array((1 + np.log(counts.data), counts.indices, counts.indptr), counts.shape)
        found.data *= self.idf[found.indices]
        norms = np.sqrt(found.multiply(found).sum(axis=1))
        found.data /= np.repeat(np.maximum(norms, _LEAST_NORM), np.diff(found.indptr))
        return found


class Background:
    """Windows of documents by which a query's ordinary scores are known; `vectors` (M, H), `lengths` and words of each."""

    def __init__(self, vectors: Tensor, words: Sequence[Sequence[int]], lengths: Sequence[int]) -> None:
        self.vectors, self.words, self.lengths = vectors, words, lengths
        self._starts = np.cumsum([0, *lengths[:-1]])
        self._n_words = np.array([len(ids) for ids in words], dtype=float)
        self._counts: dict[int, NDArray] = {}  # of each word, in every window
        for place, ids in enumerate(words):
            for i in ids:
                self._counts.setdefault(i, np.zeros(len(words)))[place] += 1

    @classmethod
    def of(cls, encoder: Encoder, documents: Sequence[Mapping[str, Any]]) -> "Background":
        """The first window of each document; vectors are rounded to half precision, in which they are saved."""
        texts = [windows(document)[0] for document in documents]
        vectors = encoder.encode(texts)
        return cls(torch.cat(vectors).half().float(), encoder.words(texts), [len(part) for part in vectors])

    def ordinary(
        self, vectors: Tensor, weights: Tensor, ids: Sequence[int], lexicon: Lexicon
    ) -> tuple[NDArray, NDArray, float]:
        """Means (2,) and spreads (2,) of late interaction and BM25 share, and the mean of the best late interactions."""
        met = (self.vectors @ vectors.T).numpy()  # (M tokens, T)
        best = np.maximum.reduceat(met, self._starts, axis=0)  # (M, T)
        none = np.zeros(len(self.words))
        counts = np.stack([none, *(self._counts.get(i, none) for i in ids)], axis=1)[:, 1:]
        scores = np.stack([best @ weights.numpy(), lexicon.bm25_shares(ids, counts, self._n_words)], axis=1)
        spread = np.maximum(scores.std(axis=0), _LEAST_SPREAD)
        return scores.mean(axis=0), spread, float(np.sort(scores[:, 0])[-_ORDINARY_BEST:].mean())


@dataclass(frozen=True)
class Near:
    """What is near a query in the corpus: a unit vector (H,), and word pieces with weights whose squares sum to 1.

    `negative` (H,) is the unit vector of what is near, but not nearest.
    `ordinary` and `spread` (2,) are means and spreads of the whole corpus' cosines with `vector` and with the words.
    """

    vector: Tensor
    negative: Tensor
    ids: NDArray
    weights: NDArray
    ordinary: NDArray
    spread: NDArray


class Feedback:
    """Windows of the corpus, among which a query finds its nearest.

    `vectors` (M, H) are unit means of windows, `document` (M,) says of which row of the words `counts` (D, V) each is.
    """

    def __init__(self, vectors: Tensor, document: NDArray, counts: csr_array, lexicon: Lexicon) -> None:
        self.vectors, self.document, self.counts = vectors, document, counts
        self._words = lexicon.weighed(counts)

    @classmethod
    def of(cls, pooled: Sequence[Tensor], counts: Sequence[Mapping[int, int]], lexicon: Lexicon) -> "Feedback":
        """From each document's windows, (windows, H), and words; vectors are rounded to half precision, in which they are saved."""
        document = np.repeat(np.arange(len(pooled)), [len(part) for part in pooled])
        return cls(torch.cat(list(pooled)).half().float(), document, counts_of(counts, len(lexicon.idf)), lexicon)

    def near(self, queries: Tensor) -> list[Near]:
        """What is near each query's unit vector, (Q, H): the mean of its nearest windows, nearer ones counting more.

        In the negative mean of the same windows, the farther ones count more.
        """
        found = []
        for part in queries.split(_QUERIES_A_LOOK):
            nearest = (part @ self.vectors.T).topk(min(_NEAREST, len(self.vectors)), dim=1)
            for near, places in zip(nearest.values, nearest.indices, strict=True):
                weights = torch.softmax(_SHARPNESS * torch.stack([near, -near]), dim=1)  # (2, nearest)
                vector, negative = nn.functional.normalize(weights @ self.vectors[places], dim=1)
                words = weights[0].double().numpy() @ self._words[self.document[places.numpy()]]  # (V,)
                ids = np.sort(np.argpartition(-words, min(_FEEDBACK_WORDS, len(words) - 1))[:_FEEDBACK_WORDS])
                kept = np.zeros(len(words))
                kept[ids] = words[ids] / max(np.linalg.norm(words[ids]), _LEAST_NORM)
                cosines = ((self.vectors @ vector).double().numpy(), self._words @ kept)
                spread = np.maximum([of_all.std() for of_all in cosines], _LEAST_SPREAD)
                ordinary = np.array([of_all.mean() for of_all in cosines])
                found.append(Near(vector, negative, ids, kept[ids], ordinary, spread))
        return found


@dataclass(frozen=True)
class Collection:
    """All that is known of a corpus."""

    lexicon: Lexicon
    background: Background
    feedback: Feedback


def counts_of(documents: Sequence[Mapping[int, int]], vocabulary: int) -> csr_array:
    """The word counts of each document, (N, V)."""
    ends = np.cumsum([0, *(len(words) for words in documents)])
    ids = np.fromiter((i for words in documents for i in words), dtype=np.int32, count=ends[-1])
    counts = np.fromiter((n for words in documents for n in words.values()), dtype=np.int32, count=ends[-1])
    found = csr_array((counts, ids, ends), (len(documents), vocabulary))
    found.sort_indices()  # else some product does it, and puts ids out of step with counts that share them
    return found
