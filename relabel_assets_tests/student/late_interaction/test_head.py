"""The head: fitting, the choice of its decay, the prior and its loss."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from relabel_assets.student.late_interaction import head as module
from relabel_assets.student.late_interaction import head_loss
from relabel_assets.student.late_interaction.head import (
    DECAYS,
    Head,
    fit_head,
    held_out_scores,
    query_folds,
)

Data = tuple[NDArray, NDArray, list[str]]


def clear_data(n_queries: int = 20, per_query: int = 20) -> Data:
    """Features (signal, noise, constant), of which the signal almost determines the grade."""
    n = n_queries * per_query
    draw = np.random.default_rng(3)
    grades = draw.integers(0, 4, size=n)
    signal = grades + draw.normal(scale=0.5, size=n)
    features = np.stack([signal, draw.normal(size=n), np.ones(n)], axis=1)
    return features, grades, [f"q{row % n_queries}" for row in range(n)]


def noisy_data() -> Data:
    """A weak signal and 12 noise features, which a head without a prior would overfit."""
    draw = np.random.default_rng(5)
    signal, noise = draw.normal(size=160), draw.normal(size=(160, 12))
    grades = np.clip(np.round(1.5 + signal + draw.normal(scale=2.0, size=160)), 0, 3).astype(int)
    return np.hstack([signal[:, None], noise]), grades, [f"q{row // 16}" for row in range(160)]


def spied_fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float, list[float]]]:
    """(pairs, decay, prior) of each fit."""
    fits: list[tuple[int, float, list[float]]] = []
    fit = module._fit_weights

    def spy(
        features: NDArray,
        grades: NDArray,
        queries: list[str],
        prior: NDArray,
        decay: float,
        seed: int,
        on_loss: object,
    ) -> tuple[NDArray, NDArray]:
        fits.append((len(features), decay, prior.tolist()))
        return fit(features, grades, queries, prior, decay, seed)

    monkeypatch.setattr(module, "_fit_weights", spy)
    return fits


def test_a_score_by_hand() -> None:
    head = Head(names=["a", "b"], mean=[1.0, 0.0], spread=[2.0, 1.0], weight=[3.0, -1.0])
    # 3 * (5 - 1) / 2 - 1 * 1
    assert head.scores(np.array([[5.0, 1.0]])).tolist() == [5.0]


@pytest.mark.parametrize(("value", "standard"), [(-99, -4), (-3.9, -3.9), (3.9, 3.9), (99, 4)])
def test_a_feature_counts_for_at_most_four_standard_deviations(
    value: float, standard: float
) -> None:
    head = Head(names=["a"], mean=[0.0], spread=[1.0], weight=[1.0])
    assert head.scores(np.array([[value]])).tolist() == [standard]


def test_the_head_learns_the_feature_that_ranks_and_ignores_noise() -> None:
    features, grades, queries = clear_data()
    names = ("signal", "noise", "constant")
    head = fit_head(features, grades, queries, names=names, seed=1)
    assert head.weight[0] > 5 * abs(head.weight[1])
    assert head.weight[2] == pytest.approx(0.0, abs=1e-9)
    assert head == fit_head(features, grades, queries, names=names, seed=1)
    assert np.corrcoef(head.scores(features), grades)[0, 1] > 0.9


def test_a_head_with_too_few_queries_stays_near_the_prior() -> None:
    features, grades, queries = noisy_data()
    names = [f"feature {number}" for number in range(13)]
    head = fit_head(features, grades, queries, names=names, seed=1, prior={"feature 0": 1.0})
    assert head.weight[0] > 10 * max(abs(weight) for weight in head.weight[1:])


@pytest.mark.parametrize(
    ("data", "prior", "chosen"), [(clear_data, {}, DECAYS[0]), (noisy_data, {"0": 1.0}, DECAYS[-1])]
)
def test_clear_data_choose_the_smallest_decay_and_noisy_data_the_largest(
    monkeypatch: pytest.MonkeyPatch,
    data: Callable[[], Data],
    prior: dict[str, float],
    chosen: float,
) -> None:
    features, grades, queries = data()
    fits = spied_fits(monkeypatch)
    names = [str(number) for number in range(features.shape[1])]
    fit_head(features, grades, queries, names=names, seed=1, prior=prior)
    assert fits[-1][:2] == (len(features), chosen), "the last fit is the head's own, to all pairs"


def test_the_decay_with_the_lowest_held_out_loss_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = {1e-3: 5.0, 1e-2: 3.0, 1e-1: 2.0, 1.0: 4.0, 10.0: 6.0}
    monkeypatch.setattr(module, "_held_out_loss", lambda *args: losses[args[5]])
    fits = spied_fits(monkeypatch)
    features, grades, queries = clear_data()
    fit_head(features, grades, queries, names="abc", seed=1)
    assert [fit[:2] for fit in fits] == [(400, 0.1)]


def test_equal_losses_choose_the_smallest_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = {1e-3: 5.0, 1e-2: 2.0, 1e-1: 2.0, 1.0: 2.0, 10.0: 6.0}
    monkeypatch.setattr(module, "_held_out_loss", lambda *args: losses[args[5]])
    fits = spied_fits(monkeypatch)
    features, grades, queries = clear_data()
    fit_head(features, grades, queries, names="abc", seed=1)
    assert [fit[:2] for fit in fits] == [(400, 0.01)]


@pytest.mark.parametrize(("n_queries", "n_fits"), [(7, 1), (8, 4 * len(DECAYS) + 1)])
def test_the_decay_is_chosen_with_at_least_eight_queries(
    monkeypatch: pytest.MonkeyPatch, n_queries: int, n_fits: int
) -> None:
    fits = spied_fits(monkeypatch)
    features, grades, queries = clear_data(n_queries, per_query=6)
    fit_head(features, grades, queries, names="abc", seed=1)
    assert len(fits) == n_fits
    if n_queries < 8:
        assert [fit[:2] for fit in fits] == [(42, DECAYS[0])]


def test_each_query_is_held_out_once_with_all_its_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = []
    monkeypatch.setattr(module, "_held_out_loss", lambda *args: masks.append(args[4]) or 0.0)
    features, grades, queries = clear_data()
    fit_head(features, grades, queries, names="abc", seed=1)
    folds = [{queries[row] for row in np.flatnonzero(mask)} for mask in masks[:4]]
    assert [mask.sum() for mask in masks[:4]] == [100] * 4, (
        "five of twenty queries, twenty pairs each"
    )
    assert sum(len(fold) for fold in folds) == len(set.union(*folds)) == 20


def test_the_held_out_loss_uses_weights_fitted_to_the_other_queries() -> None:
    features, grades, queries = clear_data(8, per_query=6)
    is_held_out = np.array([query in ("q0", "q1") for query in queries])
    prior = np.zeros(3)
    loss = module._held_out_loss(features, grades, queries, prior, is_held_out, 1e-3, 1)
    # Another grade in the other pairs is another loss; so is one in the held-out pairs.
    for row in (np.argmin(is_held_out), np.argmax(is_held_out)):
        changed = grades.copy()
        changed[row] = 3 - changed[row]
        changed_loss = module._held_out_loss(
            features, changed, queries, prior, is_held_out, 1e-3, 1
        )
        assert changed_loss != loss
    fitted, _ = module._fit_weights(
        features[~is_held_out], grades[~is_held_out],
        [query for query in queries if query not in ("q0", "q1")], prior, 1e-3, 1,
    )  # fmt: skip
    weights, thresholds = module._fit_weights(features, grades, queries, prior, 1e-3, 1)
    assert not np.allclose(fitted, weights)
    assert len(thresholds) == 3


def test_only_pairs_of_one_query_that_differ_in_grade_are_ordered() -> None:
    grades = np.array([0, 2, 2, 1, 3])
    better, worse = head_loss.ordered_pairs(grades, ["a", "a", "a", "b", "b"], seed=1)
    assert list(zip(better.tolist(), worse.tolist(), strict=True)) == [(1, 0), (2, 0), (4, 3)]


def test_ordered_pairs_above_the_maximum_are_sampled_by_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grades, queries = np.arange(10), ["q"] * 10
    all_better, _ = head_loss.ordered_pairs(grades, queries, seed=1)
    assert len(all_better) == 45
    monkeypatch.setattr(head_loss, "_MAX_ORDERED_PAIRS", 45)
    better, _ = head_loss.ordered_pairs(grades, queries, seed=1)
    assert better.tolist() == all_better.tolist(), "at the limit all count, and none is drawn"
    monkeypatch.setattr(head_loss, "_MAX_ORDERED_PAIRS", 44)
    better, worse = head_loss.ordered_pairs(grades, queries, seed=1)
    assert len(set(zip(better.tolist(), worse.tolist(), strict=True))) == 44
    assert (better > worse).all()


def test_the_prior_is_rescaled_to_standardized_features(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits = spied_fits(monkeypatch)
    features = np.array([[-1.0, -6.0, 5.0], [1.0, 6.0, 5.5]])  # standard deviations 1, 6 and .25
    prior = {"a": 8.0, "b": 1.0}
    fit_head(features, [0, 1], ["q", "q"], names="abc", seed=1, prior=prior)
    assert [prior for _, _, prior in fits] == [pytest.approx([8 * 1 / 10, 1 * 6 / 10, 0.0])]


def test_the_ranking_loss_of_a_pair_is_weighted_by_its_grade_gap() -> None:
    import torch

    grades = np.array([0, 3])
    one_query = {"seed": 1, "n_thresholds": 1}
    loss = head_loss.head_loss(np.array([[0.0], [1.0]]), grades, ["q", "q"], **one_query)
    weight, threshold = torch.tensor([-1.0]).double(), torch.zeros(1).double()
    # Scores 0 and -1. P(grade >= 1) is .5 and sigmoid(-1); the pair's margin is -1 whatever its
    # gap.
    likelihood = -(np.log(0.5) + np.log(1 / (1 + np.exp(1)))) / 2
    assert loss(weight, threshold).item() == pytest.approx(likelihood + np.log1p(np.exp(1)))
    grades = np.array([0, 1, 3])
    loss = head_loss.head_loss(np.array([[0.0], [1.0], [1.0]]), grades, ["q"] * 3, **one_query)
    # Margins of the pairs (1, 0), (3, 0), (3, 1) are -1, -1 and 0, their gaps are 1, 3 and 2.
    pairs = (1 * np.log1p(np.exp(1)) + 3 * np.log1p(np.exp(1)) + 2 * np.log(2)) / 6
    likelihood = -(np.log(0.5) + 2 * np.log(1 / (1 + np.exp(1)))) / 3
    assert loss(weight, threshold).item() == pytest.approx(likelihood + pairs)


@pytest.mark.parametrize("grade", [0, 2])
def test_equal_grades_still_give_a_head(grade: int) -> None:
    head = fit_head(np.eye(4), np.full(4, grade), ["q"] * 4, names="abcd", seed=1)
    assert np.isfinite(head.scores(np.eye(4))).all()


def test_a_constant_feature_with_a_prior_is_finite() -> None:
    head = fit_head(np.ones((4, 1)), [0, 1, 0, 1], ["q"] * 4, names="a", seed=1, prior={"a": 1.0})
    assert np.isfinite(head.scores(np.ones((4, 1)))).all()


def test_the_fits_are_reported_while_they_last() -> None:
    features, grades, queries = clear_data(8, per_query=6)
    reports = []
    fit_head(
        features,
        grades,
        queries,
        names="abc",
        seed=1,
        progress=lambda *report: reports.append(report),
    )
    assert {report[2] for report in reports} == {21}  # five decays, four folds, and the last
    done = [report[1] for report in reports]
    assert done == sorted(done) and set(done) == set(range(22))


def test_held_out_scores_are_of_heads_that_had_not_seen_the_query() -> None:
    features, grades, queries = noisy_data()
    names = [str(column) for column in range(features.shape[1])]
    draw = np.random.default_rng(1).permutation(len(grades))
    # Grades that features cannot tell: a head knows its own pairs by heart, and no others.
    noise = grades[draw]
    head = fit_head(features, noise, queries, names=names, seed=13, decay=DECAYS[0])
    held_out = held_out_scores(features, noise, queries, names=names, seed=13, decay=DECAYS[0])
    seen = np.corrcoef(head.scores(features), noise)[0, 1]
    assert seen > 0.15
    assert np.corrcoef(held_out, noise)[0, 1] < seen - 0.1


def test_all_pairs_of_a_query_are_in_one_of_four_folds() -> None:
    queries = [f"q{row % 10}" for row in range(50)]
    folds = query_folds(queries, seed=13)
    assert len({(query, fold) for query, fold in zip(queries, folds, strict=True)}) == 10
    assert set(folds) == {0, 1, 2, 3}


def test_fewer_than_eight_queries_are_scored_by_one_head() -> None:
    features, grades, queries = clear_data(n_queries=7)
    names = ["a", "b", "c"]
    one = fit_head(features, grades, queries, names=names, seed=13, decay=DECAYS[0])
    scores = held_out_scores(features, grades, queries, names=names, seed=13, decay=DECAYS[0])
    assert scores == pytest.approx(one.scores(features))
