"""The losses of one query's documents: the ranking loss and the grade loss.

What belongs here: these two losses. What does not: choosing the documents of a step (fit.py).
Imported only where a model is needed: it loads torch.
"""

import torch
from torch import Tensor, nn


def ranking_loss(scores: Tensor, grades: Tensor) -> Tensor:
    """The pairwise logistic loss (Burges et al. 2005) of one query's documents, a scalar.

    scores, grades: (D,). Each pair of documents is weighted by the difference of its grades. Zero
    where all grades are equal.

    >>> loss = ranking_loss(torch.tensor([1.0, 0.0]), torch.tensor([3.0, 0.0]))
    >>> round(loss.item(), 4)  # ln(1 + exp(-1))
    0.3133
    """
    gaps = grades[:, None] - grades[None, :]  # (D, D)
    is_better = gaps > 0
    if not bool(is_better.any()):
        return scores.sum() * 0.0  # has a gradient, so that a step of only such queries runs
    margins = scores[:, None] - scores[None, :]
    weighted = nn.functional.softplus(-margins) * gaps
    return weighted[is_better].sum() / gaps[is_better].sum()


class GradeLoss(nn.Module):
    """The cumulative logit loss (McCullagh 1980) of scores.

    `thresholds` (n_grades - 1,) are trained with the model.

    >>> loss = GradeLoss(n_grades=2)  # one threshold, at 0
    >>> round(loss(torch.tensor([0.0]), torch.tensor([1.0])).item(), 4)  # ln 2
    0.6931
    """

    def __init__(self, n_grades: int) -> None:
        super().__init__()
        steps = torch.arange(1, n_grades, dtype=torch.float32)
        self.thresholds = nn.Parameter(steps - n_grades / 2)

    def forward(self, scores: Tensor, grades: Tensor) -> Tensor:
        """The loss of one query's documents, a scalar; scores, grades: (D,)."""
        at_least = (grades[:, None] >= torch.arange(1, len(self.thresholds) + 1)).float()
        logits = scores[:, None] - self.thresholds  # (D, n_grades - 1)
        return nn.functional.binary_cross_entropy_with_logits(logits, at_least)
