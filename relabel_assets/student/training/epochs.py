"""The epochs of a training, and the choice of the best one.

What belongs here: an epoch's metrics and the rule of choice, without torch. What does not: the
training loop (fit.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One pass over the training queries; epoch 0 is the model before training.

    Epoch 0 has no `train_loss`. A higher `dev_metric` is better; it is None without dev pairs.
    """

    number: int
    train_loss: float | None
    dev_metric: float | None


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """The epoch whose weights are kept: the first of the best on dev, or the last without dev pairs.

    The first, because training that gains nothing on dev only overfits the training queries.

    >>> best_epoch([Epoch(0, None, 0.70), Epoch(1, 0.9, 0.75), Epoch(2, 0.8, 0.75)]).number
    1
    >>> best_epoch([Epoch(0, None, None), Epoch(1, 0.9, None), Epoch(2, 0.8, None)]).number
    2
    """
    if history[-1].dev_metric is None:
        return history[-1]
    # max() returns the first of equal ones.
    return max(history, key=lambda epoch: epoch.dev_metric or 0.0)
