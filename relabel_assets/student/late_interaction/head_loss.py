"""The loss of the head: how well weighted features and thresholds agree with grades.

What belongs here: the loss and its ordered pairs. What does not: fitting the weights (head.py), and the
losses of encoders (training/losses.py). Imported only where a model is needed: it loads torch.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

# An iteration over them takes about a second; more pairs make the weights no better.
_MAX_ORDERED_PAIRS = 200_000
# Of weights (F,) and thresholds (K,), a scalar.
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def head_loss(
    features: NDArray, grades: NDArray, queries: Sequence[str], seed: int, n_thresholds: int
) -> Loss:
    """The function of weights and thresholds that computes cumulative logit loss plus pairwise loss.

    `features` (N, F) are standardized. `seed` draws the ordered pairs where there are more than 200,000.

    >>> loss = head_loss(np.array([[0.0], [1.0]]), np.array([0, 1]), ["q", "q"], seed=13, n_thresholds=1)
    >>> zero = torch.zeros(1, dtype=torch.double)
    >>> bool(loss(zero + 2, zero + 1) < loss(zero, zero))
    True
    """
    x, y = torch.tensor(features), torch.tensor(grades)
    is_at_least = (y[:, None] >= torch.arange(1, n_thresholds + 1)).double()  # (N, K)
    better, worse = ordered_pairs(grades, queries, seed)
    gap = (y[better] - y[worse]).double()

    def loss(weight: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
        scores = x @ weight  # (N,)
        logits = scores[:, None] - thresholds  # (N, K)
        total = torch.nn.functional.binary_cross_entropy_with_logits(logits, is_at_least)
        if len(better):
            weighted = torch.nn.functional.softplus(scores[worse] - scores[better]) * gap
            total = total + weighted.sum() / gap.sum()
        return total

    return loss


def ordered_pairs(
    grades: NDArray, queries: Sequence[str], seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of each better and worse document of one query, (ordered pairs,) each.

    Where there are more than 200,000, a random sample of these.

    >>> ordered_pairs(np.array([0, 3, 1]), ["q", "q", "r"], seed=13)
    (tensor([1]), tensor([0]))
    """
    rows_of_query: dict[str, list[int]] = {}
    for row, query in enumerate(queries):
        rows_of_query.setdefault(query, []).append(row)
    better, worse = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for query_rows in rows_of_query.values():
        rows = np.array(query_rows)
        first, second = np.nonzero(grades[rows][:, None] > grades[rows][None, :])
        better.append(rows[first])
        worse.append(rows[second])
    left, right = np.concatenate(better), np.concatenate(worse)
    if len(left) > _MAX_ORDERED_PAIRS:
        draw = np.random.default_rng(seed)
        sample = draw.choice(len(left), size=_MAX_ORDERED_PAIRS, replace=False)
        left, right = left[sample], right[sample]
    return torch.tensor(left), torch.tensor(right)
