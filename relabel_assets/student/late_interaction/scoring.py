"""Features and scores of a frame of pairs, in bounded memory.

What belongs here: encoding the queries of each chunk of pairs and scoring the chunk. What does not:
one pair's score (maxsim.py) and features (features.py), and the chunks themselves (cache.py).
Imported only where a model is needed: it loads torch.

Both functions take the documents from iter_encoded_documents: (doc_id, document), each once.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
import torch
from cachetools import LRUCache
from numpy.typing import NDArray
from torch import Tensor

from relabel_assets.progress import Progress, silent
from relabel_assets.student.late_interaction.cache import (
    MAX_QUERIES,
    get_or_compute,
    iter_pair_chunks,
)
from relabel_assets.student.late_interaction.corpus_statistics import CorpusStatistics
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.features import (
    FEATURE_NAMES,
    EncodedQuery,
    encode_queries,
    pair_features,
)
from relabel_assets.student.late_interaction.maxsim import QueryScorer


def late_interaction_scores(
    scorer: QueryScorer,
    documents: Iterable[tuple[str, EncodedDocument]],
    pairs: pl.DataFrame,
    progress: Progress = silent,
) -> NDArray:
    """The late interaction of each row of `pairs`, (N,), in its order.

    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.late_interaction.documents import encode_documents
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> leave, travel = encode_documents(encoder, [{"body": "parental leave"}, {"body": "train tickets"}])
    >>> pairs = pl.DataFrame({"doc_id": ["d1", "d2"], "text": ["leave of parents"] * 2})
    >>> scores = late_interaction_scores(QueryScorer(encoder), [("d1", leave), ("d2", travel)], pairs)
    >>> bool(scores[0] > scores[1])
    True
    """
    queries: LRUCache[str, tuple[Tensor, Tensor]] = LRUCache(MAX_QUERIES)
    scores, n_scored = np.empty(pairs.height), 0
    with torch.inference_mode():
        for chunk in iter_pair_chunks(documents, pairs):
            texts = [text for _, text, _ in chunk]
            encoded = get_or_compute(texts, queries, scorer.encode_query_tokens)
            for query, (row, _, document) in zip(encoded, chunk, strict=True):
                scores[row] = scorer.pair_score(query, document.token_vectors)
            n_scored += len(chunk)
            progress("scoring pairs", n_scored, pairs.height)
    return scores


def feature_matrix(
    scorer: QueryScorer,
    documents: Iterable[tuple[str, EncodedDocument]],
    pairs: pl.DataFrame,
    statistics: CorpusStatistics,
    cache: LRUCache[str, EncodedQuery] | None = None,
    progress: Progress = silent,
) -> NDArray:
    """The features of each row of `pairs`, (N, F), in its order.

    Queries in `cache` are not encoded again.

    >>> from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.late_interaction.corpus_statistics import compute_corpus_statistics
    >>> from relabel_assets.student.late_interaction.documents import encode_documents
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> texts = {name: ["parental leave"] for name in DOCUMENT_COLUMNS}
    >>> pairs = pl.DataFrame({"doc_id": ["d1"], "text": ["leave of parents"], **texts})
    >>> documents = dict(zip(pairs["doc_id"], encode_documents(encoder, pairs.to_dicts())))
    >>> statistics = compute_corpus_statistics(encoder, documents, pairs, pairs, seed=13)
    >>> feature_matrix(QueryScorer(encoder), documents.items(), pairs, statistics).shape
    (1, 25)
    """
    cache = LRUCache(MAX_QUERIES) if cache is None else cache
    features, n_computed = np.empty((pairs.height, len(FEATURE_NAMES))), 0
    with torch.inference_mode():
        for chunk in iter_pair_chunks(documents, pairs):
            texts = [text for _, text, _ in chunk]
            queries = get_or_compute(
                texts, cache, lambda missing: encode_queries(scorer, missing, statistics)
            )
            encoded_pairs = [
                (query, document) for query, (_, _, document) in zip(queries, chunk, strict=True)
            ]
            rows = [row for row, _, _ in chunk]
            features[rows] = pair_features(encoded_pairs, statistics.words)
            n_computed += len(chunk)
            progress("computing features, pairs", n_computed, pairs.height)
    return features
