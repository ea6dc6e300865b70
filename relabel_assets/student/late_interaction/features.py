"""The 25 features of a (query, document) pair.

What belongs here: computing them from token vectors, word pieces and corpus statistics. What does
not: making vectors (runtime/encoder.py), the statistics (corpus_statistics.py) and weighting
features (head.py). Imported only where a model is needed: it loads torch.

For query tokens t = 1..T, m_t is the greatest cosine of t with any token of the document, w_t the
token's weight (see maxsim.py), and r_t its idf. Sums are over t.

| feature | value |
|---|---|
| late_interaction | sum w_t m_t |
| late_interaction_idf | sum r_t m_t / sum r_t |
| worst_token, low_token | minimum and lower quartile of m_t |
| window_cosine | cosine of the query's mean vector with that of the document's nearest window |
| header_interaction | mean over t of the greatest cosine with any token of the header |
| bm25, bm25_share | BM25 of the query's words; the same as a share of the greatest that is possible |
| covered, covered_by_title, covered_by_header | sum of r_t over words in document, title, header / sum r_t |
| bigrams | share of the query's neighbouring word pairs that are neighbours in the document too |
| log_length | ln(1 + words of the document) |
| query_length, query_idf | words of the query; mean of r_t |
| late_interaction_z, bm25_share_z | both in standard deviations above the background's mean (background.py) |
| ordinary_interaction, ordinary_spread, ordinary_best | mean, standard deviation, top mean of the same |
| feedback_cosine | cosine of the nearest window with the feedback's mean |
| feedback_words | cosine of the document's tf-idf with the feedback's words |
| feedback_cosine_z, feedback_words_z | both in standard deviations above the corpus' mean |
| feedback_negative | cosine of the nearest window with the negative feedback's mean (feedback.py) |

The first eleven rows compare the pair alone. What follows tells the head which scores are ordinary
for such a query.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from relabel_assets.student.late_interaction.background import BackgroundScores
from relabel_assets.student.late_interaction.corpus_statistics import CorpusStatistics
from relabel_assets.student.late_interaction.documents import EncodedDocument
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
# The head's weights where there are too few queries to learn others: the two features that rank web
# passages best alone.
PRIOR_WEIGHTS = {"late_interaction": 1.0, "window_cosine": 0.5}
_EPSILON = 1e-6  # keeps 0 / 0 out of a query whose words all have an idf of 0

Pair = tuple["EncodedQuery", EncodedDocument]


@dataclass(frozen=True)
class EncodedQuery:
    """A query of T tokens: unit vectors (T, H), their weights (T,), and the unit mean of the
    vectors (H,).

    `word_ids` are its word pieces: T of them, or none where the query has only special tokens.
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
    """Every query, encoded and compared with the corpus. A query over max_length is cut.

    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.late_interaction.background import BackgroundWindows
    >>> from relabel_assets.student.late_interaction.feedback import FeedbackWindows
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> words = WordStatistics(idf=np.ones(len(encoder.tokenizer)), mean_length=2.0)
    >>> background = BackgroundWindows.from_documents(encoder, [{"body": "travel"}])
    >>> feedback = FeedbackWindows.from_documents([background.token_vectors], [{}], words)
    >>> statistics = CorpusStatistics(words, background, feedback)
    >>> (query,) = encode_queries(QueryScorer(encoder), ["parental leave"], statistics)
    >>> query.token_vectors.shape, query.token_weights.tolist(), len(query.word_ids)
    (torch.Size([2, 384]), [0.5, 0.5], 2)
    """
    special = set(scorer.encoder.tokenizer.all_special_ids)
    tokens = scorer.encode_query_tokens(texts)
    means = torch.stack([vectors.mean(dim=0) for vectors, _ in tokens])
    mean_vectors = nn.functional.normalize(means, dim=-1)
    feedback = statistics.feedback.feedback(mean_vectors)
    queries = []
    for place, all_ids in enumerate(scorer.encoder.token_ids(texts)):
        vectors, weights = tokens[place]
        ids = truncated(all_ids, scorer.encoder.max_length)
        word_ids = [i for i in ids if i not in special]
        background = statistics.background.scores(vectors, weights, word_ids, statistics.words)
        queries.append(
            EncodedQuery(
                vectors, weights, mean_vectors[place], word_ids, background, feedback[place]
            )
        )
    return queries


def pair_features(pairs: Sequence[Pair], words: WordStatistics) -> NDArray:
    """The features of each pair, (P, F), in the order of FEATURE_NAMES. It is faster if pairs of a
    document are neighbours.

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
    queries, documents = [query for query, _ in pairs], [document for _, document in pairs]
    tokens = _Segments([len(query.token_vectors) for query in queries])
    words_of_queries = _Segments([len(query.word_ids) for query in queries])

    max_cosines, header_cosines, window, feedback, negative = _max_cosines(pairs)
    token_weights = np.concatenate([query.token_weights.numpy() for query in queries])
    late_interaction = tokens.sum(max_cosines * token_weights)

    # Values of each pair's query words, pair after pair.
    idf = words.idf[[i for query in queries for i in query.word_ids]]
    counts = _of_words(pairs, lambda document, word: document.word_counts.get(word, 0))
    in_title = _of_words(pairs, lambda document, word: word in document.title_words)
    in_header = _of_words(pairs, lambda document, word: word in document.header_words)
    n_words = np.array([document.n_words for document in documents], dtype=float)
    frequencies = words.term_frequencies(counts, words_of_queries.repeat(n_words))
    bm25 = words_of_queries.sum(idf * frequencies)
    bm25_share = words.bm25_share(bm25, words_of_queries.sum(idf))

    # r_t of each token. A query of special tokens alone has vectors but no words: all of its tokens
    # count the same.
    rarity = np.ones(len(max_cosines))
    rarity[np.repeat(words_of_queries.lengths > 0, tokens.lengths)] = idf + _EPSILON
    total_rarity = tokens.sum(rarity)

    feedback_words = _feedback_word_cosine(queries, documents, words)
    # z-scores of late interaction, BM25 share, feedback's cosine and feedback's words, (P, 4).
    mean = np.stack([[*q.background.mean, *q.feedback.background_mean] for q in queries])
    std = np.stack([[*q.background.std, *q.feedback.background_std] for q in queries])
    values = np.stack([late_interaction, bm25_share, feedback, feedback_words], axis=1)
    z = (values - mean) / std

    features = {
        "late_interaction": late_interaction,
        "late_interaction_idf": tokens.sum(max_cosines * rarity) / total_rarity,
        "worst_token": tokens.min(max_cosines),
        "low_token": tokens.lower_quartile(max_cosines),
        "window_cosine": window,
        "bm25": bm25,
        "bm25_share": bm25_share,
        "covered": words_of_queries.sum(idf * (counts > 0)) / total_rarity,
        "covered_by_title": words_of_queries.sum(idf * in_title) / total_rarity,
        "covered_by_header": words_of_queries.sum(idf * in_header) / total_rarity,
        "header_interaction": tokens.sum(header_cosines) / tokens.lengths,
        "log_length": np.log1p(n_words),
        "query_length": words_of_queries.lengths,
        "query_idf": total_rarity / tokens.lengths,
        "bigrams": [_shared_bigrams(query.word_ids, document) for query, document in pairs],
        "late_interaction_z": z[:, 0],
        "bm25_share_z": z[:, 1],
        "ordinary_interaction": mean[:, 0],
        "ordinary_spread": std[:, 0],
        "ordinary_best": [query.background.top_mean for query in queries],
        "feedback_cosine": feedback,
        "feedback_words": feedback_words,
        "feedback_cosine_z": z[:, 2],
        "feedback_words_z": z[:, 3],
        "feedback_negative": negative,
    }
    columns = [np.asarray(features[name], dtype=float) for name in FEATURE_NAMES]
    return np.stack(columns, axis=1)


def _max_cosines(pairs: Sequence[Pair]) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Greatest cosines, of two kinds.

    Of each query token with any token of the document, and with any of its header, (T of all
    pairs,) each. And of the document's windows with the query's mean, the feedback's mean and the
    negative feedback's mean, (P,) each.
    """
    of_tokens, of_header, of_windows = [], [], []
    # One matrix product for all queries of a document.
    for _, neighbours in groupby(pairs, key=lambda pair: id(pair[1])):
        group = list(neighbours)
        document, queries = group[0][1], [query for query, _ in group]
        query_tokens = torch.cat([query.token_vectors for query in queries])
        cosines = query_tokens @ document.token_vectors.T  # (T of the group, N)
        of_tokens.append(cosines.amax(dim=1))
        n = document.n_header_tokens
        of_header.append(cosines[:, :n].amax(dim=1) if n else torch.zeros(len(cosines)))
        means = torch.stack(
            [
                torch.stack([q.mean_vector, q.feedback.mean, q.feedback.negative_mean])
                for q in queries
            ]
        )  # (group, 3, H)
        of_windows.append((means @ document.window_vectors.T).amax(dim=2))  # (group, 3)
    window, feedback, negative = torch.cat(of_windows).double().numpy().T
    tokens, header = (torch.cat(parts).double().numpy() for parts in (of_tokens, of_header))
    return tokens, header, window, feedback, negative


def _feedback_word_cosine(
    queries: Sequence[EncodedQuery], documents: Sequence[EncodedDocument], words: WordStatistics
) -> NDArray:
    """The cosine of the words of each pair's feedback with the tf-idf of its document, (P,)."""
    feedback = {id(query): query.feedback for query in queries}  # each query and document once
    counts = {id(document): document.word_counts for document in documents}
    ends = np.cumsum([0, *(len(one.word_ids) for one in feedback.values())])
    weights = np.concatenate([one.word_weights for one in feedback.values()])
    word_ids = np.concatenate([one.word_ids for one in feedback.values()])
    of_queries = csr_array((weights, word_ids, ends), (len(feedback), len(words.idf)))
    of_documents = words.tfidf(count_matrix(list(counts.values()), len(words.idf)))
    query_row = {key: row for row, key in enumerate(feedback)}
    document_row = {key: row for row, key in enumerate(counts)}
    left = of_queries[[query_row[id(query)] for query in queries]]  # (P, V)
    right = of_documents[[document_row[id(document)] for document in documents]]  # (P, V)
    return left.multiply(right).sum(axis=1)


def _of_words(pairs: Sequence[Pair], value: Callable[[EncodedDocument, int], float]) -> NDArray:
    """`value` of the document and each query word of every pair, (words of all pairs,)."""
    return np.array(
        [value(document, word) for query, document in pairs for word in query.word_ids],
        dtype=float,
    )


def _shared_bigrams(word_ids: Sequence[int], document: EncodedDocument) -> float:
    """The share of neighbouring words that are neighbours in the document; 0 for a query of one
    word."""
    shared = sum(bigram in document.bigrams for bigram in pairwise(word_ids))
    return shared / max(1, len(word_ids) - 1)


class _Segments:
    """Values of P pairs in one array, pair after pair; `lengths` (P,) says how many each pair has.

    Its methods reduce (sum of lengths,) to (P,) without a loop over pairs.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = np.array(lengths)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._pair = np.repeat(np.arange(len(lengths)), self.lengths)

    def repeat(self, of_pairs: NDArray) -> NDArray:
        """The reverse: each pair's value at all of its places, (sum of lengths,)."""
        return of_pairs[self._pair]

    def sum(self, values: NDArray) -> NDArray:
        return np.bincount(self._pair, values, minlength=len(self.lengths))

    def min(self, values: NDArray) -> NDArray:
        """Raises IndexError where the last pair has no values."""
        return np.minimum.reduceat(values, self._starts)

    def lower_quartile(self, values: NDArray) -> NDArray:
        """The value a quarter of the way from the least to the greatest, interpolated as
        np.quantile does."""
        ordered = values[np.lexsort((values, self._pair))]  # within each pair
        position = 0.25 * (self.lengths - 1)
        below = np.floor(position).astype(int)
        above = np.minimum(below + 1, self.lengths - 1)
        lower, upper = ordered[self._starts + below], ordered[self._starts + above]
        return lower + (upper - lower) * (position - below)
