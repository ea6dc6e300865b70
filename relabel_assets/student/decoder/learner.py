"""Training a decoder: what it starts from, and its loss.

What belongs here: those. What does not: the training loop (fit.py) and what it shares with
cross-encoders (pair_reader.py). Imported only where a model is needed: it loads torch.
"""

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import polars as pl
import torch
from peft import TaskType
from torch import Tensor, nn

from relabel_assets.corpus.student_config import StudentConfig
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.base import base_path
from relabel_assets.student.decoder.decoder import Decoder, expected_grades
from relabel_assets.student.decoder.prompt import student_prompt
from relabel_assets.student.pair_reader import PairLearner
from relabel_assets.student.runtime.precision import mixed_precision
from relabel_assets.student.training.fit import GradedQuery, with_lora
from relabel_assets.student.training.losses import ranking_loss

_RATE = {"lora": 2e-4, "full": 1e-5}
_RANK = 16
# Parameters from which activation checkpointing is used: they are computed again in the backward
# pass, not kept.
CHECKPOINT_FROM = 1_000_000_000


class DigitLearner(PairLearner):
    """Trains a decoder: the right next token is the grade's digit, and expected grades should order
    documents."""

    grader: Decoder

    @classmethod
    def start(cls, config: StudentConfig, rubric: Rubric, pairs: pl.DataFrame) -> "DigitLearner":
        """The learner of the decoder that training on `pairs` starts from."""
        decoder = Decoder.load(
            base_path(config.base_model),
            config.max_length,
            student_prompt(rubric),
            rubric.n_grades,
            config.precision,
            trains=True,
        )
        base = model = decoder.model
        if config.method == "lora":
            model = with_lora(base, rank=_RANK, task=TaskType.CAUSAL_LM)
        if sum(p.numel() for p in model.parameters()) > CHECKPOINT_FROM:
            base.enable_input_require_grads()  # checkpointing needs an input with a gradient
            _checkpoint_activations(model, decoder.inference.dtype)
        rate = config.learning_rate or _RATE[config.method]
        return cls(dataclasses.replace(decoder, model=model), rate, pairs, rubric.n_grades)

    def loss(self, queries: Sequence[GradedQuery]) -> Tensor:
        # transformers checkpoints activations in training mode alone, and dropout comes with that
        # mode; decoders of that size have none. Smaller ones stay in evaluation mode.
        model = self.grader.model
        model.train(model.is_activation_checkpointing)
        losses = []
        for query in queries:
            logits = self.forward(self.token_rows(query), self.grader.digit_logits)
            right_digit = nn.functional.cross_entropy(logits, query.grades.long())
            losses.append(right_digit + ranking_loss(expected_grades(logits), query.grades))
        return torch.stack(losses).mean()


def _checkpoint_activations(model: Any, dtype: torch.dtype) -> None:
    """Compute activations again in the backward pass, in the precision of the first time, or
    gradients would not fit."""
    settings = {
        "use_reentrant": False,
        "context_fn": lambda: (nullcontext(), mixed_precision(dtype)),
    }
    model.activation_checkpointing_enable(activation_checkpointing_kwargs=settings)
