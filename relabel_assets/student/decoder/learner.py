"""The learner of decoders: its start, and its loss.

What belongs here: loading the decoder from which training starts, and the loss of a step. What does
not: the training loop (training/fit.py), and training on pairs as cross-encoders do too
(student/pair_reader.py). Imported only where a model is needed: it loads torch.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.base import base_path
from relabel_assets.student.decoder.checkpointing import checkpoint_activations
from relabel_assets.student.decoder.decoder import Decoder, expected_grades
from relabel_assets.student.decoder.prompt import student_prompt
from relabel_assets.student.pair_reader import PairLearner
from relabel_assets.student.runtime.precision import mixed_precision
from relabel_assets.student.training.fit import GradedQuery, with_lora
from relabel_assets.student.training.losses import ranking_loss

# By method. Not measured: Gemma 3 270M was trained on too few pairs to tell.
_LEARNING_RATE = {"lora": 2e-4, "full": 1e-5}
_LORA_RANK = 16  # not measured
# With more parameters, activations are computed again in the backward pass, because they would not fit
# a GPU's memory. The limit was not measured.
CHECKPOINT_FROM = 1_000_000_000


def freeze_vocabulary(model: Any) -> None:
    """Leave the token embeddings and the output layer of `model` out of training, as LoRA does.

    They are 168 of Gemma 3 270M's 268 million weights. A step reads some thousand of its 262,144 rows,
    and would compute gradients and moments of all of them.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=9, intermediate_size=8, **sizes))
    >>> freeze_vocabulary(model)
    >>> [name for name, weights in model.named_parameters() if not weights.requires_grad]
    ['model.embed_tokens.weight', 'lm_head.weight']
    """
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        layer.requires_grad_(False)


class DigitLearner(PairLearner):
    """Trains a decoder by two losses: the grade's digit as the next token, and the order of documents."""

    grader: Decoder

    @classmethod
    def start(cls, config: StudentConfig, rubric: Rubric, pairs: pl.DataFrame) -> "DigitLearner":
        """The learner of a new decoder, which trains on `pairs`."""
        decoder = Decoder.load(
            base_path(config.base_model),
            config.max_length,
            student_prompt(rubric, config.prompt),
            rubric.n_grades,
            config.precision,
            trains=config.method,
        )
        model = decoder.model
        if config.method == "lora":
            model = with_lora(model, rank=_LORA_RANK, task="CAUSAL_LM")
        else:
            freeze_vocabulary(model)
        if sum(p.numel() for p in model.parameters()) > CHECKPOINT_FROM:
            checkpoint_activations(model, decoder.inference.dtype)
        rate = config.learning_rate or _LEARNING_RATE[config.method]
        return cls(dataclasses.replace(decoder, model=model), rate, pairs, rubric.n_grades)

    def loss(self, queries: Sequence[GradedQuery]) -> Tensor:
        """The mean loss of the queries, a scalar.

        The prefix of the prompts is computed once, with gradients, for all documents of the step.
        """
        grader, model = self.grader, self.grader.model
        model.eval()
        with mixed_precision(grader.inference.dtype):
            prefix = grader.shared_prefix(model)
        # transformers checkpoints activations in training mode alone. That mode adds dropout, which
        # decoders of that size do not have. The prefix keeps its activations: it is a row of many.
        model.train(model.is_activation_checkpointing)
        losses = []
        by_query = self.by_query(queries, lambda rows: grader.digit_logits(rows, prefix))
        for query, logits in zip(queries, by_query, strict=True):
            digit_loss = nn.functional.cross_entropy(logits, query.grades.long())
            losses.append(digit_loss + ranking_loss(expected_grades(logits), query.grades))
        return torch.stack(losses).mean()
