"""Corpus statistics by hand: words, background, feedback and their file."""

from collections import Counter
from math import exp, log, sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from relabel_assets.errors import StudentError
from relabel_assets.student.late_interaction import corpus_statistics, feedback
from relabel_assets.student.late_interaction.background import MIN_STD, BackgroundWindows
from relabel_assets.student.late_interaction.corpus_statistics import CorpusStatistics
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.feedback import FeedbackWindows
from relabel_assets.student.late_interaction.statistics_file import (
    STATISTICS_FILE,
    read_corpus_statistics,
    save_corpus_statistics,
)
from relabel_assets.student.late_interaction.word_statistics import WordStatistics, count_matrix
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

EAST, NORTH = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
EQUAL_WORDS = WordStatistics(np.ones(4), 1.0)


def test_bm25_term_frequencies_saturate_and_are_normalized_by_length() -> None:
    words = WordStatistics(np.ones(4), mean_length=10.0)
    counts, n_words = np.array([0.0, 1.0, 1.0, 1e9]), np.array([10.0, 10.0, 20.0, 10.0])
    # count * 2.2 / (count + 1.2 * (.75 + .25 * length / mean length))
    expected = [0.0, 2.2 / 2.2, 2.2 / (1 + 1.2 * 1.25), 2.2]
    assert words.term_frequencies(counts, n_words).tolist() == pytest.approx(expected)


def test_bm25_shares_of_one_query_by_hand() -> None:
    words = WordStatistics(np.array([1.0, 3.0]), mean_length=1.0)
    shares = words.bm25_shares([0, 1], np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 1.0]))
    # Each frequency is 2.2 / 2.2 = 1, and the most there could be is 2.2 * (1 + 3).
    assert shares.tolist() == pytest.approx([1 / 8.8, 3 / 8.8], abs=1e-6)


def test_tfidf_rows_have_length_one_and_a_document_without_words_is_zero() -> None:
    words = WordStatistics(np.array([1.0, 1.0, 2.0, 1.0]), 1.0)
    tfidf = words.tfidf(count_matrix([Counter(), Counter({1: 3, 2: 1})], 4)).toarray()
    once, thrice = 2.0, 1 + log(3)
    norm = sqrt(once**2 + thrice**2)
    assert tfidf[0].tolist() == [0, 0, 0, 0]
    assert tfidf[1].tolist() == pytest.approx([0, thrice / norm, once / norm, 0])


def test_counts_are_sorted_and_not_changed_by_tfidf() -> None:
    counts = count_matrix([{3: 1, 0: 2}], 4)
    EQUAL_WORDS.tfidf(counts)
    assert (counts.indices.tolist(), counts.data.tolist()) == ([0, 3], [2, 1])


def test_the_mean_length_of_documents_without_words_is_one() -> None:
    none: frozenset[int] = frozenset()
    empty = EncodedDocument(EAST[None], [1], 0, {}, frozenset(), none, none)
    assert WordStatistics.from_documents([empty], vocabulary=2).mean_length == 1.0


def test_background_scores_by_hand() -> None:
    # Four windows; the second has two tokens, of which the better one counts.
    vectors = torch.stack([NORTH, NORTH, torch.tensor([0.6, 0.8]), EAST, torch.tensor([0.8, 0.6])])
    background = BackgroundWindows(vectors, [[1], [2], [2], [3]], [1, 2, 1, 1])
    scores = background.scores(
        torch.stack([EAST, NORTH]), torch.tensor([0.5, 0.5]), [1], EQUAL_WORDS
    )
    # East and north of each window: (0, 1), (.6, 1), (1, 0), (.8, .6); the mean of both is the late
    # interaction.
    late = np.array([0.5, 0.8, 0.5, 0.7])
    # Word 1 is in the first window: 2.2 / 2.2 of 2.2.
    shares = np.array([1 / 2.2, 0, 0, 0])
    assert scores.mean.tolist() == pytest.approx([late.mean(), shares.mean()], abs=1e-6)
    assert scores.std.tolist() == pytest.approx([late.std(), shares.std()], abs=1e-6)
    assert scores.top_mean == pytest.approx((0.8 + 0.7 + 0.5) / 3), "of the best three"


def test_a_background_of_equal_scores_has_the_minimum_standard_deviation() -> None:
    background = BackgroundWindows(torch.stack([EAST, EAST]), [[1], [2]], [1, 1])
    scores = background.scores(EAST[None], torch.tensor([1.0]), [3], EQUAL_WORDS)
    assert scores.mean.tolist() == [1.0, 0.0]
    assert scores.std.tolist() == [MIN_STD, MIN_STD]


def test_a_query_without_words_has_background_scores() -> None:
    background = BackgroundWindows(torch.stack([EAST, NORTH]), [[1], [2]], [1, 1])
    scores = background.scores(EAST[None], torch.tensor([1.0]), [], EQUAL_WORDS)
    assert scores.mean.tolist() == [0.5, 0.0]


def test_feedback_by_hand() -> None:
    # Two windows of one document to the east with word 1, twice, and word 2; one to the north with
    # word 3.
    words = WordStatistics(np.array([1.0, 1.0, 2.0, 1.0]), 3.0)
    counts = [Counter({1: 2, 2: 1}), Counter({3: 1})]
    windows = FeedbackWindows.from_documents(
        [torch.stack([EAST, EAST]), torch.stack([NORTH])], counts, words
    )
    diagonal = torch.tensor([sqrt(0.5), sqrt(0.5)])
    east, diagonal_feedback = windows.feedback(torch.stack([EAST, diagonal]))
    # Weights of the windows to the east are exp(20), of the one to the north exp(0); the other way
    # about for negative.
    north = exp(-20)
    assert east.mean.tolist() == pytest.approx([1.0, north / 2], abs=1e-9)
    assert east.negative_mean.tolist() == pytest.approx([2 * north, 1.0], abs=1e-9)
    # All cosines with the diagonal are equal, and so are the weights: (2, 1) / sqrt(5).
    assert diagonal_feedback.mean.tolist() == pytest.approx([2 / sqrt(5), 1 / sqrt(5)])
    assert diagonal_feedback.negative_mean.tolist() == pytest.approx([2 / sqrt(5), 1 / sqrt(5)])
    weights = dict(zip(east.word_ids.tolist(), east.word_weights.tolist(), strict=True))
    assert weights[1] / weights[2] == pytest.approx((1 + log(2)) / 2.0)
    assert weights.get(3, 0.0) == pytest.approx(0.0, abs=1e-6)
    assert np.linalg.norm(diagonal_feedback.word_weights) == pytest.approx(1.0)
    # Cosines of three windows with the mean are 1, 1 and 0; of two documents with the words 1 and
    # 0.
    assert east.background_mean.tolist() == pytest.approx([2 / 3, 1 / 2], abs=1e-6)
    assert east.background_std.tolist() == pytest.approx([sqrt(2) / 3, 1 / 2], abs=1e-6)


def test_a_cosine_higher_by_a_tenth_weighs_exp_2_times_as_much() -> None:
    near, far = torch.tensor([0.8, 0.6]), torch.tensor([0.7, -sqrt(0.51)])
    windows = FeedbackWindows(
        torch.stack([near, far]), np.array([0, 1]), count_matrix([{}, {}], 4), EQUAL_WORDS
    )
    (query_feedback,) = windows.feedback(EAST[None])
    mean = (exp(2) * near + far) / (exp(2) + 1)
    negative = (near + exp(2) * far) / (1 + exp(2))
    assert query_feedback.mean.tolist() == pytest.approx((mean / mean.norm()).tolist(), abs=1e-5)
    assert query_feedback.negative_mean.tolist() == pytest.approx(
        (negative / negative.norm()).tolist(), abs=1e-5
    )


def test_only_the_nearest_windows_give_feedback(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = FeedbackWindows.from_documents(
        [EAST[None], NORTH[None]], [Counter({1: 1}), Counter({2: 1})], EQUAL_WORDS
    )
    monkeypatch.setattr(feedback, "_N_NEAREST", 1)
    (query_feedback,) = windows.feedback(EAST[None])
    assert query_feedback.negative_mean.tolist() == pytest.approx([1.0, 0.0]), (
        "the window to the north is not looked at"
    )


def test_only_the_heaviest_words_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "_N_WORDS", 2)
    words = WordStatistics(np.array([1.0, 3.0, 2.0, 4.0]), 1.0)
    windows = FeedbackWindows.from_documents([EAST[None]], [Counter([0, 1, 2, 3])], words)
    (query_feedback,) = windows.feedback(EAST[None])
    assert query_feedback.word_ids.tolist() == [1, 3]
    assert query_feedback.word_weights.tolist() == pytest.approx([3 / 5, 4 / 5])


def test_more_queries_than_a_chunk_each_have_their_own_feedback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feedback, "_QUERIES_PER_CHUNK", 2)
    windows = FeedbackWindows.from_documents([torch.stack([EAST, NORTH])], [Counter()], EQUAL_WORDS)
    feedbacks = windows.feedback(torch.stack([EAST, NORTH, EAST]))
    assert [one.mean.argmax().item() for one in feedbacks] == [0, 1, 0]


def test_feedback_from_documents_without_words_is_finite() -> None:
    windows = FeedbackWindows.from_documents([EAST[None]], [Counter()], EQUAL_WORDS)
    (query_feedback,) = windows.feedback(NORTH[None])
    assert np.isfinite(query_feedback.word_weights).all()
    assert query_feedback.background_std.tolist() == [MIN_STD, MIN_STD]


def test_a_background_has_a_maximum_number_of_documents_drawn_by_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns = {
        name: [f"{name} {n}" for n in range(5) for _ in range(2)] for name in DOCUMENT_COLUMNS
    }
    pairs = pl.DataFrame({"doc_id": [f"d{n}" for n in range(5) for _ in range(2)], **columns})

    def drawn(seed: int) -> list[str]:
        return [row["doc_id"] for row in corpus_statistics._background_documents(pairs, seed)]

    assert sorted(drawn(1)) == ["d0", "d1", "d2", "d3", "d4"], "each document once"
    monkeypatch.setattr(corpus_statistics, "_BACKGROUND_DOCUMENTS", 2)
    assert len(set(drawn(1))) == 2
    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(5)}) > 1


def test_saved_statistics_load_unchanged_and_a_torn_file_is_refused(tmp_path: Path) -> None:
    words = WordStatistics(np.arange(4.0), 7.5)
    background = BackgroundWindows(torch.stack([EAST, NORTH]), [[1, 2], []], [1, 1])
    windows = FeedbackWindows.from_documents(
        [torch.stack([EAST, NORTH]), torch.stack([NORTH])],
        [Counter({1: 2, 3: 1}), Counter()],
        words,
    )
    save_corpus_statistics(tmp_path, CorpusStatistics(words, background, windows))
    loaded = read_corpus_statistics(tmp_path)
    assert (loaded.words.idf.tolist(), loaded.words.mean_length) == (words.idf.tolist(), 7.5)
    assert torch.equal(loaded.background.token_vectors, background.token_vectors)
    assert (loaded.background.word_ids, list(loaded.background.lengths)) == ([[1, 2], []], [1, 1])
    assert torch.equal(loaded.feedback.vectors, windows.vectors)
    assert loaded.feedback.document_of_window.tolist() == [0, 0, 1]
    assert loaded.feedback.word_counts.toarray().tolist() == [[0, 2, 0, 1], [0, 0, 0, 0]]
    file = tmp_path / STATISTICS_FILE
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StudentError, match=r"evidence\.safetensors cannot be read"):
        read_corpus_statistics(tmp_path)
