"""The evidence for a pair: how words meet in meaning and in letter, and how that compares with documents at large.

What belongs here: the figures that the head weighs, from vectors and token ids. What does not: making vectors
(encoder.py) and weighing (head.py). Imported only where a model is needed.

One cosine says little by itself: long or vague queries find something near in any document. The background, windows of
documents of the training set, tells what is ordinary for a query (z-norm, Auckenthaler et al. 2000).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relabel_assets.core.student.encoder import Encoder
from relabel_assets.core.student.late_interaction import QueryScorer, query_ids
from relabel_assets.core.student.windows import body, header, windows

NAMES = (
    "late_interaction", "late_interaction_idf", "worst_token", "low_token", "window_cosine", "bm25", "bm25_share",
    "covered", "covered_by_title", "covered_by_header", "header_interaction", "log_length", "query_length", "query_idf",
    "bigrams", "late_interaction_z", "bm25_share_z", "ordinary_interaction", "ordinary_spread", "ordinary_best",
)  # fmt: skip
# What a head weighs where it has too few queries to learn from: the two that tell most on web passages.
PRIOR = {"late_interaction": 1.0, "window_cosine": 0.5}
_K1, _B = 1.2, 0.25  # BM25 with little length normalisation: documents are cut into windows already
_ORDINARY_BEST = 3
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class ReadDocument:
    """A document once read: unit token vectors (N, H), of which the first `n_header` are the header's; its words.

    `lengths` are the tokens of each window, whose sum is N.
    """

    vectors: Tensor
    lengths: Sequence[int]
    n_header: int
    counts: Mapping[int, int]
    bigrams: frozenset[tuple[int, int]]
    title: frozenset[int]
    header: frozenset[int]

    @cached_property
    def n_words(self) -> int:
        return sum(self.counts.values())

    @cached_property
    def pooled(self) -> Tensor:
        """The unit mean vector of each window, (windows, H)."""
        means = [part.mean(dim=0) for part in self.vectors.split(list(self.lengths))]
        return nn.functional.normalize(torch.stack(means), dim=-1)

    def projected(self, projection: Tensor) -> "ReadDocument":
        """The document as an encoder with this projection (H, H) reads it."""
        return replace(self, vectors=nn.functional.normalize(self.vectors @ projection, dim=-1))


@dataclass(frozen=True)
class ReadQuery:
    """A query once read: vectors (T, H) and weights (T,), token ids, and (late interaction, BM25 share) mean and spread."""

    vectors: Tensor
    weights: Tensor
    pooled: Tensor
    ids: Sequence[int]
    ordinary: NDArray  # (2,) means
    spread: NDArray  # (2,)
    ordinary_best: float


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

    def bm25_shares(self, ids: Sequence[int], counts: NDArray, n_words: NDArray) -> NDArray:
        """BM25 of documents with these `counts` (M, T) and lengths (M,), as shares of the most there could be; (M,)."""
        length = _K1 * (1 - _B + _B * n_words / self.mean_length)
        idf = self.idf[list(ids)]
        scores = (idf * counts * (_K1 + 1) / (counts + length[:, None])).sum(axis=1)
        return scores / (idf.sum() * (_K1 + 1) + 1e-6)


def read_documents(encoder: Encoder, documents: Sequence[Mapping[str, Any]]) -> list[ReadDocument]:
    """Every document's vectors and words."""
    texts = [windows(document) for document in documents]
    vectors = iter(encoder.encode([text for several in texts for text in several]))
    heads = encoder.words([header(document) for document in documents])
    titles = encoder.words([str(document.get("title") or "") for document in documents])
    bodies = encoder.words([body(document) for document in documents])
    found = []
    for several, head, title, words in zip(texts, heads, titles, bodies, strict=True):
        parts = [next(vectors) for _ in several]
        found.append(
            ReadDocument(
                vectors=torch.cat(parts),
                lengths=[len(part) for part in parts],
                n_header=min(len(head), len(parts[0])),
                counts=Counter([*head, *words]),
                bigrams=frozenset(pairwise(words)) | frozenset(pairwise(head)),
                title=frozenset(title),
                header=frozenset(head),
            )
        )
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


@torch.inference_mode()
def read_queries(
    scorer: QueryScorer, texts: Sequence[str], lexicon: Lexicon, background: Background
) -> list[ReadQuery]:
    """Every query's vectors and words, and what is ordinary for it. A query over max_length is cut."""
    special = set(scorer.encoder.tokenizer.all_special_ids)
    found = []
    for all_ids, (vectors, weights) in zip(scorer.encoder.token_ids(texts), scorer.grade_queries(texts), strict=True):
        ids = [i for i in query_ids(all_ids, scorer.encoder.max_length) if i not in special]
        ordinary = background.ordinary(vectors, weights, ids, lexicon)
        found.append(ReadQuery(vectors, weights, nn.functional.normalize(vectors.mean(dim=0), dim=0), ids, *ordinary))
    return found


def evidence(pairs: Sequence[tuple[ReadQuery, ReadDocument]], lexicon: Lexicon) -> NDArray:
    """The figures of each pair, (P, F), in the order of NAMES. Pairs of one document are quicker side by side."""
    queries = [query for query, _ in pairs]
    documents = [document for _, document in pairs]
    vectors = _Runs([len(query.vectors) for query in queries])
    words = _Runs([len(query.ids) for query in queries])
    best, best_of_header, window = _met(pairs)
    idf = lexicon.idf[[i for query in queries for i in query.ids]]
    # A query of nothing but special tokens has vectors and no words.
    rarity = np.ones(len(best))
    rarity[np.repeat(words.lengths > 0, vectors.lengths)] = idf + 1e-6
    total = vectors.sums(rarity)
    counts = np.array([document.counts.get(i, 0) for query, document in pairs for i in query.ids], dtype=float)
    in_title = np.array([i in document.title for query, document in pairs for i in query.ids], dtype=float)
    in_header = np.array([i in document.header for query, document in pairs for i in query.ids], dtype=float)
    n_words = np.array([document.n_words for document in documents], dtype=float)
    length = _K1 * (1 - _B + _B * n_words / lexicon.mean_length)
    bm25 = words.sums(idf * counts * (_K1 + 1) / (counts + words.spread(length)))
    share = bm25 / (words.sums(idf) * (_K1 + 1) + 1e-6)
    interaction = vectors.sums(best * np.concatenate([query.weights.numpy() for query in queries]))
    ordinary = np.stack([query.ordinary for query in queries])  # (P, 2)
    spread = np.stack([query.spread for query in queries])
    z = (np.stack([interaction, share], axis=1) - ordinary) / spread
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
    )  # fmt: skip
    return np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)


def _met(pairs: Sequence[tuple[ReadQuery, ReadDocument]]) -> tuple[NDArray, NDArray, NDArray]:
    """Each query token's best cosine with its document's tokens and with its header's, (all T,); the best window's, (P,)."""
    best, header, window = [], [], []
    for _, several in groupby(pairs, key=lambda pair: id(pair[1])):
        of_document = list(several)
        document = of_document[0][1]
        queries = [query for query, _ in of_document]
        met = torch.cat([query.vectors for query in queries]) @ document.vectors.T  # (T of all queries, N)
        best.append(met.amax(dim=1))
        n = document.n_header
        header.append(met[:, :n].amax(dim=1) if n else torch.zeros(len(met)))
        window.append((torch.stack([query.pooled for query in queries]) @ document.pooled.T).amax(dim=1))
    return tuple(torch.cat(parts).double().numpy() for parts in (best, header, window))  # type: ignore[return-value]


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
