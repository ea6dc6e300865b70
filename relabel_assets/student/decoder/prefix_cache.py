"""The keys and values of the tokens that all prompts begin with, computed once.

What belongs here: that cache. What does not: prompts and scores (decoder.py). Imported only where a
model is needed: it loads torch.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


class _PrefixLayer(DynamicLayer):
    """One layer's keys and values of the prefix, (1, heads, P, width), for a batch of any size.

    A batch's own keys and values are appended to a copy, so the next batch finds the prefix alone.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of prefix and batch, (B, heads, P + T, width), from those of the batch,
        (B, heads, T, width)."""
        assert self.keys is not None and self.values is not None
        n_rows = len(key_states)
        return (
            torch.cat([self.keys.expand(n_rows, -1, -1, -1), key_states], dim=-2),
            torch.cat([self.values.expand(n_rows, -1, -1, -1), value_states], dim=-2),
        )


def prefix_cache(model: Any, ids: Sequence[int], longest: int) -> Cache | None:
    """The cache of the prefix `ids`, for prompts of at most `longest` tokens; None where the model
    cannot use one.

    A layer that attends only to the last tokens, or keeps a state in place of keys, cannot continue
    from outside.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=9, **small)).eval()
    >>> prefix_cache(model, [1, 2, 3], longest=10).get_seq_length()
    3
    """
    cache: Any = DynamicCache(config=model.config)  # its layers are of many types
    for layer in cache.layers:
        is_sliding = type(layer) is DynamicSlidingWindowLayer
        attends_to_all = type(layer) is DynamicLayer or (
            is_sliding and layer.sliding_window >= longest
        )
        if not attends_to_all:
            return None
    place = next(model.parameters()).device
    tokens = torch.tensor([list(ids)], device=place)
    model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return Cache(layers=[_PrefixLayer(layer.keys, layer.values) for layer in cache.layers])
