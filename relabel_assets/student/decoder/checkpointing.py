"""Activation checkpointing of a decoder that reads a shared prefix.

What belongs here: turning it on. What does not: for which models (learner.py). Imported only where a
model is needed: it loads torch.
"""

from contextlib import nullcontext
from typing import Any

import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from relabel_assets.student.runtime.precision import mixed_precision


def checkpoint_activations(model: Any, dtype: torch.dtype) -> None:
    """Turn activation checkpointing on; the recomputation has the precision of the forward pass.

    With another precision, gradients would belong to other activations. A layer may use a prefix's keys
    and values: reading them twice leaves them as they are (prefix_cache.py).

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=9, intermediate_size=8, **sizes))
    >>> checkpoint_activations(model, torch.float32)
    >>> model.is_activation_checkpointing
    True
    """
    settings = {
        "use_reentrant": False,
        "context_fn": lambda: (nullcontext(), mixed_precision(dtype)),
    }
    model.activation_checkpointing_enable(activation_checkpointing_kwargs=settings)
    for layer in model.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            # transformers would set its cache to None, without an error: test_shared_prefix_training.py
            layer._can_checkpoint_with_cache = True
