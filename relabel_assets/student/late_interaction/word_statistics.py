"""Word statistics: the idf of each word piece, and the weightings BM25 and tf-idf.

What belongs here: counts of words and formulas over them. What does not: vectors (maxsim.py). A word
is a word piece, see documents.py; V is the size of the tokenizer's vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from relabel_assets.student.late_interaction.documents import EncodedDocument

BM25_K1 = 1.2  # how fast repeated words saturate; the usual value
# The penalty of long documents, usually 0.75. Small, because documents are cut into windows. Not measured.
_BM25_B = 0.25
_EPSILON = 1e-6  # keeps 0 / 0 out of a query without words
_MIN_NORM = 1e-9  # keeps 0 / 0 out of a document without words


@dataclass(frozen=True)
class WordStatistics:
    """The inverse document frequency of each word, `idf` (V,), and the mean length of a document.

    `mean_length` is in words.
    """

    idf: NDArray
    mean_length: float

    @classmethod
    def from_documents(
        cls, documents: Sequence[EncodedDocument], vocabulary: int
    ) -> "WordStatistics":
        """The statistics of N documents, with BM25's idf of each word (Robertson & Zaragoza 2009).

        idf = ln(1 + (N - n + 0.5) / (n + 0.5)) of a word in n documents. The 1 inside the logarithm
        keeps it positive for words in more than half of the documents.
        """
        n_with_word = np.zeros(vocabulary)
        for document in documents:
            n_with_word[list(document.word_counts)] += 1
        idf = np.log(1 + (len(documents) - n_with_word + 0.5) / (n_with_word + 0.5))
        lengths = [document.n_words for document in documents]
        return cls(idf, float(np.mean(lengths)) or 1.0)

    def term_frequencies(self, counts: NDArray, n_words: NDArray) -> NDArray:
        """BM25's saturated term frequencies, 0 to BM25_K1 + 1, of counts in documents of n words."""
        length = BM25_K1 * (1 - _BM25_B + _BM25_B * n_words / self.mean_length)
        return counts * (BM25_K1 + 1) / (counts + length)

    def bm25_share(self, scores: NDArray, idf_sums: NDArray | float) -> NDArray:
        """BM25 scores as shares of the greatest possible score of queries with these sums of idf."""
        return scores / (idf_sums * (BM25_K1 + 1) + _EPSILON)

    def bm25_shares(self, word_ids: Sequence[int], counts: NDArray, n_words: NDArray) -> NDArray:
        """The BM25 shares (M,) of a query of T words with M documents: counts (M, T), lengths (M,)."""
        idf = self.idf[list(word_ids)]
        scores = (idf * self.term_frequencies(counts, n_words[:, None])).sum(axis=1)
        return self.bm25_share(scores, idf.sum())

    def tfidf(self, counts: csr_array) -> csr_array:
        """The tf-idf of word counts (N, V), as in Salton & Buckley 1988.

        (1 + ln count) * idf, with rows scaled to length 1; zero in a document without words.
        """
        weights = csr_array((1 + np.log(counts.data), counts.indices, counts.indptr), counts.shape)
        weights.data *= self.idf[weights.indices]
        norms = np.sqrt(weights.multiply(weights).sum(axis=1))
        weights.data /= np.repeat(np.maximum(norms, _MIN_NORM), np.diff(weights.indptr))
        return weights


def count_matrix(documents: Sequence[Mapping[int, int]], vocabulary: int) -> csr_array:
    """The word counts of each document as a sparse matrix, (N, V).

    >>> count_matrix([{2: 5}, {0: 1, 1: 1}], vocabulary=3).toarray().tolist()
    [[0, 0, 5], [1, 1, 0]]
    """
    ends = np.cumsum([0, *(len(counts) for counts in documents)])
    ids = np.fromiter((i for counts in documents for i in counts), dtype=np.int32, count=ends[-1])
    values = np.fromiter(
        (n for counts in documents for n in counts.values()), dtype=np.int32, count=ends[-1]
    )
    matrix = csr_array((values, ids, ends), (len(documents), vocabulary))
    # Some scipy products sort the ids in place. tfidf shares the ids with the counts, whose values
    # would then no longer match them.
    matrix.sort_indices()
    return matrix
