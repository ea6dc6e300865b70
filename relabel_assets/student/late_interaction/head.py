"""The head: one weight for each feature of a pair, fitted to grades; a score is the weighted sum.

What belongs here: fitting and applying the weights. What does not: the features (features.py), the loss
(head_loss.py) and the calibration (calibration.py). Imported only where a model is needed: it loads torch.

Shapes: N pairs, F features, K thresholds (one less than the number of grades).

    score = sum over features f: weight_f * clip((x_f - mean_f) / std_f, -4, 4)
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray

from relabel_assets.progress import Progress, silent
from relabel_assets.student.late_interaction.head_loss import head_loss

# The candidates of the decay: from weights that are almost free to weights that almost equal the prior.
# The best one differs between corpora (docs/experiments.md, variants of the head).
DECAYS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
# The decay of the prior's multiple: small, so that it may grow; not zero, so that it stays finite where
# scores separate the grades.
_MULTIPLE_DECAY = 1e-3
_FOLDS = 4  # not measured: each head is fitted to three quarters of the queries
# Two queries a fold. With fewer, the estimate of the loss on other queries is mostly noise.
_MIN_QUERIES_TO_CHOOSE = 2 * _FOLDS
# In standard deviations, not measured: a feature far outside its range in training must not decide alone.
_MAX_DEVIATION = 4.0
_MIN_STD = 1e-6  # of a feature that is the same for all pairs
_ITERATIONS = 200  # L-BFGS on a convex loss of some 30 parameters converges in fewer


class Head(pydantic.BaseModel):
    """The weights of features, with their mean and standard deviation in training, (F,) each.

    The names of the fields are those of student.json; `spread` is the standard deviation.

    >>> head = Head(names=["late_interaction"], mean=[0.5], spread=[0.1], weight=[2.0])
    >>> head.scores(np.array([[0.6], [0.5], [99.0]])).round(6).tolist()
    [2.0, 0.0, 8.0]
    """

    model_config = pydantic.ConfigDict(allow_inf_nan=False)

    names: list[str]
    mean: list[float]
    spread: list[float]
    weight: list[float]

    def scores(self, features: NDArray) -> NDArray:
        """The score of each row of `features`, (N,) from (N, F)."""
        return self.z_scores(features) @ np.array(self.weight)

    def z_scores(self, features: NDArray) -> NDArray:
        """The z-scores of `features`, (N, F), clipped to four standard deviations."""
        return _standardized(features, np.array(self.mean), np.array(self.spread))


def fit_head(
    features: NDArray,
    grades: Sequence[int] | NDArray,
    queries: Sequence[str],
    *,
    names: Sequence[str],
    seed: int,
    prior: Mapping[str, float] = MappingProxyType({}),
    decay: float | None = None,
    progress: Progress = silent,
) -> Head:
    """Fit a head to `features` (N, F) of pairs with these `grades` (N,) and `queries` (N,).

    `prior` has weights of some features that are good without training. With p its direction, the
    weights are a * p + o. A weight decay keeps o small, so the head stays near the prior. The loss,
    which is convex, is

        cumulative logit loss (McCullagh 1980)
        + pairwise logistic loss (Burges et al. 2005) over pairs of one query, weighted by the gap in grade
        + decay * |o|^2 + 0.001 * a^2

    Without `decay`, choose_decay chooses it. `seed` draws the folds, and a sample of the pairs where
    there are more than 200,000.

    >>> features = np.array([[0.1], [0.2], [0.8], [0.9]])
    >>> head = fit_head(features, [0, 0, 1, 1], ["q"] * 4, names=["late_interaction"], seed=13)
    >>> head.weight[0] > 0
    True
    """
    labels = np.asarray(grades)
    on_loss = _LossCounter(progress, 1 if decay is not None else len(DECAYS) * _FOLDS + 1)
    mean, std, direction = _scaling(features, names, prior)
    standard = _standardized(features, mean, std)
    if decay is None:
        decay = _choose_decay(standard, labels, queries, direction, seed, on_loss)
    weight, _ = _fit_weights(standard, labels, queries, direction, decay, seed, on_loss)
    return Head(names=list(names), mean=mean.tolist(), spread=std.tolist(), weight=weight.tolist())


def choose_decay(
    features: NDArray,
    grades: Sequence[int] | NDArray,
    queries: Sequence[str],
    *,
    names: Sequence[str],
    seed: int,
    prior: Mapping[str, float] = MappingProxyType({}),
    progress: Progress = silent,
) -> float:
    """The decay of DECAYS for fit_head, by cross-validation over queries: pairs of one query are alike.

    The first decay with the least loss wins. Fewer than eight queries are too few to choose by: then
    the least decay is taken.

    >>> features = np.array([[0.1], [0.2], [0.8], [0.9]])
    >>> choose_decay(features, [0, 0, 1, 1], ["q"] * 4, names=["late_interaction"], seed=13)
    0.001
    """
    mean, std, direction = _scaling(features, names, prior)
    standard = _standardized(features, mean, std)
    labels, on_loss = np.asarray(grades), _LossCounter(progress, len(DECAYS) * _FOLDS)
    return _choose_decay(standard, labels, queries, direction, seed, on_loss)


def held_out_scores(
    features: NDArray,
    grades: Sequence[int] | NDArray,
    queries: Sequence[str],
    *,
    names: Sequence[str],
    seed: int,
    decay: float,
    prior: Mapping[str, float] = MappingProxyType({}),
    progress: Progress = silent,
) -> NDArray:
    """The score of each row (N,) by a head that was fitted to three quarters of the other queries.

    Scores of the rows that a head was fitted to are too far apart: a calibration on them would expect
    the same of other queries. Fewer than eight queries make no folds: then one head, fitted to all,
    scores all.

    >>> features = np.array([[0.1], [0.2], [0.8], [0.9]] * 8)
    >>> queries = [f"q{row // 4}" for row in range(32)]
    >>> names = ["late_interaction"]
    >>> scores = held_out_scores(features, [0, 0, 1, 1] * 8, queries, names=names, seed=13, decay=0.001)
    >>> bool(scores[0] < scores[2])
    True
    """
    labels, folds = np.asarray(grades), query_folds(queries, seed)
    scores = np.empty(len(features))
    for fold in np.unique(folds):
        is_held_out = folds == fold
        fitted = ~is_held_out if not is_held_out.all() else is_held_out
        others = [query for query, is_in in zip(queries, fitted, strict=True) if is_in]
        head = fit_head(
            features[fitted], labels[fitted], others, names=names, seed=seed, prior=prior,
            decay=decay, progress=progress,
        )  # fmt: skip
        scores[is_held_out] = head.scores(features[is_held_out])
    return scores


def query_folds(queries: Sequence[str], seed: int) -> NDArray:
    """The fold, 0 to 3, of each row (N,) by its query; 0 for all of fewer than eight queries.

    >>> query_folds(["q"] * 3, seed=13).tolist()
    [0, 0, 0]
    """
    query_number = {query: number for number, query in enumerate(sorted(set(queries)))}
    if len(query_number) < _MIN_QUERIES_TO_CHOOSE:
        return np.zeros(len(queries), dtype=int)
    fold_of_query = np.random.default_rng(seed).permutation(len(query_number)) % _FOLDS
    return np.array([fold_of_query[query_number[query]] for query in queries])


def _scaling(
    features: NDArray, names: Sequence[str], prior: Mapping[str, float]
) -> tuple[NDArray, NDArray, NDArray]:
    """The mean and the standard deviation of features, and the prior's direction, (F,) each."""
    mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), _MIN_STD)
    # The prior weights plain features: times std, it weights standardized ones.
    direction = np.array([prior.get(name, 0.0) for name in names]) * std
    direction /= np.linalg.norm(direction) or 1.0
    return mean, std, direction


class _LossCounter:
    """Reports progress at each evaluation of the loss: one takes up to a second, a fit some hundred."""

    def __init__(self, progress: Progress, n_fits: int) -> None:
        self._progress = progress
        self._n_fits, self._n_fitted, self._n_losses = n_fits, 0, 0

    def __call__(self) -> None:
        self._n_losses += 1
        note = f"{self._n_losses} evaluations of the loss"
        self._progress("fitting the head, fits", self._n_fitted, self._n_fits, note)

    def end_fit(self) -> None:
        self._n_fitted += 1
        self._progress("fitting the head, fits", self._n_fitted, self._n_fits)


def _choose_decay(
    features: NDArray,
    grades: NDArray,
    queries: Sequence[str],
    prior: NDArray,
    seed: int,
    on_loss: _LossCounter,
) -> float:
    """The decay with the least held-out loss in a cross-validation over four folds of queries."""
    fold = query_folds(queries, seed)
    if not fold.any():
        return DECAYS[0]

    def total_loss(decay: float) -> float:
        return sum(
            _held_out_loss(features, grades, queries, prior, fold == held_out, decay, seed, on_loss)
            for held_out in range(_FOLDS)
        )

    return min(DECAYS, key=total_loss)


def _held_out_loss(
    features: NDArray,
    grades: NDArray,
    queries: Sequence[str],
    prior: NDArray,
    is_held_out: NDArray,
    decay: float,
    seed: int,
    on_loss: _LossCounter | None = None,
) -> float:
    """The loss on the held-out pairs, of weights fitted to the others. `is_held_out` is a mask (N,)."""
    fitted = ~is_held_out
    others = [query for query, is_out in zip(queries, is_held_out, strict=True) if not is_out]
    weight, thresholds = _fit_weights(
        features[fitted], grades[fitted], others, prior, decay, seed, on_loss
    )
    held_out = [query for query, is_out in zip(queries, is_held_out, strict=True) if is_out]
    loss = head_loss(features[is_held_out], grades[is_held_out], held_out, seed, len(thresholds))
    return float(loss(weight, thresholds))


def _fit_weights(
    features: NDArray,
    grades: NDArray,
    queries: Sequence[str],
    prior: NDArray,
    decay: float,
    seed: int,
    on_loss: _LossCounter | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit weights, multiple * prior + offset, (F,), and thresholds (K,) to standardized features."""
    n_thresholds = max(1, int(grades.max()))
    loss = head_loss(features, grades, queries, seed, n_thresholds)
    direction = torch.tensor(prior)
    multiple = torch.zeros(1, dtype=torch.double, requires_grad=True)
    offset = torch.zeros(features.shape[1], dtype=torch.double, requires_grad=True)
    thresholds = torch.zeros(n_thresholds, dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [multiple, offset, thresholds], max_iter=_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        penalty = decay * (offset**2).sum()
        total = loss(multiple * direction + offset, thresholds) + penalty
        total = total + _MULTIPLE_DECAY * multiple.sum() ** 2
        total.backward()
        if on_loss:
            on_loss()
        return total

    optimizer.step(step)
    if on_loss:
        on_loss.end_fit()
    return (multiple * direction + offset).detach(), thresholds.detach()


def _standardized(features: NDArray, mean: NDArray, std: NDArray) -> NDArray:
    """The z-scores of `features`, (N, F), clipped to four standard deviations."""
    return np.clip((features - mean) / std, -_MAX_DEVIATION, _MAX_DEVIATION)
