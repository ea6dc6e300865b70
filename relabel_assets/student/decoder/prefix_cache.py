"""What all prompts of a decoder begin with, read once: its keys and values, lent to every batch.

What belongs here: that cache. What does not: prompts and scores (decoder.py). Imported only where a model is needed.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


class _Lent(DynamicLayer):
    """One layer's keys and values (1, heads, P, width). What a batch adds to them is not kept, so they serve the next."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, P + T, width) for those of a batch, (B, heads, T, width)."""
        assert self.keys is not None and self.values is not None
        rows = len(key_states)
        return (
            torch.cat([self.keys.expand(rows, -1, -1, -1), key_states], dim=-2),
            torch.cat([self.values.expand(rows, -1, -1, -1), value_states], dim=-2),
        )


def shared_prefix(model: Any, ids: Sequence[int], longest: int) -> Cache | None:
    """The cache of `ids`, for prompts of at most `longest` tokens; None where a layer remembers in another way.

    A layer that sees only the last so many tokens, or keeps a state in place of keys, cannot be continued from outside.
    """
    cache: Any = DynamicCache(config=model.config)  # its layers are of many types
    for layer in cache.layers:
        sees_all = type(layer) is DynamicLayer or (
            type(layer) is DynamicSlidingWindowLayer and layer.sliding_window >= longest
        )
        if not sees_all:
            return None
    place = next(model.parameters()).device
    model(input_ids=torch.tensor([list(ids)], device=place), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return Cache(layers=[_Lent(layer.keys, layer.values) for layer in cache.layers])
