"""Training: teach a query encoder to score documents as the teacher grades them.

What belongs here: the losses, the epochs and when to stop. What does not: how documents become vectors (encoder.py),
what is saved (storage.py). Imported only where a model is needed.

Document vectors are made once, by the base, and stay as they are; only the query side learns. An epoch over hundreds of
queries is then seconds on a CPU, and every document vector is shared by all its queries.
"""

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from relabel_assets.core.progress import Progress
from relabel_assets.core.student.late_interaction import QueryScorer, query_ids

_LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": "all-linear"}
_LEARNING_RATE = {"lora": 1e-4, "full": 1e-5}
_TOKEN_WEIGHT_RATE = 3e-2
_QUERIES_A_STEP = 8
_SHARPNESS = 20.0  # cosines of pairs differ by hundredths: what a logistic loss needs to see them
_WARM_UP_SHARE = 0.1


@dataclass(frozen=True)
class GradedQuery:
    """A query with its graded documents: `documents` index the document vectors, `grades` (D,) go with them."""

    ids: Sequence[int]
    documents: Sequence[int]
    grades: Tensor


@dataclass(frozen=True)
class Epoch:
    number: int
    train_loss: float | None
    dev_figure: float | None


def fit(
    scorer: QueryScorer,
    train: Sequence[GradedQuery],
    documents: Sequence[Tensor],
    *,
    method: str,
    epochs: int,
    learning_rate: float | None,
    seed: int,
    figure: Callable[[QueryScorer], float | None],
    progress: Progress,
) -> list[Epoch]:
    """Train `scorer` in place and leave it at its best epoch; epoch 0 is the base.

    `figure` measures it on dev, more is better; None means there is no dev, and the last epoch stays. The same seed,
    inputs and number of threads give the same weights.
    """
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    draw = random.Random(seed)
    try:
        _make_trainable(scorer, method)
        steps = epochs * -(-len(train) // _QUERIES_A_STEP)
        optimizer, schedule = _optimizer(scorer, learning_rate or _LEARNING_RATE[method], steps)
        history = [Epoch(0, None, figure(scorer))]
        best, kept = history[0], _trainable_state(scorer)
        for number in range(1, epochs + 1):
            loss = _epoch(scorer, train, documents, optimizer, schedule, draw)
            history.append(Epoch(number, loss, figure(scorer)))
            progress("training, epochs", number, epochs, _note(history[-1]))
            if history[-1].dev_figure is None or history[-1].dev_figure > (best.dev_figure or 0.0):
                best, kept = history[-1], _trainable_state(scorer)
        scorer.load_state_dict(kept, strict=False)
    finally:
        torch.use_deterministic_algorithms(was_deterministic)
    return history


def best_epoch(history: Sequence[Epoch]) -> int:
    """The epoch whose weights were kept: the first of the best on dev, or the last where there is no dev."""
    if history[0].dev_figure is None:
        return history[-1].number
    return max(history, key=lambda epoch: (epoch.dev_figure or 0.0, -epoch.number)).number


def _epoch(
    scorer: QueryScorer,
    train: Sequence[GradedQuery],
    documents: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    draw: random.Random,
) -> float:
    order = draw.sample(range(len(train)), len(train))
    losses = []
    for start in range(0, len(order), _QUERIES_A_STEP):
        batch = [train[place] for place in order[start : start + _QUERIES_A_STEP]]
        vectors, weights = scorer.query_vectors([query_ids(query.ids, scorer.encoder.max_length) for query in batch])
        losses_of_batch = []
        for row, query in enumerate(batch):
            is_word = weights[row] > 0
            scores = scorer.scores(
                vectors[row][is_word], weights[row][is_word], [documents[d] for d in query.documents]
            )
            losses_of_batch.append(ranking_loss(scores, query.grades))
        loss = torch.stack(losses_of_batch).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in scorer.parameters() if p.requires_grad], 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def ranking_loss(scores: Tensor, grades: Tensor) -> Tensor:
    """Pairwise logistic loss (Burges et al. 2005) over the pairs of one query that differ in grade, weighed by how far.

    scores, grades: (D,). Zero where all grades are equal.
    """
    gaps = grades[:, None] - grades[None, :]  # (D, D)
    better = gaps > 0
    if not bool(better.any()):
        return scores.sum() * 0.0
    margins = _SHARPNESS * (scores[:, None] - scores[None, :])
    return (nn.functional.softplus(-margins) * gaps)[better].sum() / gaps[better].sum()


def _make_trainable(scorer: QueryScorer, method: str) -> None:
    """Give the model its LoRA adapters, or unfreeze it whole; the targets are peft's own for the architecture."""
    if method == "lora":
        adapted = get_peft_model(copy.copy(scorer.model), LoraConfig(**_LORA))  # type: ignore[arg-type]
        scorer.model = adapted
        object.__setattr__(scorer.encoder, "model", adapted)


def _optimizer(
    scorer: QueryScorer, rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    weights = [p for name, p in scorer.named_parameters() if p.requires_grad and name != "token_weight"]
    groups: list[dict[str, Any]] = [
        {"params": weights, "lr": rate},
        {"params": [scorer.token_weight], "lr": _TOKEN_WEIGHT_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    warm_up = max(1, round(_WARM_UP_SHARE * steps))

    def scale(step: int) -> float:
        return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, scale)


def _trainable_state(scorer: QueryScorer) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in scorer.named_parameters() if p.requires_grad}


def _note(epoch: Epoch) -> str:
    dev = "" if epoch.dev_figure is None else f", dev {epoch.dev_figure:.4f}"
    return f"loss {epoch.train_loss:.4f}{dev}"
