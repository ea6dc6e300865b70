"""The evidence for a pair by hand, and the head that weighs it."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from relabel_assets.core.student.evidence import NAMES, Background, Lexicon, ReadDocument, ReadQuery, evidence
from relabel_assets.core.student.head import fit_head
from relabel_assets.core.student.storage import read_evidence, save_evidence
from relabel_assets.errors import StudentError

EAST, NORTH = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
NOTHING: frozenset[int] = frozenset()


def document(vectors: list[torch.Tensor], ids: list[int]) -> ReadDocument:
    stacked = torch.stack(vectors)
    return ReadDocument(
        stacked, [1] * len(vectors), 1, Counter(ids), frozenset(itertools.pairwise(ids)), frozenset(ids[:1]), NOTHING
    )


def query(ids: list[int]) -> ReadQuery:
    vectors = torch.stack([EAST, NORTH])
    return ReadQuery(vectors, torch.tensor([0.5, 0.5]), EAST, ids, np.array([0.5, 0.1]), np.array([0.25, 0.1]), 0.6)


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
    unmet = dict(zip(NAMES, evidence([(query([1, 2]), other)], lexicon)[0], strict=True))
    assert unmet["covered"] < figures["covered"]
    assert unmet["bigrams"] == 0.0


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
    head, loss = fit_head(figures, grades, queries, names=("signal", "noise", "constant"), seed=1)
    assert head.weight[0] > 5 * abs(head.weight[1])
    assert head.weight[2] == pytest.approx(0.0, abs=1e-9)
    assert (head, loss) == fit_head(figures, grades, queries, names=("signal", "noise", "constant"), seed=1)
    assert np.corrcoef(head.scores(figures), grades)[0, 1] > 0.9


@pytest.mark.parametrize("grade", [0, 2])
def test_equal_grades_give_a_head_all_the_same(grade: int) -> None:
    head, _ = fit_head(np.eye(4), np.full(4, grade), ["q"] * 4, names="abcd", seed=1)
    assert np.isfinite(head.scores(np.eye(4))).all()


def test_evidence_is_read_back_as_saved_and_a_torn_file_is_no_student(tmp_path: Path) -> None:
    lexicon, background = Lexicon(np.arange(4.0), 7.5), Background(torch.stack([EAST, NORTH]), [[1, 2], []], [1, 1])
    save_evidence(tmp_path, lexicon, background, torch.eye(2))
    read, behind, projection = read_evidence(tmp_path)
    assert projection is not None and torch.equal(projection, torch.eye(2))
    assert (read.idf.tolist(), read.mean_length) == (lexicon.idf.tolist(), 7.5)
    assert torch.equal(behind.vectors, background.vectors)
    assert (behind.words, list(behind.lengths)) == ([[1, 2], []], [1, 1])
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
    head, _ = fit_head(figures, grades, queries, names=names, seed=1, prior={"figure 0": 1.0})
    assert head.weight[0] > 10 * max(abs(weight) for weight in head.weight[1:])
