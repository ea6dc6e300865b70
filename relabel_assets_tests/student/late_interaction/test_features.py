"""All 25 features of three tiny documents, by hand.

The query has the words 1, 2 and 3, whose vectors are (1, 0), (0, 1) and (.6, .8) with weights .5,
.25 and .25.

| document | words | length | token vectors | window vectors |
|---|---|---|---|---|
| A | 1 once, 2 three times | 4 | (1, 0) of the header, (.28, .96); (.6, -.8) | (.8, .6); (.6, -.8) |
| B | 3 twice | 2 | (0, 1), no header | (0, 1) |
| C | 1 once, 4 twice | 3 | (-.6, .8) of the header | (-.6, .8) |

A's first window vector is the mean (.64, .48) of its two tokens, divided by its length .8.

idf = ln(1 + (3 - n + .5) / (n + .5)): word 1 is in two documents, the others are in one. The mean
length is 3.
"""

from collections import Counter
from math import hypot, log

import numpy as np
import pytest
import torch

from relabel_assets.student.late_interaction.background import BackgroundScores
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.features import (
    FEATURE_NAMES,
    PRIOR_WEIGHTS,
    EncodedQuery,
    pair_features,
)
from relabel_assets.student.late_interaction.feedback import QueryFeedback
from relabel_assets.student.late_interaction.word_statistics import WordStatistics

NONE: frozenset[int] = frozenset()
A = EncodedDocument(
    token_vectors=torch.tensor([[1.0, 0.0], [0.28, 0.96], [0.6, -0.8]]),
    window_lengths=[2, 1],
    n_header_tokens=1,
    word_counts=Counter({1: 1, 2: 3}),
    bigrams=frozenset({(1, 2), (2, 2)}),
    title_words=frozenset({2}),
    header_words=frozenset({1}),
)
B = EncodedDocument(
    torch.tensor([[0.0, 1.0]]), [1], 0, Counter({3: 2}), frozenset({(3, 3)}), NONE, NONE
)
C = EncodedDocument(
    torch.tensor([[-0.6, 0.8]]), [1], 1, Counter({1: 1, 4: 2}), NONE, NONE, frozenset({1})
)
WORDS = WordStatistics.from_documents([A, B, C], vocabulary=5)

IDF1, IDF2 = log(1.6), log(8 / 3)  # of word 1, and of each of the words 2, 3 and 4
TOTAL = IDF1 + 2 * IDF2  # of the query's words
BM25_A = IDF1 * 2.2 / (1 + 1.3) + IDF2 * 3 * 2.2 / (3 + 1.3)  # 1.3 = 1.2 * (.75 + .25 * 4 / 3)
BM25_B = IDF2 * 2 * 2.2 / (2 + 1.1)  # 1.1 = 1.2 * (.75 + .25 * 2 / 3)
BM25_C = IDF1 * 2.2 / (1 + 1.2)  # 1.2 = 1.2 * (.75 + .25 * 3 / 3)
# Feedback has word 2 with weight .6 and word 4 with weight .8. tf-idf is (1 + ln count) * idf,
# scaled to length 1.
FEEDBACK_WORDS_A = 0.6 * (1 + log(3)) * IDF2 / hypot(IDF1, (1 + log(3)) * IDF2)
FEEDBACK_WORDS_C = 0.8 * (1 + log(2)) * IDF2 / hypot(IDF1, (1 + log(2)) * IDF2)

# In the comments: the greatest cosine of the three query tokens with any token of A, B and C.
BY_HAND = {
    # A: 1, .96, .6 * .28 + .8 * .96 = .936. B: 0, 1, .8. C: -.6, .8, -.36 + .64 = .28.
    "late_interaction": (
        0.5 * 1 + 0.25 * 0.96 + 0.25 * 0.936,
        0.5 * 0 + 0.25 * 1 + 0.25 * 0.8,
        0.5 * -0.6 + 0.25 * 0.8 + 0.25 * 0.28,
    ),
    "late_interaction_idf": (
        (IDF1 * 1 + IDF2 * 0.96 + IDF2 * 0.936) / TOTAL,
        (IDF1 * 0 + IDF2 * 1 + IDF2 * 0.8) / TOTAL,
        (IDF1 * -0.6 + IDF2 * 0.8 + IDF2 * 0.28) / TOTAL,
    ),
    "worst_token": (0.936, 0.0, -0.6),
    # A quarter of the way from the least to the greatest of three: halfway from the least to the
    # middle one.
    "low_token": ((0.936 + 0.96) / 2, (0 + 0.8) / 2, (-0.6 + 0.28) / 2),
    # The query's mean vector is (.6, .8). A: with (.8, .6), more than -.28 with (.6, -.8).
    "window_cosine": (0.48 + 0.48, 0.8, -0.36 + 0.64),
    "bm25": (BM25_A, BM25_B, BM25_C),
    "bm25_share": (BM25_A / (TOTAL * 2.2), BM25_B / (TOTAL * 2.2), BM25_C / (TOTAL * 2.2)),
    "covered": ((IDF1 + IDF2) / TOTAL, IDF2 / TOTAL, IDF1 / TOTAL),
    "covered_by_title": (IDF2 / TOTAL, 0.0, 0.0),
    "covered_by_header": (IDF1 / TOTAL, 0.0, IDF1 / TOTAL),
    # With (1, 0); without a header; with (-.6, .8).
    "header_interaction": ((1 + 0 + 0.6) / 3, 0.0, (-0.6 + 0.8 + 0.28) / 3),
    "log_length": (log(5), log(3), log(4)),
    "query_length": (3.0, 3.0, 3.0),
    "query_idf": (TOTAL / 3, TOTAL / 3, TOTAL / 3),
    "bigrams": (1 / 2, 0.0, 0.0),  # of (1, 2) and (2, 3)
    # The query's background: late interaction .474 +- .25, at best .7; BM25 share .1 +- .2.
    "late_interaction_z": (
        (0.974 - 0.474) / 0.25,
        (0.45 - 0.474) / 0.25,
        (-0.03 - 0.474) / 0.25,
    ),
    "bm25_share_z": (
        (BM25_A / (TOTAL * 2.2) - 0.1) / 0.2,
        (BM25_B / (TOTAL * 2.2) - 0.1) / 0.2,
        (BM25_C / (TOTAL * 2.2) - 0.1) / 0.2,
    ),
    "ordinary_interaction": (0.474, 0.474, 0.474),
    "ordinary_spread": (0.25, 0.25, 0.25),
    "ordinary_best": (0.7, 0.7, 0.7),
    # The feedback's mean is (0, 1). A: with (.8, .6), more than -.8 with (.6, -.8).
    "feedback_cosine": (0.6, 1.0, 0.8),
    "feedback_words": (FEEDBACK_WORDS_A, 0.0, FEEDBACK_WORDS_C),
    # The corpus' cosines with it: .1 +- .25 of vectors, .2 +- .5 of words.
    "feedback_cosine_z": ((0.6 - 0.1) / 0.25, (1.0 - 0.1) / 0.25, (0.8 - 0.1) / 0.25),
    "feedback_words_z": (
        (FEEDBACK_WORDS_A - 0.2) / 0.5,
        (0.0 - 0.2) / 0.5,
        (FEEDBACK_WORDS_C - 0.2) / 0.5,
    ),
    # The negative feedback's mean is (1, 0). A: with (.8, .6), more than .6 with (.6, -.8).
    "feedback_negative": (0.8, 0.0, -0.6),
}


def query(word_ids: list[int] | None = None, n_tokens: int = 3) -> EncodedQuery:
    feedback = QueryFeedback(
        mean=torch.tensor([0.0, 1.0]),
        negative_mean=torch.tensor([1.0, 0.0]),
        word_ids=np.array([2, 4]),
        word_weights=np.array([0.6, 0.8]),
        background_mean=np.array([0.1, 0.2]),
        background_std=np.array([0.25, 0.5]),
    )
    background = BackgroundScores(np.array([0.474, 0.1]), np.array([0.25, 0.2]), 0.7)
    return EncodedQuery(
        token_vectors=torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])[:n_tokens],
        token_weights=torch.tensor([0.5, 0.25, 0.25])[:n_tokens],
        mean_vector=torch.tensor([0.6, 0.8]),
        word_ids=[1, 2, 3] if word_ids is None else word_ids,
        background=background,
        feedback=feedback,
    )


def test_every_feature_has_a_value_by_hand() -> None:
    assert tuple(BY_HAND) == FEATURE_NAMES


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_a_feature_of_three_documents_by_hand(name: str) -> None:
    one = query()
    features = pair_features([(one, A), (one, B), (one, C)], WORDS)
    column = features[:, FEATURE_NAMES.index(name)]
    # 1e-6 in a denominator keeps 0 / 0 out, and vectors are 32-bit numbers.
    assert column.tolist() == pytest.approx(BY_HAND[name], abs=3e-6)


def test_idf_and_mean_length_by_hand() -> None:
    assert WORDS.idf.tolist() == pytest.approx([log(8), log(1.6), IDF2, IDF2, IDF2])
    assert WORDS.mean_length == 3.0


def test_a_batch_of_pairs_has_the_features_of_each_alone() -> None:
    long, short = query(), query(word_ids=[2], n_tokens=1)
    pairs = [(long, A), (short, A), (short, B), (long, C), (short, A)]
    alone = np.concatenate([pair_features([pair], WORDS) for pair in pairs])
    assert pair_features(pairs, WORDS) == pytest.approx(alone)


def test_a_query_of_one_word_has_no_bigrams_and_its_quartile_is_its_only_token() -> None:
    (row,) = pair_features([(query(word_ids=[1], n_tokens=1), A)], WORDS)
    features = dict(zip(FEATURE_NAMES, row, strict=True))
    assert features["bigrams"] == 0.0
    assert features["low_token"] == features["worst_token"] == pytest.approx(1.0)


def test_a_query_without_words_has_finite_features_and_equal_token_weights() -> None:
    (row,) = pair_features([(query(word_ids=[]), A)], WORDS)
    features = dict(zip(FEATURE_NAMES, row, strict=True))
    assert np.isfinite(row).all()
    assert features["query_length"] == features["bm25"] == features["covered"] == 0.0
    assert features["late_interaction_idf"] == pytest.approx((1 + 0.96 + 0.936) / 3)


def test_the_prior_names_existing_features() -> None:
    assert set(PRIOR_WEIGHTS) <= set(FEATURE_NAMES)


def test_feature_names_of_saved_students_still_exist() -> None:
    saved = [
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
    ]
    assert set(saved) <= set(FEATURE_NAMES)
