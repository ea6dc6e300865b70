"""The prefix cache: keys and values of the first tokens of all prompts, computed once.

What belongs here: this cache. What does not: prompts and scores (decoder.py). Imported only where a
model is needed: it loads torch.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


class _PrefixLayer(DynamicLayer):
    """One layer's keys and values of the prefix, (1, heads, P, width), for a batch of any size.

    The keys and values of a batch are appended to a copy, so the cache always has the prefix alone.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, P + T, width) of the prefix and a batch (B, heads, T, width)."""
        assert self.keys is not None and self.values is not None
        n_rows = len(key_states)
        return (
            torch.cat([self.keys.expand(n_rows, -1, -1, -1), key_states], dim=-2),
            torch.cat([self.values.expand(n_rows, -1, -1, -1), value_states], dim=-2),
        )


def prefix_cache(model: Any, ids: Sequence[int], longest: int) -> Cache | None:
    """The cache of the prefix `ids` for prompts of at most `longest` tokens, or None.

    None where a layer of the model cannot use one: it attends only to the last tokens, or has a
    state in place of keys.

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
    tokens = torch.tensor([list(ids)], device=next(model.parameters()).device)
    model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return Cache(layers=[_PrefixLayer(layer.keys, layer.values) for layer in cache.layers])
