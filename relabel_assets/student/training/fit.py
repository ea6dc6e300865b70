"""The training loop: repeatable steps over graded queries, with an optimizer and its schedule.

What belongs here: the choice and order of a step's documents, and the updates of the weights. What
does not: the losses (losses.py), the scores of pairs (the architectures) and the choice of an epoch
(epochs.py). Imported only where a model is needed: it loads torch.
"""

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from relabel_assets.progress import Progress
from relabel_assets.student.training.epochs import Epoch, best_epoch

if TYPE_CHECKING:  # it takes seconds to import, and grading does not need it
    from peft import PeftModel

# The usual values of fine-tuning (Devlin et al. 2019). Others were not measured.
_WARM_UP_SHARE = 0.1  # of all steps
_WEIGHT_DECAY = 0.01
_MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class GradedQuery:
    """A query with its graded documents: their ids `documents`, and their `grades` (D,)."""

    text: str
    documents: Sequence[str]
    grades: Tensor


class Learner(Protocol):
    """A model and its loss: `module` holds all trained weights, a step has `queries_per_step` queries.

    `documents_per_query` is the most documents of a query in one step, or None for all: a learner
    that encodes documents has no memory for a hundred. A query with more documents comes several
    times an epoch.
    """

    module: nn.Module
    queries_per_step: int
    documents_per_query: int | None

    def groups(self) -> list[dict[str, Any]]:
        """The optimizer's parameter groups."""
        ...

    def loss(self, queries: Sequence[GradedQuery]) -> Tensor:
        """The mean loss of the queries, a scalar."""
        ...


def graded_queries(pairs: pl.DataFrame) -> list[GradedQuery]:
    """The queries of graded `pairs` with their documents, in the order of their ids.

    >>> query = {"query_id": "q1", "text": "leave"}
    >>> pairs = pl.DataFrame([{**query, "doc_id": "b", "grade": 0}, {**query, "doc_id": "a", "grade": 3}])
    >>> graded_queries(pairs)
    [GradedQuery(text='leave', documents=['a', 'b'], grades=tensor([3., 0.]))]
    """
    by_query = (
        pairs.sort("query_id", "doc_id")
        .group_by("query_id", "text", maintain_order=True)
        .agg("doc_id", "grade")
        .select("text", "doc_id", "grade")
    )
    return [
        GradedQuery(text, doc_ids, torch.tensor(grades, dtype=torch.float32))
        for text, doc_ids, grades in by_query.iter_rows()
    ]


def fit(
    learner: Learner,
    train: Sequence[GradedQuery],
    *,
    epochs: int,
    seed: int,
    dev_metric: Callable[[], float | None],
    progress: Progress,
) -> list[Epoch]:
    """Train in place, load the weights of the best epoch (see best_epoch), and return all epochs.

    `dev_metric` is called after each epoch, and once before the first. The same seed, inputs and
    number of threads give the same weights on a CPU.

    >>> class Line:
    ...     '''One weight, which training should move to 1.'''
    ...     queries_per_step, documents_per_query = 1, None
    ...     def __init__(self):
    ...         self.module = nn.Linear(1, 1, bias=False)
    ...         nn.init.zeros_(self.module.weight)
    ...     def groups(self):
    ...         return [{"params": self.module.parameters(), "lr": 0.1}]
    ...     def loss(self, queries):
    ...         return ((self.module.weight - 1) ** 2).mean()
    >>> from relabel_assets.progress import silent
    >>> line, query = Line(), GradedQuery("leave", ["d1"], torch.tensor([3.0]))
    >>> closeness = lambda: -abs(line.module.weight.item() - 1) + 1
    >>> history = fit(line, [query], epochs=3, seed=13, dev_metric=closeness, progress=silent)
    >>> [round(epoch.dev_metric, 2) for epoch in history]
    [0.0, 0.1, 0.2, 0.25]
    """
    with _repeatable():
        torch.manual_seed(seed)
        draw = random.Random(seed)
        n_samples = len(_samples(train, learner, random.Random(seed)))
        steps_per_epoch = -(-n_samples // learner.queries_per_step)
        optimizer, schedule = _optimizer(learner, epochs * steps_per_epoch)
        history = [Epoch(0, None, dev_metric())]
        best_state = _trainable_state(learner.module)
        for number in range(1, epochs + 1):
            samples = _samples(train, learner, draw)
            step_losses = []
            step = f"training, epoch {number} of {epochs}, steps"
            progress(step, 0, steps_per_epoch)  # a first step of a large model takes its time
            for start in range(0, len(samples), learner.queries_per_step):
                loss = learner.loss(samples[start : start + learner.queries_per_step])
                optimizer.zero_grad()
                loss.backward()
                trainable = [p for p in learner.module.parameters() if p.requires_grad]
                nn.utils.clip_grad_norm_(trainable, _MAX_GRADIENT_NORM)
                optimizer.step()
                schedule.step()
                step_losses.append(loss.item())
                progress(step, len(step_losses), steps_per_epoch, f"loss {step_losses[-1]:.4f}")
            history.append(Epoch(number, float(np.mean(step_losses)), dev_metric()))
            progress("training, epochs", number, epochs, _note(history[-1]))
            if best_epoch(history) is history[-1]:
                best_state = _trainable_state(learner.module)
        learner.module.load_state_dict(best_state, strict=False)
    return history


def with_lora(
    model: nn.Module, *, rank: int, task: Literal["SEQ_CLS", "CAUSAL_LM"] | None = None
) -> "PeftModel":
    """`model` with LoRA adapters (Hu et al. 2021) on every linear layer but the output's.

    With `task` SEQ_CLS, all weights of the classification head are trained too.

    >>> from transformers import BertConfig, BertModel
    >>> small = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    >>> adapted = with_lora(BertModel(small), rank=2)
    >>> sorted({name.rpartition(".")[2] for name in adapted.peft_config["default"].target_modules})
    ['dense', 'key', 'query', 'value']
    """
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type=TaskType(task) if task else None,
    )
    with warnings.catch_warnings():
        # peft and transformers warn about each other, and a user can do nothing about it.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config)


def balanced(grades: Sequence[float], n: int, draw: random.Random) -> list[int]:
    """`n` indices of `grades`, drawn as evenly over the grades as possible.

    Most documents have grade 0 and teach least.

    >>> chosen = balanced([0.0, 0.0, 0.0, 0.0, 3.0, 3.0], 4, random.Random(13))
    >>> sorted(chosen)[2:]  # two of grade 0, and both of grade 3
    [4, 5]
    """
    by_grade: dict[float, list[int]] = {}
    for index in draw.sample(range(len(grades)), len(grades)):
        by_grade.setdefault(grades[index], []).append(index)
    chosen: list[int] = []
    while len(chosen) < min(n, len(grades)):
        for indices in by_grade.values():
            if indices and len(chosen) < n:
                chosen.append(indices.pop())
    return chosen


def linear_schedule(n_steps: int) -> Callable[[int], float]:
    """The schedule of the learning rate: a linear rise over the first tenth, then a linear fall to 0.

    It maps a step, from 0, to a share of the learning rate. The rise is 1/w, 2/w, ... over w steps
    of warm-up. transformers' get_linear_schedule_with_warmup starts at 0, so its first step changes
    nothing; that is much of an epoch of ten steps.

    >>> share = linear_schedule(20)
    >>> [round(share(step), 2) for step in (0, 1, 2, 11, 20)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    n_warm_up = max(1, round(_WARM_UP_SHARE * n_steps))

    def share(step: int) -> float:
        rise = (step + 1) / n_warm_up
        fall = max(0.0, (n_steps - step) / max(1, n_steps - n_warm_up))
        return min(rise, fall)

    return share


@contextmanager
def _repeatable() -> Iterator[None]:
    """A context of deterministic algorithms, as far as the hardware has them."""
    settings: Any = torch.utils.deterministic
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    was_filled = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    settings.fill_uninitialized_memory = False  # a debugging aid, at a tenth of a step's time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_deterministic)
        settings.fill_uninitialized_memory = was_filled


def _samples(
    train: Sequence[GradedQuery], learner: Learner, draw: random.Random
) -> list[GradedQuery]:
    """The queries of an epoch in random order.

    A query of more than `documents_per_query` documents comes once for every so many of them, each
    time with a new draw of documents.
    """
    size = learner.documents_per_query
    if size is None:
        return draw.sample(train, len(train))
    samples = []
    for query in train:
        n_parts = -(-len(query.documents) // size)
        for _ in range(n_parts):
            indices = balanced(query.grades.tolist(), size, draw)
            documents = [query.documents[index] for index in indices]
            samples.append(GradedQuery(query.text, documents, query.grades[indices]))
    return draw.sample(samples, len(samples))


def _optimizer(
    learner: Learner, n_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW over the learner's parameter groups, and its schedule over `n_steps`."""
    optimizer = torch.optim.AdamW(learner.groups(), weight_decay=_WEIGHT_DECAY)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, linear_schedule(n_steps))


def _trainable_state(module: nn.Module) -> dict[str, Tensor]:
    """A copy of the trained weights, by name."""
    return {
        name: parameter.detach().clone()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }


def _note(epoch: Epoch) -> str:
    """The loss and the dev metric of an epoch as text, for progress."""
    dev = "" if epoch.dev_metric is None else f", dev {epoch.dev_metric:.4f}"
    return f"loss {epoch.train_loss:.4f}{dev}"
