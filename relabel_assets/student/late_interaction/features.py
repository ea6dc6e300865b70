"""The evidence for a pair: how words meet in meaning and in letter, and how that compares with the corpus at large.

What belongs here: the figures that the head weighs, from vectors and token ids. What does not: making vectors
(encoder.py), what is known of the corpus (collection.py) and weighing (head.py). Imported only where a model is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from relabel_assets.student.late_interaction.corpus_statistics import BM25_K1, Collection, Lexicon, Near, counts_of
from relabel_assets.student.late_interaction.documents import ReadDocument
from relabel_assets.student.late_interaction.maxsim import QueryScorer, query_ids

NAMES = (
    "late_interaction", "late_interaction_idf", "worst_token", "low_token", "window_cosine", "bm25", "bm25_share",
    "covered", "covered_by_title", "covered_by_header", "header_interaction", "log_length", "query_length", "query_idf",
    "bigrams", "late_interaction_z", "bm25_share_z", "ordinary_interaction", "ordinary_spread", "ordinary_best",
    "feedback_cosine", "feedback_words", "feedback_cosine_z", "feedback_words_z", "feedback_negative",
)  # fmt: skip
# What a head weighs where it has too few queries to learn from: the two that tell most on web passages.
PRIOR = {"late_interaction": 1.0, "window_cosine": 0.5}


@dataclass(frozen=True)
class ReadQuery:
    """A query once read: vectors (T, H) and weights (T,), token ids, (late interaction, BM25 share) mean and spread, and what
    the corpus has near it."""

    vectors: Tensor
    weights: Tensor
    pooled: Tensor
    ids: Sequence[int]
    ordinary: NDArray  # (2,) means
    spread: NDArray  # (2,)
    ordinary_best: float
    near: Near


@torch.inference_mode()
def read_queries(scorer: QueryScorer, texts: Sequence[str], collection: Collection) -> list[ReadQuery]:
    """Every query's vectors and words, and what is ordinary for it. A query over max_length is cut."""
    special = set(scorer.encoder.tokenizer.all_special_ids)
    graded = scorer.grade_queries(texts)
    pooled = nn.functional.normalize(torch.stack([vectors.mean(dim=0) for vectors, _ in graded]), dim=-1)
    found = []
    for all_ids, (vectors, weights), mean, near in zip(
        scorer.encoder.token_ids(texts), graded, pooled, collection.feedback.near(pooled), strict=True
    ):
        ids = [i for i in query_ids(all_ids, scorer.encoder.max_length) if i not in special]
        ordinary = collection.background.ordinary(vectors, weights, ids, collection.lexicon)
        found.append(ReadQuery(vectors, weights, mean, ids, *ordinary, near))
    return found


def evidence(pairs: Sequence[tuple[ReadQuery, ReadDocument]], lexicon: Lexicon) -> NDArray:
    """The figures of each pair, (P, F), in the order of NAMES. Pairs of one document are quicker side by side."""
    queries = [query for query, _ in pairs]
    documents = [document for _, document in pairs]
    vectors = _Runs([len(query.vectors) for query in queries])
    words = _Runs([len(query.ids) for query in queries])
    best, best_of_header, window, near, negative = _met(pairs)
    idf = lexicon.idf[[i for query in queries for i in query.ids]]
    # A query of nothing but special tokens has vectors and no words.
    rarity = np.ones(len(best))
    rarity[np.repeat(words.lengths > 0, vectors.lengths)] = idf + 1e-6
    total = vectors.sums(rarity)
    counts = np.array([document.counts.get(i, 0) for query, document in pairs for i in query.ids], dtype=float)
    in_title = np.array([i in document.title for query, document in pairs for i in query.ids], dtype=float)
    in_header = np.array([i in document.header for query, document in pairs for i in query.ids], dtype=float)
    n_words = np.array([document.n_words for document in documents], dtype=float)
    bm25 = words.sums(idf * lexicon.frequencies(counts, words.spread(n_words)))
    share = bm25 / (words.sums(idf) * (BM25_K1 + 1) + 1e-6)
    interaction = vectors.sums(best * np.concatenate([query.weights.numpy() for query in queries]))
    near_words = _words_met(queries, documents, lexicon)
    ordinary = np.stack([np.concatenate([query.ordinary, query.near.ordinary]) for query in queries])  # (P, 4)
    spread = np.stack([np.concatenate([query.spread, query.near.spread]) for query in queries])
    z = (np.stack([interaction, share, near, near_words], axis=1) - ordinary) / spread
    bigrams = [
        sum(pair in document.bigrams for pair in pairwise(query.ids)) / max(1, len(query.ids) - 1)
        for query, document in pairs
    ]
    columns = (
        interaction, vectors.sums(best * rarity) / total, vectors.least(best), vectors.quarter(best), window,
        bm25, share, words.sums(idf * (counts > 0)) / total, words.sums(idf * in_title) / total,
        words.sums(idf * in_header) / total, vectors.sums(best_of_header) / vectors.lengths,
        np.log1p(n_words), words.lengths, total / vectors.lengths, bigrams,
        z[:, 0], z[:, 1], ordinary[:, 0], spread[:, 0], [query.ordinary_best for query in queries],
        near, near_words, z[:, 2], z[:, 3], negative,
    )  # fmt: skip
    return np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)


def _met(pairs: Sequence[tuple[ReadQuery, ReadDocument]]) -> tuple[NDArray, ...]:
    """Each query token's best cosine with its document's tokens and with its header's, (all T,).

    And the best window's cosine with the query, with what is nearest to it, and with what is near but not nearest, (P,) each.
    """
    best, header, window = [], [], []
    for _, several in groupby(pairs, key=lambda pair: id(pair[1])):
        of_document = list(several)
        document = of_document[0][1]
        queries = [query for query, _ in of_document]
        met = torch.cat([query.vectors for query in queries]) @ document.vectors.T  # (T of all queries, N)
        best.append(met.amax(dim=1))
        n = document.n_header
        header.append(met[:, :n].amax(dim=1) if n else torch.zeros(len(met)))
        of_windows = [torch.stack([query.pooled, query.near.vector, query.near.negative]) for query in queries]
        window.append((torch.stack(of_windows) @ document.pooled.T).amax(dim=2))  # (queries, 3)
    met_of_windows = torch.cat(window).double().numpy().T
    return *(torch.cat(parts).double().numpy() for parts in (best, header)), *met_of_windows


def _words_met(queries: Sequence[ReadQuery], documents: Sequence[ReadDocument], lexicon: Lexicon) -> NDArray:
    """The cosine between the words that are near each pair's query and those of its document, (P,)."""
    asked = {id(query): query.near for query in queries}
    met = {id(document): document.counts for document in documents}
    ends = np.cumsum([0, *(len(near.ids) for near in asked.values())])
    near = csr_array(
        (
            np.concatenate([near.weights for near in asked.values()]),
            np.concatenate([near.ids for near in asked.values()]),
            ends,
        ),
        (len(asked), len(lexicon.idf)),
    )
    words = lexicon.weighed(counts_of(list(met.values()), len(lexicon.idf)))
    of_query, of_document = ({key: row for row, key in enumerate(several)} for several in (asked, met))
    left = near[[of_query[id(query)] for query in queries]]
    right = words[[of_document[id(document)] for document in documents]]
    return left.multiply(right).sum(axis=1)


class _Runs:
    """Values of many pairs end to end, (sum of lengths,): sums and order within each pair, (P,)."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = np.array(lengths)
        self.ends = np.cumsum(self.lengths)
        self.starts = self.ends - self.lengths
        self._pair = np.repeat(np.arange(len(lengths)), self.lengths)

    def spread(self, of_pairs: NDArray) -> NDArray:
        return of_pairs[self._pair]

    def sums(self, values: NDArray) -> NDArray:
        return np.bincount(self._pair, values, minlength=len(self.lengths))

    def least(self, values: NDArray) -> NDArray:
        """Raises IndexError where a run is empty."""
        return np.minimum.reduceat(values, self.starts)

    def quarter(self, values: NDArray) -> NDArray:
        """The lower quartile, interpolated."""
        ordered = values[np.lexsort((values, self._pair))]
        place = 0.25 * (self.lengths - 1)
        low = np.floor(place).astype(int)
        after = np.minimum(low + 1, self.lengths - 1)
        lower, upper = ordered[self.starts + low], ordered[self.starts + after]
        return lower + (upper - lower) * (place - low)
