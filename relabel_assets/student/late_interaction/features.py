"""The 25 features of a (query, document) pair.

What belongs here: computing them from token vectors, word pieces and corpus statistics. What does
not: making vectors (runtime/encoder.py), the statistics (corpus_statistics.py) and weighting
features (head.py). Imported only where a model is needed: it loads torch.

For query tokens t = 1..T, m_t is the greatest cosine of t with any token of the document. w_t is the
token's weight (see maxsim.py), and r_t its idf. Sums are over t.

| feature | value |
|---|---|
| late_interaction | sum w_t m_t |
| late_interaction_idf | sum r_t m_t / sum r_t |
| worst_token, low_token | minimum and lower quartile of m_t |
| window_cosine | cosine of the query's mean vector with that of the document's nearest window |
| header_interaction | mean over t of the greatest cosine with any token of the header |
| bm25, bm25_share | BM25 of the query's words; the same as a share of the greatest possible BM25 |
| covered, covered_by_title, covered_by_header | sum of r_t over words in document, title, header / sum r_t |
| bigrams | share of the query's neighbouring word pairs that are neighbours in the document too |
| log_length | ln(1 + words of the document) |
| query_length, query_idf | words of the query; mean of r_t |
| late_interaction_z, bm25_share_z | z-scores of these two against the background (background.py) |
| ordinary_interaction, ordinary_spread, ordinary_best | the background's mean, std and `top_mean` |
| feedback_cosine | cosine of the nearest window with the feedback's mean |
| feedback_words | cosine of the document's tf-idf with the feedback's words |
| feedback_cosine_z, feedback_words_z | z-scores of these two against the whole corpus |
| feedback_negative | cosine of the nearest window with the negative feedback's mean (feedback.py) |

The rows down to query_idf need the pair alone. The z-scores and the ordinary_ rows tell the head which
scores are usual for the query. The feedback rows compare the document with the query's nearest windows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from relabel_assets.student.late_interaction.background import BackgroundScores
from relabel_assets.student.late_interaction.corpus_statistics import CorpusStatistics
from relabel_assets.student.late_interaction.documents import EncodedDocument, unit_means
from relabel_assets.student.late_interaction.feedback import QueryFeedback
from relabel_assets.student.late_interaction.maxsim import QueryScorer, truncated
from relabel_assets.student.late_interaction.word_statistics import WordStatistics, count_matrix

# The names are saved with a head: one that is changed or left out makes saved students unreadable.
FEATURE_NAMES = (
    "late_interaction",
    "late_interaction_idf",
    "worst_token",
    "low_token",
    "window_cosine",
    "bm25",
    "bm25_share",
    "covered",
    "covered_by_title",
    "covered_by_header",
    "header_interaction",
    "log_length",
    "query_length",
    "query_idf",
    "bigrams",
    "late_interaction_z",
    "bm25_share_z",
    "ordinary_interaction",
    "ordinary_spread",
    "ordinary_best",
    "feedback_cosine",
    "feedback_words",
    "feedback_cosine_z",
    "feedback_words_z",
    "feedback_negative",
)
# The head stays near these weights where it has few queries to learn from. They are the two features that
# rank web passages best alone. Their ratio was not measured.
PRIOR_WEIGHTS = {"late_interaction": 1.0, "window_cosine": 0.5}
_EPSILON = 1e-6  # keeps 0 / 0 out of a query whose words all have an idf of 0

Pair = tuple["EncodedQuery", EncodedDocument]


@dataclass(frozen=True)
class EncodedQuery:
    """A query of T tokens, with its background scores and its feedback.

    `token_vectors` (T, H) are unit vectors, `token_weights` (T,) their weights, and `mean_vector` (H,)
    their unit mean. `word_ids` are its T word pieces, or none where the query has only special tokens.
    """

    token_vectors: Tensor
    token_weights: Tensor
    mean_vector: Tensor
    word_ids: Sequence[int]
    background: BackgroundScores
    feedback: QueryFeedback


@torch.inference_mode()
def encode_queries(
    scorer: QueryScorer, texts: Sequence[str], statistics: CorpusStatistics
) -> list[EncodedQuery]:
    """Encode each query and compare it with the corpus. A query over max_length is cut.

    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.late_interaction.background import BackgroundWindows
    >>> from relabel_assets.student.late_interaction.documents import encode_documents
    >>> from relabel_assets.student.late_interaction.feedback import FeedbackWindows
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> words = WordStatistics(idf=np.ones(len(encoder.tokenizer)), mean_length=2.0)
    >>> documents = [{"body": "travel"}]
    >>> encoded = encode_documents(encoder, documents)
    >>> background = BackgroundWindows.from_documents(encoder, documents, encoded)
    >>> feedback = FeedbackWindows.from_documents([background.token_vectors], [{}], words)
    >>> statistics = CorpusStatistics(words, background, feedback)
    >>> (query,) = encode_queries(QueryScorer(encoder), ["parental leave"], statistics)
    >>> query.token_vectors.shape, query.token_weights.tolist(), len(query.word_ids)
    (torch.Size([2, 384]), [0.5, 0.5], 2)
    """
    special = set(scorer.encoder.tokenizer.all_special_ids)
    tokens = scorer.encode_query_tokens(texts)
    mean_vectors = unit_means([vectors for vectors, _ in tokens])
    feedback = statistics.feedback.feedback(mean_vectors)
    queries = []
    for row, all_ids in enumerate(scorer.encoder.token_ids(texts)):
        vectors, weights = tokens[row]
        ids = truncated(all_ids, scorer.encoder.max_length)
        word_ids = [i for i in ids if i not in special]
        background = statistics.background.scores(vectors, weights, word_ids, statistics.words)
        queries.append(
            EncodedQuery(vectors, weights, mean_vectors[row], word_ids, background, feedback[row])
        )
    return queries


def pair_features(pairs: Sequence[Pair], words: WordStatistics) -> NDArray:
    """The features of each pair, (P, F), in the order of FEATURE_NAMES.

    Order the pairs by document: neighbours of one document share a matrix product.

    >>> from relabel_assets.student.late_interaction.feedback import QueryFeedback
    >>> east = torch.tensor([1.0, 0.0])
    >>> zeros, ones = np.zeros(2), np.ones(2)
    >>> feedback = QueryFeedback(east, east, np.array([1]), np.array([1.0]), zeros, ones)
    >>> background = BackgroundScores(mean=zeros, std=ones, top_mean=0.0)
    >>> query = EncodedQuery(east[None], torch.ones(1), east, [1], background, feedback)
    >>> document = EncodedDocument(
    ...     east[None], [1], 1, {1: 1}, frozenset(), title_words=frozenset([1]), header_words=frozenset([1])
    ... )
    >>> features = pair_features([(query, document)], WordStatistics(np.ones(2), mean_length=1.0))
    >>> dict(zip(FEATURE_NAMES, features[0].tolist()))["late_interaction"]
    1.0
    """
    tokens = _Segments([len(query.token_vectors) for query, _ in pairs])
    query_words = _Segments([len(query.word_ids) for query, _ in pairs])
    idf = words.idf[[word for query, _ in pairs for word in query.word_ids]]
    rarity = _token_rarity(tokens, query_words, idf)
    cosines = _max_cosines(pairs)
    features = {
        **_token_features(pairs, tokens, cosines, rarity),
        **_word_features(pairs, query_words, idf, total_rarity=tokens.sum(rarity), words=words),
    }
    features |= _corpus_features(pairs, features, cosines, words)
    columns = [np.asarray(features[name], dtype=float) for name in FEATURE_NAMES]
    return np.stack(columns, axis=1)


def _token_rarity(tokens: "_Segments", query_words: "_Segments", idf: NDArray) -> NDArray:
    """r_t, the idf of each query token, (tokens of all pairs,).

    A query of special tokens alone has vectors but no words: all of its tokens count the same.
    """
    rarity = np.ones(tokens.lengths.sum())
    rarity[np.repeat(query_words.lengths > 0, tokens.lengths)] = idf + _EPSILON
    return rarity


def _token_features(
    pairs: Sequence[Pair], tokens: "_Segments", cosines: "_MaxCosines", rarity: NDArray
) -> dict[str, NDArray]:
    """The features that compare token and window vectors of the pair alone, (P,) each."""
    token_weights = np.concatenate([query.token_weights.numpy() for query, _ in pairs])
    total_rarity = tokens.sum(rarity)
    return {
        "late_interaction": tokens.sum(cosines.tokens * token_weights),
        "late_interaction_idf": tokens.sum(cosines.tokens * rarity) / total_rarity,
        "worst_token": tokens.min(cosines.tokens),
        "low_token": tokens.lower_quartile(cosines.tokens),
        "window_cosine": cosines.window,
        "header_interaction": tokens.sum(cosines.header) / tokens.lengths,
        "query_idf": total_rarity / tokens.lengths,
    }


def _word_features(
    pairs: Sequence[Pair],
    query_words: "_Segments",
    idf: NDArray,
    *,
    total_rarity: NDArray,
    words: WordStatistics,
) -> dict[str, NDArray]:
    """The features that compare word pieces of the pair alone, (P,) each.

    `idf` (words of all pairs,) is the idf of each query word.
    """
    counts = _map_words(pairs, lambda document, word: document.word_counts.get(word, 0))
    in_title = _map_words(pairs, lambda document, word: word in document.title_words)
    in_header = _map_words(pairs, lambda document, word: word in document.header_words)
    n_words = np.array([document.n_words for _, document in pairs], dtype=float)
    bm25 = query_words.sum(idf * words.term_frequencies(counts, query_words.repeat(n_words)))
    return {
        "bm25": bm25,
        "bm25_share": words.bm25_share(bm25, query_words.sum(idf)),
        "covered": query_words.sum(idf * (counts > 0)) / total_rarity,
        "covered_by_title": query_words.sum(idf * in_title) / total_rarity,
        "covered_by_header": query_words.sum(idf * in_header) / total_rarity,
        "log_length": np.log1p(n_words),
        "query_length": query_words.lengths,
        "bigrams": np.array([_shared_bigrams(query, document) for query, document in pairs]),
    }


def _corpus_features(
    pairs: Sequence[Pair],
    pair_alone: Mapping[str, NDArray],
    cosines: "_MaxCosines",
    words: WordStatistics,
) -> dict[str, NDArray]:
    """The features that need the background or the feedback, (P,) each.

    `pair_alone` has the features of the pair alone, of which two get a z-score here.
    """
    queries = [query for query, _ in pairs]
    feedback_words = _feedback_word_cosine(queries, [document for _, document in pairs], words)
    late_interaction, bm25_share = pair_alone["late_interaction"], pair_alone["bm25_share"]
    values = np.stack([late_interaction, bm25_share, cosines.feedback, feedback_words], axis=1)
    # (P, 4) each, in the order of `values`.
    mean = np.stack([[*q.background.mean, *q.feedback.background_mean] for q in queries])
    std = np.stack([[*q.background.std, *q.feedback.background_std] for q in queries])
    z = (values - mean) / std
    return {
        "late_interaction_z": z[:, 0],
        "bm25_share_z": z[:, 1],
        "ordinary_interaction": mean[:, 0],
        "ordinary_spread": std[:, 0],
        "ordinary_best": np.array([query.background.top_mean for query in queries]),
        "feedback_cosine": cosines.feedback,
        "feedback_words": feedback_words,
        "feedback_cosine_z": z[:, 2],
        "feedback_words_z": z[:, 3],
        "feedback_negative": cosines.negative,
    }


@dataclass(frozen=True)
class _MaxCosines:
    """Greatest cosines of P pairs.

    `tokens` and `header`: of each query token with any token of the document, or of its header,
    (tokens of all pairs,) each. `window`, `feedback` and `negative`: of the document's windows with
    the query's mean, the feedback's mean and the negative feedback's mean, (P,) each.
    """

    tokens: NDArray
    header: NDArray
    window: NDArray
    feedback: NDArray
    negative: NDArray


def _max_cosines(pairs: Sequence[Pair]) -> _MaxCosines:
    """The greatest cosines of each pair, from one matrix product for all queries of a document."""
    of_tokens, of_header, of_windows = [], [], []
    for _, neighbours in groupby(pairs, key=lambda pair: id(pair[1])):
        group = list(neighbours)
        document, queries = group[0][1], [query for query, _ in group]
        query_tokens = torch.cat([query.token_vectors for query in queries])
        cosines = query_tokens @ document.token_vectors.T  # (T of the group, N)
        of_tokens.append(cosines.amax(dim=1))
        n = document.n_header_tokens
        of_header.append(cosines[:, :n].amax(dim=1) if n else torch.zeros(len(cosines)))
        means = [
            torch.stack([query.mean_vector, query.feedback.mean, query.feedback.negative_mean])
            for query in queries
        ]
        window_cosines = torch.stack(means) @ document.window_vectors.T  # (group, 3, W)
        of_windows.append(window_cosines.amax(dim=2))  # (group, 3)
    window, feedback, negative = torch.cat(of_windows).double().numpy().T
    tokens, header = (torch.cat(parts).double().numpy() for parts in (of_tokens, of_header))
    return _MaxCosines(tokens, header, window, feedback, negative)


def _feedback_word_cosine(
    queries: Sequence[EncodedQuery], documents: Sequence[EncodedDocument], words: WordStatistics
) -> NDArray:
    """The cosine of the feedback words of each pair's query with its document's tf-idf, (P,)."""
    # Each distinct query and document has one row.
    feedback = {id(query): query.feedback for query in queries}
    counts = {id(document): document.word_counts for document in documents}
    ends = np.cumsum([0, *(len(of_query.word_ids) for of_query in feedback.values())])
    weights = np.concatenate([of_query.word_weights for of_query in feedback.values()])
    word_ids = np.concatenate([of_query.word_ids for of_query in feedback.values()])
    query_vectors = csr_array((weights, word_ids, ends), (len(feedback), len(words.idf)))
    document_vectors = words.tfidf(count_matrix(list(counts.values()), len(words.idf)))
    query_row = {key: row for row, key in enumerate(feedback)}
    document_row = {key: row for row, key in enumerate(counts)}
    left = query_vectors[[query_row[id(query)] for query in queries]]  # (P, V)
    right = document_vectors[[document_row[id(document)] for document in documents]]  # (P, V)
    return left.multiply(right).sum(axis=1)


def _map_words(pairs: Sequence[Pair], value: Callable[[EncodedDocument, int], float]) -> NDArray:
    """`value(document, word)` for each query word of every pair, (words of all pairs,)."""
    return np.array(
        [value(document, word) for query, document in pairs for word in query.word_ids],
        dtype=float,
    )


def _shared_bigrams(query: EncodedQuery, document: EncodedDocument) -> float:
    """The share of the query's neighbouring words that are neighbours in the document too.

    It is 0 for a query of one word.
    """
    shared = sum(bigram in document.bigrams for bigram in pairwise(query.word_ids))
    return shared / max(1, len(query.word_ids) - 1)


class _Segments:
    """The layout of an array with the values of P pairs, pair after pair.

    `lengths` (P,) are the pairs' numbers of values.

    Its methods reduce (sum of lengths,) to (P,) without a loop over pairs.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = np.array(lengths)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._pair = np.repeat(np.arange(len(lengths)), self.lengths)

    def repeat(self, pair_values: NDArray) -> NDArray:
        """Each pair's value, repeated `lengths` times, (sum of lengths,): the reverse of reducing."""
        return pair_values[self._pair]

    def sum(self, values: NDArray) -> NDArray:
        """The sum of each pair's values, (P,); 0 for a pair without values."""
        return np.bincount(self._pair, values, minlength=len(self.lengths))

    def min(self, values: NDArray) -> NDArray:
        """The least of each pair's values, (P,). Raises IndexError where the last pair has none."""
        return np.minimum.reduceat(values, self._starts)

    def lower_quartile(self, values: NDArray) -> NDArray:
        """The 0.25 quantile of each pair's values, (P,), interpolated as np.quantile does."""
        ordered = values[np.lexsort((values, self._pair))]  # within each pair
        position = 0.25 * (self.lengths - 1)
        below = np.floor(position).astype(int)
        above = np.minimum(below + 1, self.lengths - 1)
        lower, upper = ordered[self._starts + below], ordered[self._starts + above]
        return lower + (upper - lower) * (position - below)
