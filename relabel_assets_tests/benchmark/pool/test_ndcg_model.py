"""NDCG of a pool: a census against ir_measures, and what few grades say of it."""

import numpy as np
import polars as pl
import pytest

from relabel_assets.benchmark.metrics import ndcg_at_10
from relabel_assets.benchmark.pool.graded_sample import GradedSample
from relabel_assets.benchmark.pool.ndcg_model import NdcgModel, discounts, ranks
from relabel_assets.benchmark.pool.prediction_powered import estimate

N_QUERIES, N_DOCUMENTS = 25, 16
QUERY = np.repeat(np.arange(N_QUERIES), N_DOCUMENTS)


def pool() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, grades and scores of a calibrated student. Query 0 has no grade above 0."""
    draw = np.random.default_rng(7)
    probs = draw.dirichlet([1.5, 0.4, 0.3, 0.2], len(QUERY))
    grade = (draw.random(len(QUERY))[:, None] > probs.cumsum(axis=1)[:, :-1]).sum(axis=1)
    grade[QUERY == 0] = 0
    return probs, grade, np.round(probs @ np.arange(4), 1)  # with equal scores


def sample_of(
    position: np.ndarray, grade: np.ndarray, *, is_by_query: bool = False
) -> GradedSample:
    at = np.sort(position)
    group = QUERY[at] if is_by_query else np.zeros(len(at), int)
    sizes = np.full(N_QUERIES, float(N_DOCUMENTS)) if is_by_query else np.array([float(len(QUERY))])
    if is_by_query:
        used, group = np.unique(group, return_inverse=True)
        sizes = sizes[used]
    return GradedSample(at, grade[at], QUERY[at], group, sizes, N_QUERIES, is_by_query)


def truth(grade: np.ndarray, scores: np.ndarray) -> float:
    documents = [f"d{place:04}" for place in range(len(QUERY))]
    pairs = {"query_id": [f"q{query:02}" for query in QUERY], "doc_id": documents}
    value = ndcg_at_10(pl.DataFrame(pairs | {"grade": grade, "score": scores}))
    assert value is not None
    return value


def test_a_census_is_ndcg_of_another_library_with_no_width() -> None:
    probs, grade, scores = pool()
    rankings = np.stack([ranks(QUERY, scores), ranks(QUERY, -scores)], axis=1)
    model = NdcgModel(probs, QUERY, discounts(rankings))
    sample = sample_of(np.arange(len(QUERY)), grade)
    for ratio, order in zip(model.ratios(sample), (scores, -scores), strict=True):
        found = estimate([ratio], sample)
        assert found.value == pytest.approx(truth(grade, order))
        assert found.pool.half_width == pytest.approx(0, abs=1e-9)


def test_a_query_that_was_drawn_whole_needs_no_model() -> None:
    """Ten of 25 queries, with every pair graded: the mean of their NDCG where predictions do not count."""
    probs, grade, scores = pool()
    model = NdcgModel(probs, QUERY, discounts(ranks(QUERY, scores)[:, None]))
    chosen = np.arange(0, N_QUERIES, 2)[1:11]
    at = np.flatnonzero(np.isin(QUERY, chosen))
    sample = sample_of(at, grade, is_by_query=True)
    found = estimate(model.ratios(sample), sample, tuning=0.0)
    documents = [f"d{place:04}" for place in at]
    pairs = {"query_id": [f"q{query:02}" for query in QUERY[at]], "doc_id": documents}
    expected = ndcg_at_10(pl.DataFrame(pairs | {"grade": grade[at], "score": scores[at]}))
    assert found.value == pytest.approx(expected)
    tuned = estimate(model.ratios(sample), sample)
    assert tuned.pool.half_width <= found.pool.half_width


def test_single_pairs_estimate_ndcg_without_bias_where_the_student_is_calibrated() -> None:
    probs, grade, scores = pool()
    model = NdcgModel(probs, QUERY, discounts(ranks(QUERY, scores)[:, None]))
    true, draw, covered, errors = truth(grade, scores), np.random.default_rng(5), 0, []
    for _ in range(100):
        sample = sample_of(draw.choice(len(QUERY), 80, replace=False), grade)
        found = estimate(model.ratios(sample), sample)
        errors.append(found.value - true)
        covered += found.pool.low <= true <= found.pool.high
    assert abs(np.mean(errors)) < 0.03
    assert covered >= 90


def test_documents_that_a_ranking_lacks_gain_nothing() -> None:
    probs, grade, scores = pool()
    rank = ranks(QUERY, scores)
    model = NdcgModel(
        probs, QUERY, discounts(np.stack([rank, np.where(rank == 1, 0, rank)], axis=1))
    )
    sample = sample_of(np.arange(len(QUERY)), grade)
    whole, without_first = (estimate([ratio], sample).value for ratio in model.ratios(sample))
    assert without_first < whole - 0.1
