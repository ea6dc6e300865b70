"""Training: teach a model to score documents as the teacher grades them.

What belongs here: the losses, the epochs, which documents a step reads and when to stop. What does not: how a pair becomes
a score (late_interaction.py, cross_encoder.py, decoder.py), what is saved (storage.py). Imported only where a model is
needed.
"""

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from torch import Tensor, nn

from relabel_assets.progress import Progress

_WARM_UP_SHARE = 0.1


@dataclass(frozen=True)
class GradedQuery:
    """A query with its graded documents: `documents` are their ids, `grades` (D,) go with them."""

    text: str
    documents: Sequence[str]
    grades: Tensor


class Learner(Protocol):
    """What is trained: `module` holds all that learns; a step reads `queries_a_step` queries.

    With `documents_a_visit`, a query is visited with that many of its documents at a time, because a step that reads
    documents cannot read a hundred; `visits_an_epoch` times at most, else until all its documents could be met.
    """

    module: nn.Module
    queries_a_step: int
    documents_a_visit: int | None
    visits_an_epoch: int | None

    def groups(self) -> list[dict[str, Any]]:
        """The optimizer's parameter groups."""
        ...

    def loss(self, batch: Sequence[GradedQuery]) -> Tensor:
        """The mean loss of some queries, a scalar."""
        ...


@dataclass(frozen=True)
class Epoch:
    number: int
    train_loss: float | None
    dev_figure: float | None


def fit(
    learner: Learner,
    train: Sequence[GradedQuery],
    *,
    epochs: int,
    seed: int,
    figure: Callable[[], float | None],
    progress: Progress,
) -> list[Epoch]:
    """Train in place and leave the module at its best epoch; epoch 0 is what it started as.

    `figure` measures it on dev, more is better; None means there is no dev, and the last epoch stays. The same seed,
    inputs and number of threads give the same weights on a CPU.
    """
    with _repeatable():
        torch.manual_seed(seed)
        draw = random.Random(seed)
        steps_an_epoch = -(-len(_visits(train, learner, random.Random(seed))) // learner.queries_a_step)
        optimizer, schedule = _optimizer(learner, epochs * steps_an_epoch)
        history = [Epoch(0, None, figure())]
        best, kept = history[0], _trainable_state(learner.module)
        for number in range(1, epochs + 1):
            visits = _visits(train, learner, draw)
            losses = []
            for start in range(0, len(visits), learner.queries_a_step):
                loss = learner.loss(visits[start : start + learner.queries_a_step])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_([p for p in learner.module.parameters() if p.requires_grad], 1.0)
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
                progress(
                    f"training, epoch {number} of {epochs}, steps",
                    len(losses),
                    steps_an_epoch,
                    f"loss {losses[-1]:.4f}",
                )
            history.append(Epoch(number, float(np.mean(losses)), figure()))
            progress("training, epochs", number, epochs, _note(history[-1]))
            if history[-1].dev_figure is None or history[-1].dev_figure > (best.dev_figure or 0.0):
                best, kept = history[-1], _trainable_state(learner.module)
        learner.module.load_state_dict(kept, strict=False)
    return history


@contextmanager
def _repeatable() -> Iterator[None]:
    settings: Any = torch.utils.deterministic
    was_deterministic, was_filled = torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    settings.fill_uninitialized_memory = False  # it would only show faults, for a tenth of a step's time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_deterministic)
        settings.fill_uninitialized_memory = was_filled


def best_epoch(history: Sequence[Epoch]) -> int:
    """The epoch whose weights were kept: the first of the best on dev, or the last where there is no dev."""
    if history[0].dev_figure is None:
        return history[-1].number
    return max(history, key=lambda epoch: (epoch.dev_figure or 0.0, -epoch.number)).number


def with_lora(model: nn.Module, *, rank: int, task: TaskType | None = None) -> PeftModel:
    """`model` with LoRA adapters (Hu et al. 2021) on every linear layer but the output's; peft finds them.

    With `task` SEQ_CLS the classification head learns whole beside them.
    """
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type=task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft and transformers about each other, nothing for a user
        return get_peft_model(model, config)


def ranking_loss(scores: Tensor, grades: Tensor) -> Tensor:
    """Pairwise logistic loss (Burges et al. 2005) over the pairs of one query that differ in grade, weighed by how far.

    scores, grades: (D,). Zero where all grades are equal.
    """
    gaps = grades[:, None] - grades[None, :]  # (D, D)
    better = gaps > 0
    if not bool(better.any()):
        return scores.sum() * 0.0
    margins = scores[:, None] - scores[None, :]
    return (nn.functional.softplus(-margins) * gaps)[better].sum() / gaps[better].sum()


class GradeLoss(nn.Module):
    """The cumulative logit loss (McCullagh 1980) of scores; `thresholds` (n_grades - 1,) learn with the model."""

    def __init__(self, n_grades: int, centre: float = 0.0) -> None:
        super().__init__()
        self.thresholds = nn.Parameter(centre + torch.arange(1, n_grades, dtype=torch.float32) - n_grades / 2)

    def forward(self, scores: Tensor, grades: Tensor) -> Tensor:
        """scores, grades: (D,); a scalar."""
        at_least = (grades[:, None] >= torch.arange(1, len(self.thresholds) + 1)).float()
        return nn.functional.binary_cross_entropy_with_logits(scores[:, None] - self.thresholds, at_least)


def _visits(train: Sequence[GradedQuery], learner: Learner, draw: random.Random) -> list[GradedQuery]:
    """Each query as often as its documents need, in a drawn order; each visit takes its grades in turn."""
    size = learner.documents_a_visit
    if size is None:
        return draw.sample(train, len(train))
    visits = []
    for query in train:
        needed = -(-len(query.documents) // size)
        for _ in range(min(needed, learner.visits_an_epoch or needed)):
            places = _balanced(query.grades.tolist(), size, draw)
            visits.append(GradedQuery(query.text, [query.documents[p] for p in places], query.grades[places]))
    return draw.sample(visits, len(visits))


def _balanced(grades: Sequence[float], n: int, draw: random.Random) -> list[int]:
    """`n` places, as evenly over the grades as they allow: most documents have grade 0, and teach least."""
    by_grade: dict[float, list[int]] = {}
    for place in draw.sample(range(len(grades)), len(grades)):
        by_grade.setdefault(grades[place], []).append(place)
    chosen: list[int] = []
    while len(chosen) < min(n, len(grades)):
        for places in by_grade.values():
            if places and len(chosen) < n:
                chosen.append(places.pop())
    return chosen


def _optimizer(learner: Learner, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimizer = torch.optim.AdamW(learner.groups(), weight_decay=0.01)
    warm_up = max(1, round(_WARM_UP_SHARE * steps))

    def scale(step: int) -> float:
        return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, scale)


def _trainable_state(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters() if p.requires_grad}


def _note(epoch: Epoch) -> str:
    dev = "" if epoch.dev_figure is None else f", dev {epoch.dev_figure:.4f}"
    return f"loss {epoch.train_loss:.4f}{dev}"
