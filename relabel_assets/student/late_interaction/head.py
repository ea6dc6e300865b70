"""The head: one weight for each feature of a pair, fitted to grades; a score is the weighted sum.

What belongs here: fitting and applying the weights. What does not: the features (features.py) and
turning scores into probabilities (calibration.py). Imported only where a model is needed: it loads
torch.

Shapes: N pairs, F features, K thresholds (one less than the number of grades).

    score = sum over features f: weight_f * clip((x_f - mean_f) / std_f, -4, 4)
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray

# What fit_head tries: from weights that are almost free to weights that almost stay at the prior.
DECAYS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
# The decay of the prior's multiple, which is always free to grow: finite where scores separate the
# grades.
_MULTIPLE_DECAY = 1e-3
_FOLDS = 4
# With two queries a fold. With fewer, the estimate of the loss on other queries is mostly noise.
_MIN_QUERIES_TO_CHOOSE = 2 * _FOLDS
# In standard deviations: a feature far outside of what was trained on must not decide a score
# alone.
_LIMIT = 4.0
_MAX_ORDERED_PAIRS = (
    200_000  # as many as fit in about a second an iteration; more make the weights no better
)
_MIN_STD = 1e-6  # of a feature that is the same for all pairs
_ITERATIONS = 200  # L-BFGS on a convex loss of some 30 parameters converges in fewer

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of weights (F,) and thresholds (K,)


class Head(pydantic.BaseModel):
    """Weights of features, and their mean and standard deviation in training; all (F,), as
    student.json has them.

    >>> head = Head(names=["late_interaction"], mean=[0.5], spread=[0.1], weight=[2.0])
    >>> head.scores(np.array([[0.6], [0.5], [99.0]])).round(6).tolist()
    [2.0, 0.0, 8.0]
    """

    names: list[str]
    mean: list[float]
    spread: list[float]
    weight: list[float]

    def scores(self, features: NDArray) -> NDArray:
        """The score of each row of `features` (N, F), (N,)."""
        standard = _standardized(features, np.array(self.mean), np.array(self.spread))
        return standard @ np.array(self.weight)


def fit_head(
    features: NDArray,
    grades: Sequence[int] | NDArray,
    queries: Sequence[str],
    *,
    names: Sequence[str],
    seed: int,
    prior: Mapping[str, float] = MappingProxyType({}),
) -> Head:
    """The head of `features` (N, F) for pairs with these `grades` (N,) and `queries` (N,).

    `prior` has weights of some features that are good without training. With p its direction, the
    weights are a * p + o, and the loss holds o back by a weight decay: with few queries the head
    stays near the prior.

        cumulative logit loss (McCullagh 1980)
        + pairwise logistic loss (Burges et al. 2005) over pairs of one query, weighted by their gap in grade
        + decay * |o|^2 + 0.001 * a^2

    The decay is chosen from DECAYS by cross-validation over queries: pairs of one query are alike,
    so the number of queries decides how much can be learned. The first decay with the least loss
    wins. With fewer than eight queries there is too little to choose by, and the least decay is
    taken. The loss is convex. `seed` draws the folds, and the pairs that count where there are more
    than 200,000.

    >>> features = np.array([[0.1], [0.2], [0.8], [0.9]])
    >>> head = fit_head(features, [0, 0, 1, 1], ["q"] * 4, names=["late_interaction"], seed=13)
    >>> head.weight[0] > 0
    True
    """
    mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), _MIN_STD)
    standard, labels = _standardized(features, mean, std), np.asarray(grades)
    # A weight of the prior is of a plain feature; times std it is that of a standardized one.
    direction = np.array([prior.get(name, 0.0) for name in names]) * std
    direction /= np.linalg.norm(direction) or 1.0
    decay = _choose_decay(standard, labels, queries, direction, seed)
    weight, _ = _fit_weights(standard, labels, queries, direction, decay, seed)
    return Head(names=list(names), mean=mean.tolist(), spread=std.tolist(), weight=weight.tolist())


def _choose_decay(
    features: NDArray, grades: NDArray, queries: Sequence[str], prior: NDArray, seed: int
) -> float:
    """The decay with the least total loss on four folds of queries, each measured by weights fitted
    to the others."""
    number = {query: place for place, query in enumerate(sorted(set(queries)))}
    if len(number) < _MIN_QUERIES_TO_CHOOSE:
        return DECAYS[0]
    fold_of_query = np.random.default_rng(seed).permutation(len(number)) % _FOLDS
    fold = np.array([fold_of_query[number[query]] for query in queries])  # (N,)

    def total_loss(decay: float) -> float:
        return sum(
            _held_out_loss(features, grades, queries, prior, fold == held_out, decay, seed)
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
) -> float:
    """The loss on the held-out pairs, (N,) is a mask, of weights fitted to the others."""
    fitted = ~is_held_out
    others = [query for query, is_out in zip(queries, is_held_out, strict=True) if not is_out]
    weight, thresholds = _fit_weights(features[fitted], grades[fitted], others, prior, decay, seed)
    held_out = [query for query, is_out in zip(queries, is_held_out, strict=True) if is_out]
    loss = _loss(features[is_held_out], grades[is_held_out], held_out, seed, len(thresholds))
    return float(loss(weight, thresholds))


def _fit_weights(
    features: NDArray,
    grades: NDArray,
    queries: Sequence[str],
    prior: NDArray,
    decay: float,
    seed: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (F,) and thresholds (K,) of standardized features: `multiple` * `prior` (F,) +
    `offset`."""
    n_thresholds = max(1, int(grades.max()))
    loss = _loss(features, grades, queries, seed, n_thresholds)
    direction = torch.tensor(prior)
    multiple = torch.zeros(1, dtype=torch.double, requires_grad=True)
    offset = torch.zeros(features.shape[1], dtype=torch.double, requires_grad=True)
    thresholds = torch.zeros(n_thresholds, dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [multiple, offset, thresholds], max_iter=_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        held_back = decay * (offset**2).sum()
        total = loss(multiple * direction + offset, thresholds) + held_back
        total = total + _MULTIPLE_DECAY * multiple.sum() ** 2
        total.backward()
        return total

    optimizer.step(step)
    return (multiple * direction + offset).detach(), thresholds.detach()


def _loss(
    features: NDArray, grades: NDArray, queries: Sequence[str], seed: int, n_thresholds: int
) -> Loss:
    """The cumulative logit loss plus the pairwise loss of these pairs, as a function."""
    x, y = torch.tensor(features), torch.tensor(grades)
    is_at_least = (y[:, None] >= torch.arange(1, n_thresholds + 1)).double()  # (N, K)
    better, worse = _ordered_pairs(grades, queries, seed)
    gap = (y[better] - y[worse]).double()

    def loss(weight: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
        scores = x @ weight  # (N,)
        logits = scores[:, None] - thresholds  # (N, K)
        total = torch.nn.functional.binary_cross_entropy_with_logits(logits, is_at_least)
        if len(better):
            of_pairs = torch.nn.functional.softplus(scores[worse] - scores[better]) * gap
            total = total + of_pairs.sum() / gap.sum()
        return total

    return loss


def _standardized(features: NDArray, mean: NDArray, std: NDArray) -> NDArray:
    return np.clip((features - mean) / std, -_LIMIT, _LIMIT)


def _ordered_pairs(
    grades: NDArray, queries: Sequence[str], seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the better and the worse document of each pair of one query; at most 200,000 pairs,
    drawn at random."""
    rows_of_query: dict[str, list[int]] = {}
    for row, query in enumerate(queries):
        rows_of_query.setdefault(query, []).append(row)
    better, worse = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for of_query in rows_of_query.values():
        rows = np.array(of_query)
        first, second = np.nonzero(grades[rows][:, None] > grades[rows][None, :])
        better.append(rows[first])
        worse.append(rows[second])
    left, right = np.concatenate(better), np.concatenate(worse)
    if len(left) > _MAX_ORDERED_PAIRS:
        kept = np.random.default_rng(seed).choice(len(left), size=_MAX_ORDERED_PAIRS, replace=False)
        left, right = left[kept], right[kept]
    return torch.tensor(left), torch.tensor(right)
