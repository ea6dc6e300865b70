"""The evidence for a pair: how words meet in meaning and in letter, and how that compares with documents at large.

What belongs here: the figures that the head weighs, from vectors and token ids. What does not: making vectors
(encoder.py) and weighing (head.py). Imported only where a model is needed.

One cosine says little by itself: long or vague queries find something near in any document. The background, windows of
documents of the training set, tells what is ordinary for a query (z-norm, Auckenthaler et al. 2000).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relabel_assets.core.student.encoder import Encoder
from relabel_assets.core.student.late_interaction import QueryScorer, query_ids
from relabel_assets.core.student.windows import header, windows

NAMES = (
    "late_interaction", "late_interaction_idf", "worst_token", "low_token", "window_cosine", "bm25", "bm25_share",
    "covered", "covered_by_title", "covered_by_header", "header_interaction", "log_length", "query_length", "query_idf",
    "bigrams", "late_interaction_z", "bm25_share_z", "ordinary_interaction", "ordinary_spread", "ordinary_best",
)  # fmt: skip
_K1, _B = 1.2, 0.25  # BM25 with little length normalisation: documents are cut into windows already
_ORDINARY_BEST = 3
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class ReadDocument:
    """A document once read: unit token vectors (N, H), of which the first `n_header` are the header's; its words."""

    vectors: Tensor
    pooled: Tensor  # (windows, H)
    n_header: int
    counts: Mapping[int, int]
    bigrams: frozenset[tuple[int, int]]
    title: frozenset[int]
    header: frozenset[int]


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
        lengths = [sum(document.counts.values()) for document in documents]
        return cls(np.log(1 + (len(documents) - seen + 0.5) / (seen + 0.5)), float(np.mean(lengths)) or 1.0)

    def bm25(self, ids: Sequence[int], document: ReadDocument) -> tuple[float, float]:
        """The score of `document`, and its share of the highest that any document could have for these words."""
        length = _K1 * (1 - _B + _B * sum(document.counts.values()) / self.mean_length)
        score = sum(
            self.idf[i] * found * (_K1 + 1) / (found + length) for i in ids if (found := document.counts.get(i, 0))
        )
        return float(score), float(score / (sum(self.idf[i] for i in ids) * (_K1 + 1) + 1e-6))


def read_documents(encoder: Encoder, documents: Sequence[Mapping[str, Any]]) -> list[ReadDocument]:
    """Every document's vectors and words."""
    texts = [windows(document) for document in documents]
    vectors = iter(encoder.encode([text for several in texts for text in several]))
    heads = encoder.words([header(document) for document in documents])
    titles = encoder.words([str(document.get("title") or "") for document in documents])
    bodies = encoder.words([str(document.get("body") or "") for document in documents])
    found = []
    for several, head, title, body in zip(texts, heads, titles, bodies, strict=True):
        parts = [next(vectors) for _ in several]
        found.append(
            ReadDocument(
                vectors=torch.cat(parts),
                pooled=nn.functional.normalize(torch.stack([part.mean(dim=0) for part in parts]), dim=-1),
                n_header=min(len(head), len(parts[0])),
                counts=Counter([*head, *body]),
                bigrams=frozenset(pairwise(body)) | frozenset(pairwise(head)),
                title=frozenset(title),
                header=frozenset(head),
            )
        )
    return found


class Background:
    """Windows of documents by which a query's ordinary scores are known; `vectors` (M, H), `lengths` and words of each."""

    def __init__(self, vectors: Tensor, words: Sequence[Sequence[int]], lengths: Sequence[int]) -> None:
        self.vectors, self.words, self.lengths = vectors, words, lengths
        # BM25 needs words alone: the vectors here only fill the field.
        empty: frozenset[Any] = frozenset()
        self._documents = [ReadDocument(vectors, vectors, 0, Counter(ids), empty, empty, empty) for ids in words]

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
        best = torch.stack([part.amax(dim=0) for part in (self.vectors @ vectors.T).split(list(self.lengths))])
        scores = np.stack(
            [(best @ weights).numpy(), [lexicon.bm25(ids, document)[1] for document in self._documents]], axis=1
        )
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


def evidence(query: ReadQuery, document: ReadDocument, lexicon: Lexicon) -> list[float]:
    """The figures of a pair, in the order of NAMES."""
    met = query.vectors @ document.vectors.T  # (T, N)
    best = met.amax(dim=1)
    # A query of nothing but special tokens has vectors and no words.
    rarity = lexicon.idf[list(query.ids)] + 1e-6 if len(query.ids) == len(best) else np.ones(len(best))
    meant = best.numpy()
    total = float(rarity.sum())
    interaction = float(best @ query.weights)
    bm25, share = lexicon.bm25(query.ids, document)
    pairs = list(pairwise(query.ids))

    def covered(words: Any) -> float:
        return float(sum(lexicon.idf[i] for i in query.ids if i in words)) / total

    z = (np.array([interaction, share]) - query.ordinary) / query.spread
    return [
        interaction, float((meant * rarity).sum()) / total, float(meant.min()), float(np.quantile(meant, 0.25)),
        float((document.pooled @ query.pooled).max()), bm25, share,
        covered(document.counts), covered(document.title), covered(document.header),
        float(met[:, : document.n_header].amax(dim=1).mean()) if document.n_header else 0.0,
        float(np.log1p(sum(document.counts.values()))), float(len(query.ids)), total / len(best),
        sum(pair in document.bigrams for pair in pairs) / max(1, len(pairs)),
        *z.tolist(), float(query.ordinary[0]), float(query.spread[0]), query.ordinary_best,
    ]  # fmt: skip
