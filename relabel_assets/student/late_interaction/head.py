"""The head: how much each figure of the evidence counts for the grade.

What belongs here: fitting and applying one weight a figure. What does not: the figures (evidence.py) and probabilities
(calibration.py). Imported only where a model is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray

_DECAYS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_LEAST_DECAY = 1e-3  # of the prior's multiple: finite where scores separate the grades
_FOLDS = 4
_LIMIT = 4.0  # spreads: a figure far outside what was trained on must not decide by itself
_MOST_PAIRS = 200_000
_LEAST_SPREAD = 1e-6


class Head(pydantic.BaseModel):
    """A score: the weighted sum of figures, each less its mean and over its spread in training."""

    names: list[str]
    mean: list[float]
    spread: list[float]
    weight: list[float]

    def scores(self, figures: NDArray) -> NDArray:
        """The score of each row of (N, F) figures, (N,)."""
        return _standard(figures, np.array(self.mean), np.array(self.spread)) @ np.array(self.weight)


def fit_head(
    figures: NDArray,
    grades: Sequence[int] | NDArray,
    queries: Sequence[str],
    *,
    names: Sequence[str],
    seed: int,
    prior: Mapping[str, float] = MappingProxyType({}),
) -> Head:
    """Fit by L-BFGS to grades (N,) of pairs of `queries` (N,), with figures (N, F).

    `prior` is the weight that some figures have where there is nothing to learn from: the head is a multiple of it, and
    what differs from that is held back by weight decay.

    The loss is the cumulative logit likelihood (McCullagh 1980) plus a pairwise logistic loss (Burges et al. 2005) over
    the pairs of one query that differ in grade, weighed by how far, plus weight decay: convex, so the seed only draws
    which pairs count where there are more than 200,000. How much decay follows from the number of queries, not of pairs,
    and is chosen by cross-validation over them: of four shares of queries, each is measured by a head that saw the others.
    """
    mean, spread = figures.mean(axis=0), np.maximum(figures.std(axis=0), _LEAST_SPREAD)
    standard, given = _standard(figures, mean, spread), np.asarray(grades)
    known = np.array([prior.get(name, 0.0) for name in names]) * spread
    known /= np.linalg.norm(known) or 1.0
    decay = _DECAYS[0]
    places = {query: place for place, query in enumerate(sorted(set(queries)))}
    if len(places) >= 2 * _FOLDS:
        drawn = np.random.default_rng(seed).permutation(len(places)) % _FOLDS
        fold = np.array([drawn[places[query]] for query in queries])
        shares = [(fold != number, fold == number) for number in range(_FOLDS)]
        losses = {
            tried: sum(_lost(standard, given, queries, known, *share, tried, seed) for share in shares)
            for tried in _DECAYS
        }
        decay = min(losses, key=losses.__getitem__)
    weight, _ = _fitted(standard, given, queries, known, decay, seed)
    return Head(names=list(names), mean=mean.tolist(), spread=spread.tolist(), weight=weight.tolist())


def _lost(
    figures: NDArray,
    grades: NDArray,
    queries: Sequence[str],
    prior: NDArray,
    seen: NDArray,
    rest: NDArray,
    decay: float,
    seed: int,
) -> float:
    """The loss on the pairs of `rest` (N,) of a head that was fitted to those of `seen` (N,)."""
    if not seen.any() or not rest.any():
        return 0.0
    of = [query for query, is_seen in zip(queries, seen, strict=True) if is_seen]
    weight, bias = _fitted(figures[seen], grades[seen], of, prior, decay, seed)
    left = [query for query, is_rest in zip(queries, rest, strict=True) if is_rest]
    loss = _loss(figures[rest], grades[rest], left, seed, len(bias))
    return float(loss(weight, bias))


def _fitted(
    figures: NDArray, grades: NDArray, queries: Sequence[str], prior: NDArray, decay: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (F,) and thresholds of the standardised figures: a multiple of `prior` (F,), and what differs from it."""
    loss = _loss(figures, grades, queries, seed, max(1, int(grades.max())))
    known = torch.tensor(prior)
    multiple = torch.zeros(1, dtype=torch.double, requires_grad=True)
    other = torch.zeros(figures.shape[1], dtype=torch.double, requires_grad=True)
    bias = torch.zeros(max(1, int(grades.max())), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([multiple, other, bias], max_iter=200, line_search_fn="strong_wolfe")

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        found = loss(multiple * known + other, bias) + decay * (other**2).sum() + _LEAST_DECAY * multiple.sum() ** 2
        found.backward()
        return found

    optimizer.step(step)
    return (multiple * known + other).detach(), bias.detach()


def _loss(
    figures: NDArray, grades: NDArray, queries: Sequence[str], seed: int, n_thresholds: int
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Likelihood and order of some pairs, as a function of weights (F,) and thresholds."""
    x, y = torch.tensor(figures), torch.tensor(grades)
    at_least = (y[:, None] >= torch.arange(1, n_thresholds + 1)).double()  # (N, grades - 1)
    better, worse = _differing_pairs(grades, queries, seed)
    gap = (y[better] - y[worse]).double()

    def loss(weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        scores = x @ weight
        found = torch.nn.functional.binary_cross_entropy_with_logits(scores[:, None] - bias, at_least)
        if len(better):
            lost = torch.nn.functional.softplus(scores[worse] - scores[better]) * gap
            found = found + lost.sum() / gap.sum()
        return found

    return loss


def _standard(figures: NDArray, mean: NDArray, spread: NDArray) -> NDArray:
    return np.clip((figures - mean) / spread, -_LIMIT, _LIMIT)


def _differing_pairs(grades: NDArray, queries: Sequence[str], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of the better and of the worse document of each pair of one query, at most 200,000 of them."""
    places: dict[str, list[int]] = {}
    for place, query in enumerate(queries):
        places.setdefault(query, []).append(place)
    better, worse = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for of_query in places.values():
        rows = np.array(of_query)
        first, second = np.nonzero(grades[rows][:, None] > grades[rows][None, :])
        better.append(rows[first])
        worse.append(rows[second])
    left, right = np.concatenate(better), np.concatenate(worse)
    if len(left) > _MOST_PAIRS:
        kept = np.random.default_rng(seed).choice(len(left), size=_MOST_PAIRS, replace=False)
        left, right = left[kept], right[kept]
    return torch.tensor(left), torch.tensor(right)
