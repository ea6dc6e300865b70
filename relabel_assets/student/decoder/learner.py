"""The learner of decoders: its start, and its loss.

What belongs here: loading the decoder from which training starts, and the loss of a step. What does
not: the training loop (training/fit.py), and training on pairs as cross-encoders do too
(student/pair_reader.py). Imported only where a model is needed: it loads torch.
"""

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import polars as pl
import torch
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

# By method. Not measured: no decoder was trained at size.
_LEARNING_RATE = {"lora": 2e-4, "full": 1e-5}
_LORA_RANK = 16  # not measured
# With more parameters, activations are computed again in the backward pass, because they would not fit
# a GPU's memory. The limit was not measured.
CHECKPOINT_FROM = 1_000_000_000


class DigitLearner(PairLearner):
    """Trains a decoder by two losses: the grade's digit as the next token, and the order of documents."""

    grader: Decoder

    @classmethod
    def start(cls, config: StudentConfig, rubric: Rubric, pairs: pl.DataFrame) -> "DigitLearner":
        """The learner of a new decoder, which trains on `pairs`."""
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
            model = with_lora(base, rank=_LORA_RANK, task="CAUSAL_LM")
        if sum(p.numel() for p in model.parameters()) > CHECKPOINT_FROM:
            base.enable_input_require_grads()  # checkpointing needs an input with a gradient
            _checkpoint_activations(model, decoder.inference.dtype)
        rate = config.learning_rate or _LEARNING_RATE[config.method]
        return cls(dataclasses.replace(decoder, model=model), rate, pairs, rubric.n_grades)

    def loss(self, queries: Sequence[GradedQuery]) -> Tensor:
        """The mean loss of the queries, a scalar."""
        # transformers checkpoints activations in training mode alone. That mode adds dropout, which
        # decoders of that size do not have. Smaller decoders stay in evaluation mode.
        model = self.grader.model
        model.train(model.is_activation_checkpointing)
        losses = []
        for query in queries:
            logits = self.forward(self.token_rows(query), self.grader.digit_logits)
            digit_loss = nn.functional.cross_entropy(logits, query.grades.long())
            losses.append(digit_loss + ranking_loss(expected_grades(logits), query.grades))
        return torch.stack(losses).mean()


def _checkpoint_activations(model: Any, dtype: torch.dtype) -> None:
    """Turn activation checkpointing on; the recomputation has the precision of the forward pass.

    With another precision, gradients would belong to other activations.
    """
    settings = {
        "use_reentrant": False,
        "context_fn": lambda: (nullcontext(), mixed_precision(dtype)),
    }
    model.activation_checkpointing_enable(activation_checkpointing_kwargs=settings)
