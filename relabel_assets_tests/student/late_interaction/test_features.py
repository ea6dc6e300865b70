"""The evidence for a pair by hand, and the head that weighs it."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from relabel_assets.errors import StudentError
from relabel_assets.student.folder import read_evidence, save_evidence
from relabel_assets.student.late_interaction.corpus_statistics import (
    Background,
    Collection,
    Feedback,
    Lexicon,
    Near,
    counts_of,
)
from relabel_assets.student.late_interaction.documents import ReadDocument
from relabel_assets.student.late_interaction.features import NAMES, ReadQuery, evidence
from relabel_assets.student.late_interaction.head import fit_head

EAST, NORTH = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
NOTHING: frozenset[int] = frozenset()


def document(vectors: list[torch.Tensor], ids: list[int]) -> ReadDocument:
    stacked = torch.stack(vectors)
    return ReadDocument(
        stacked, [1] * len(vectors), 1, Counter(ids), frozenset(itertools.pairwise(ids)), frozenset(ids[:1]), NOTHING
    )


def query(ids: list[int]) -> ReadQuery:
    vectors = torch.stack([EAST, NORTH])
    near = Near(NORTH, EAST, np.array([2]), np.array([1.0]), np.array([0.3, 0.1]), np.array([0.2, 0.5]))
    return ReadQuery(
        vectors, torch.tensor([0.5, 0.5]), EAST, ids, np.array([0.5, 0.1]), np.array([0.25, 0.1]), 0.6, near
    )


def test_the_figures_of_a_pair_by_hand() -> None:
    # Word 1 is in both documents, word 2 in one: idf = ln(1 + (2 - n + .5) / (n + .5)).
    met, other = document([EAST, torch.tensor([0.6, 0.8])], [1, 2]), document([EAST, EAST], [1, 1])
    lexicon = Lexicon.of([met, other], vocabulary=4)
    assert lexicon.idf[[1, 2]] == pytest.approx([np.log(1.2), np.log(2.0)])
    assert lexicon.mean_length == 2.0
    figures = dict(zip(NAMES, evidence([(query([1, 2]), met)], lexicon)[0], strict=True))
    assert figures["late_interaction"] == pytest.approx((1.0 + 0.8) / 2)
    assert figures["worst_token"] == pytest.approx(0.8)
    assert figures["window_cosine"] == pytest.approx(1.0)
    # Both words once in a document of mean length: idf * 2.2 / (1 + 1.2) each, so the whole of idf.
    assert figures["bm25"] == pytest.approx(np.log(1.2) + np.log(2.0))
    assert figures["bm25_share"] == pytest.approx(1 / 2.2, abs=1e-4)
    assert figures["covered"] == pytest.approx(1.0, abs=1e-4)
    assert figures["covered_by_title"] == pytest.approx(np.log(1.2) / np.log(2.4), abs=1e-4)
    assert figures["bigrams"] == 1.0
    assert figures["header_interaction"] == pytest.approx((1.0 + 0.0) / 2)
    assert figures["late_interaction_z"] == pytest.approx((0.9 - 0.5) / 0.25)
    # The second window is nearest to the north, and word 2 has its share of the document's tf-idf.
    assert figures["feedback_cosine"] == pytest.approx(0.8)
    assert figures["feedback_words"] == pytest.approx(np.log(2.0) / np.hypot(np.log(1.2), np.log(2.0)))
    assert figures["feedback_cosine_z"] == pytest.approx((0.8 - 0.3) / 0.2)
    assert figures["feedback_words_z"] == pytest.approx((figures["feedback_words"] - 0.1) / 0.5)
    assert figures["feedback_negative"] == pytest.approx(1.0)  # of its first window
    unmet = dict(zip(NAMES, evidence([(query([1, 2]), other)], lexicon)[0], strict=True))
    assert unmet["covered"] < figures["covered"]
    assert unmet["bigrams"] == 0.0
    assert unmet["feedback_words"] == 0.0
    # Pairs that share queries and documents have the figures that they have alone.
    asked, again = query([1, 2]), query([2, 1])
    several = evidence([(asked, met), (again, met), (asked, other)], lexicon)
    alone = [evidence([pair], lexicon)[0] for pair in ((asked, met), (again, met), (asked, other))]
    assert several == pytest.approx(np.stack(alone))


def test_what_is_near_a_query_by_hand() -> None:
    # Two windows of one document to the east with word 1, twice, and word 2; one to the north with word 3.
    lexicon = Lexicon(np.array([1.0, 1.0, 2.0, 1.0]), 3.0)
    counts = [Counter({1: 2, 2: 1}), Counter({3: 1})]
    feedback = Feedback.of([torch.stack([EAST, EAST]), torch.stack([NORTH])], counts, lexicon)
    east, both = feedback.near(torch.stack([EAST, torch.tensor([0.5**0.5, 0.5**0.5])]))
    # Softmax of 20 times the cosines: the window to the north hardly counts, and as much as each other for the second.
    assert east.vector.tolist() == pytest.approx([1.0, 0.0], abs=1e-6)
    # The other way about: of what is to the east and to the north, only the latter is not nearest.
    assert east.negative.tolist() == pytest.approx([0.0, 1.0], abs=1e-6)
    assert both.negative.tolist() == pytest.approx([2 / 5**0.5, 1 / 5**0.5], abs=1e-6)
    words = dict(zip(east.ids.tolist(), east.weights.tolist(), strict=True))
    assert words[1] / words[2] == pytest.approx((1 + np.log(2)) / 2.0)
    assert words.get(3, 0.0) == pytest.approx(0.0, abs=1e-6)
    # Two windows of three have a cosine of 1 with it, the other of 0; one document of two has its words, the other none.
    assert east.ordinary.tolist() == pytest.approx([2 / 3, 1 / 2], abs=1e-6)
    assert east.spread.tolist() == pytest.approx([2**0.5 / 3, 1 / 2], abs=1e-6)
    assert np.linalg.norm(both.weights) == pytest.approx(1.0)
    assert both.vector.tolist() == pytest.approx([2 / 5**0.5, 1 / 5**0.5], abs=1e-6)


def test_documents_without_a_word_weigh_nothing() -> None:
    lexicon = Lexicon(np.ones(4), 1.0)
    weighed = lexicon.weighed(counts_of([Counter(), Counter({1: 3, 2: 3})], 4))
    assert weighed.toarray().tolist() == pytest.approx(np.array([[0, 0, 0, 0], [0, 0.5**0.5, 0.5**0.5, 0]]))
    (near,) = Feedback.of([torch.stack([EAST])], [Counter()], lexicon).near(torch.stack([NORTH]))
    assert np.isfinite(near.weights).all()


def test_what_is_ordinary_for_a_query_by_hand() -> None:
    background = Background(torch.stack([EAST, NORTH, EAST]), [[1], [2]], [1, 2])
    lexicon = Lexicon(np.ones(4), 1.0)
    means, spreads, best = background.ordinary(torch.stack([EAST]), torch.tensor([1.0]), [3], lexicon)
    assert means.tolist() == [1.0, 0.0]  # each of the two windows has a vector to the east; neither has word 3
    assert (spreads > 0).all()
    assert best == 1.0


def test_a_query_without_a_known_word_has_finite_figures() -> None:
    lexicon = Lexicon(np.ones(4), 1.0)
    assert np.isfinite(evidence([(query([]), document([EAST], [1]))], lexicon)).all()


def test_the_head_learns_the_figure_that_ranks_and_ignores_noise() -> None:
    draw = np.random.default_rng(3)
    grades = draw.integers(0, 4, size=400)
    figures = np.stack([grades + draw.normal(scale=0.5, size=400), draw.normal(size=400), np.ones(400)], axis=1)
    queries = [f"q{place % 20}" for place in range(400)]
    head = fit_head(figures, grades, queries, names=("signal", "noise", "constant"), seed=1)
    assert head.weight[0] > 5 * abs(head.weight[1])
    assert head.weight[2] == pytest.approx(0.0, abs=1e-9)
    assert head == fit_head(figures, grades, queries, names=("signal", "noise", "constant"), seed=1)
    assert np.corrcoef(head.scores(figures), grades)[0, 1] > 0.9


@pytest.mark.parametrize("grade", [0, 2])
def test_equal_grades_give_a_head_all_the_same(grade: int) -> None:
    head = fit_head(np.eye(4), np.full(4, grade), ["q"] * 4, names="abcd", seed=1)
    assert np.isfinite(head.scores(np.eye(4))).all()


def test_evidence_is_read_back_as_saved_and_a_torn_file_is_no_student(tmp_path: Path) -> None:
    lexicon, background = Lexicon(np.arange(4.0), 7.5), Background(torch.stack([EAST, NORTH]), [[1, 2], []], [1, 1])
    feedback = Feedback.of(
        [torch.stack([EAST, NORTH]), torch.stack([NORTH])], [Counter({1: 2, 3: 1}), Counter()], lexicon
    )
    save_evidence(tmp_path, Collection(lexicon, background, feedback))
    read = read_evidence(tmp_path)
    assert (read.lexicon.idf.tolist(), read.lexicon.mean_length) == (lexicon.idf.tolist(), 7.5)
    assert torch.equal(read.background.vectors, background.vectors)
    assert (read.background.words, list(read.background.lengths)) == ([[1, 2], []], [1, 1])
    assert torch.equal(read.feedback.vectors, feedback.vectors)
    assert read.feedback.document.tolist() == [0, 0, 1]
    assert read.feedback.counts.toarray().tolist() == [[0, 2, 0, 1], [0, 0, 0, 0]]
    file = tmp_path / "evidence.safetensors"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StudentError, match="cannot be read"):
        read_evidence(tmp_path)


def test_a_head_with_too_few_queries_stays_near_what_is_known_before() -> None:
    draw = np.random.default_rng(5)
    signal, noise = draw.normal(size=160), draw.normal(size=(160, 12))
    grades = np.clip(np.round(1.5 + signal + draw.normal(scale=2.0, size=160)), 0, 3).astype(int)
    queries = [f"q{place // 16}" for place in range(160)]
    figures = np.hstack([signal[:, None], noise])
    names = [f"figure {number}" for number in range(13)]
    head = fit_head(figures, grades, queries, names=names, seed=1, prior={"figure 0": 1.0})
    assert head.weight[0] > 10 * max(abs(weight) for weight in head.weight[1:])
