"""The training loop on a learner with one weight: best epoch, samples of documents, schedule."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor, nn

from relabel_assets.progress import silent
from relabel_assets.student.training.epochs import best_epoch
from relabel_assets.student.training.fit import (
    GradedQuery,
    balanced,
    fit,
    graded_queries,
    linear_schedule,
)


class OneWeight:
    """A weight that grows at every step. `seen` has all samples, `weights` its value by epoch."""

    def __init__(self, documents_per_query: int | None = None) -> None:
        self.module: nn.Module = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.module.weight)  # type: ignore[arg-type]
        self.queries_per_step = 1
        self.documents_per_query = documents_per_query
        self.seen: list[GradedQuery] = []
        self.weights: list[float] = []

    @property
    def weight(self) -> float:
        return self.module.weight.item()  # type: ignore[operator, union-attr]

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": self.module.parameters(), "lr": 0.1}]

    def loss(self, queries: Sequence[GradedQuery]) -> Tensor:
        self.seen.extend(queries)
        return -self.module.weight.sum()  # type: ignore[operator, union-attr]

    def fit(self, *dev_metrics: float | None, queries: Sequence[GradedQuery]) -> int:
        """Train one epoch for each dev metric after the first; return the best epoch's number."""
        values: Iterator[float | None] = iter(dev_metrics)

        def dev_metric() -> float | None:
            self.weights.append(self.weight)
            return next(values)

        n_epochs = len(dev_metrics) - 1
        history = fit(
            self, queries, epochs=n_epochs, seed=13, dev_metric=dev_metric, progress=silent
        )
        assert [epoch.dev_metric for epoch in history] == list(dev_metrics)
        return best_epoch(history).number


def query(name: str, *grades: float) -> GradedQuery:
    documents = [f"{name}-{position}" for position in range(len(grades))]
    return GradedQuery(name, documents, torch.tensor(grades))


@pytest.mark.parametrize(
    ("dev_metrics", "best"),
    [((0.5, 0.7, 0.7, 0.6), 1), ((0.7, 0.7, 0.7), 0), ((0.1, 0.2, 0.3), 2), ((None,) * 3, 2)],
)
def test_the_final_weights_are_those_of_the_reported_epoch(
    dev_metrics: tuple[float | None, ...], best: int
) -> None:
    learner = OneWeight()
    assert learner.fit(*dev_metrics, queries=[query("leave", 3.0)]) == best
    assert len(set(learner.weights)) == len(dev_metrics), "every epoch has another weight"
    assert learner.weight == learner.weights[best]


def test_zero_epochs_leave_the_model_unchanged() -> None:
    learner = OneWeight()
    assert learner.fit(0.5, queries=[query("leave", 3.0)]) == 0
    assert learner.weight == 0.0


def test_every_epoch_visits_every_query_once_in_a_new_order() -> None:
    queries = [query(f"q{number}", 1.0) for number in range(20)]
    learner = OneWeight()
    learner.fit(None, None, None, queries=queries)
    names = [sample.text for sample in learner.seen]
    assert sorted(names[:20]) == sorted(names[20:]) == sorted(q.text for q in queries)
    assert names[:20] != names[20:]
    same_seed = OneWeight()
    same_seed.fit(None, None, None, queries=queries)
    assert names == [sample.text for sample in same_seed.seen]


def test_a_query_with_many_documents_is_split_into_parts_with_every_grade() -> None:
    learner = OneWeight(documents_per_query=4)
    learner.fit(None, None, queries=[query("leave", *[0.0] * 8, 3.0), query("badges", 1.0)])
    parts = [sample for sample in learner.seen if sample.text == "leave"]
    assert len(parts) == 3  # nine documents, four at a time
    for part in parts:
        assert len(set(part.documents)) == 4
        assert part.grades.tolist().count(3.0) == 1
        assert part.grades[part.documents.index("leave-8")] == 3.0
    (short,) = (sample for sample in learner.seen if sample.text == "badges")
    assert short.documents == ["badges-0"]


def test_balanced_samples_take_the_grades_in_turn() -> None:
    places = balanced([0.0] * 50 + [3.0, 3.0], 6, random.Random(1))
    assert len(set(places)) == 6
    assert {50, 51} <= set(places)


def test_graded_queries_do_not_depend_on_the_order_of_rows() -> None:
    pairs = pl.DataFrame(
        {
            "query_id": ["q2", "q1", "q1"],
            "text": ["badges", "leave", "leave"],
            "doc_id": ["d1", "d2", "d1"],
            "grade": [1, 0, 3],
        }
    )
    for rows in (pairs, pairs.reverse()):
        first, second = graded_queries(rows)
        assert (first.text, first.documents, first.grades.tolist()) == (
            "leave",
            ["d1", "d2"],
            [3, 0],
        )
        assert (second.text, second.documents) == ("badges", ["d1"])


@pytest.mark.parametrize("n_steps", [1, 10, 40, 200])
def test_the_first_step_learns_and_the_schedule_falls_to_zero(n_steps: int) -> None:
    shares = [linear_schedule(n_steps)(step) for step in range(n_steps + 1)]
    assert shares[0] > 0
    assert max(shares) == 1.0
    assert shares[-1] == 0.0


def test_after_warm_up_the_schedule_is_that_of_transformers() -> None:
    from transformers import get_linear_schedule_with_warmup

    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=4, num_training_steps=40)
    for step in range(40):
        share = theirs.get_last_lr()[0]
        ours = linear_schedule(40)
        assert share == (ours(step) if step > 4 else step / 4)
        assert step >= 4 or ours(step) == (step + 1) / 4
        optimizer.step()
        theirs.step()
