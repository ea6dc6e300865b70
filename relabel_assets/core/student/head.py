"""The head: how much each figure of the evidence counts for the grade.

What belongs here: fitting and applying one weight a figure. What does not: the figures (evidence.py) and probabilities
(calibration.py). Imported only where a model is needed.
"""

from collections.abc import Sequence

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray

_DECAY = 1e-3
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
    figures: NDArray, grades: Sequence[int] | NDArray, queries: Sequence[str], *, names: Sequence[str], seed: int
) -> Head:
    """Fit by L-BFGS to grades (N,) of pairs of `queries` (N,), with figures (N, F).

    The loss is the cumulative logit likelihood (McCullagh 1980) plus a pairwise logistic loss (Burges et al. 2005) over
    the pairs of one query that differ in grade, weighed by how far, plus weight decay: convex, so the seed only draws
    which pairs count where there are more than 200,000.
    """
    mean, spread = figures.mean(axis=0), np.maximum(figures.std(axis=0), _LEAST_SPREAD)
    x = torch.tensor(_standard(figures, mean, spread))
    y = torch.tensor(np.asarray(grades))
    thresholds = torch.arange(1, int(y.max()) + 1) if int(y.max()) else torch.arange(1, 2)
    at_least = (y[:, None] >= thresholds).double()  # (N, grades - 1)
    better, worse = _differing_pairs(np.asarray(grades), queries, seed)
    gap = (y[better] - y[worse]).double()
    weight = torch.zeros(x.shape[1], dtype=torch.double, requires_grad=True)
    bias = torch.zeros(len(thresholds), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = x @ weight
        found = torch.nn.functional.binary_cross_entropy_with_logits(scores[:, None] - bias, at_least)
        if len(better):
            lost = torch.nn.functional.softplus(scores[worse] - scores[better]) * gap
            found = found + lost.sum() / gap.sum()
        found = found + _DECAY * (weight**2).sum()
        found.backward()
        return found

    optimizer.step(loss)
    return Head(names=list(names), mean=mean.tolist(), spread=spread.tolist(), weight=weight.detach().tolist())


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
