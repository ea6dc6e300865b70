"""The prefix cache: keys and values of the first tokens of all prompts, computed once.

What belongs here: this cache, and for which models it is exact. What does not: prompts and scores
(decoder.py). Imported only where a model is needed: it loads torch.

Rows are padded after their last token, never before it. A sliding window counts places, so padding
between the prefix and a row would push the prefix out of the window.
"""

import copy
import inspect
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

_LOG = logging.getLogger("relabel_assets.progress")
# Names of layers in transformers.cache_utils, which has others by version. These have keys and values
# alone, which are never written in place: gradients pass through.
_KEYS_AND_VALUES = {"DynamicLayer", "DynamicSlidingWindowLayer", "DummyLayer"}
# With states too, which are written in place.
_ALL = _KEYS_AND_VALUES | {
    "DynamicIndexedLayer",
    "LinearAttentionLayer",
    "LinearAttentionAndFullAttentionLayer",
    "LinearAttentionAndSlidingWindowAttentionLayer",
}
_TENSORS = ("keys", "values", "indexer_keys")  # (1, ...) each
_STATES = ("conv_states", "recurrent_states")  # dicts of tensors (1, ...)
_UNLIMITED = 10**9


@dataclass(frozen=True)
class SharedPrefix:
    """The first token ids of all prompts, `ids`, with their keys and values for `model` in `layers`.

    `layers` is None where the model cannot use them: every prompt is computed whole then. A prompt of
    more than `longest` tokens has other positions in the prefix too, and is computed whole.
    """

    model: Any
    ids: tuple[int, ...]
    layers: Sequence[Any] | None
    longest: int = _UNLIMITED

    @classmethod
    def compute(cls, model: Any, ids: Sequence[int]) -> "SharedPrefix":
        """The prefix `ids`, computed by `model`: with gradients where they are enabled.

        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
        >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=9, intermediate_size=8, **sizes)).eval()
        >>> prefix = SharedPrefix.compute(model, [1, 2, 3])
        >>> prefix.begins([[1, 2, 3, 4], [1, 2, 3, 5, 6]]), prefix.cache(n_rows=2).get_seq_length()
        (True, 3)
        """
        layers = _empty_layers(model) if ids else None
        if layers is not None:
            tokens = torch.tensor([list(ids)], device=next(model.parameters()).device)
            filled = Cache(layers=layers)
            model(input_ids=tokens, past_key_values=filled, use_cache=True, logits_to_keep=1)
        return cls(model, tuple(ids), layers, longest_with_same_positions(model.config))

    @property
    def n_shared(self) -> int:
        """The number of tokens that a prompt need not compute."""
        return 0 if self.layers is None else len(self.ids)

    def begins(self, prompts: Sequence[Sequence[int]]) -> bool:
        """Whether all of `prompts` can be computed from the end of the prefix.

        A tokenizer may join the prefix's last letters with a query's first. Then they cannot.
        """
        n = len(self.ids)
        return self.layers is not None and all(
            n < len(prompt) <= self.longest and tuple(prompt[:n]) == self.ids for prompt in prompts
        )

    def cache(self, n_rows: int) -> Cache:
        """The cache of the prefix for a batch of `n_rows`, which leaves the prefix as it is."""
        assert self.layers is not None
        return Cache(layers=[_lent(layer, n_rows) for layer in self.layers])


def longest_with_same_positions(config: Any) -> int:
    """The most tokens of a prompt whose positions are encoded as those of a short prompt.

    Some models change the frequencies of all positions where a prompt is long (LongRoPE, dynamic NTK).

    >>> from transformers import Phi3Config
    >>> factors = {"short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
    >>> rope = {"rope_type": "longrope", "original_max_position_embeddings": 4096, **factors}
    >>> longest_with_same_positions(Phi3Config(rope_parameters=rope))
    4096
    """
    config = config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    limits = [
        settings.get("original_max_position_embeddings") or config.max_position_embeddings
        for settings in (rope, *(value for value in rope.values() if isinstance(value, dict)))
        if settings.get("rope_type") in ("longrope", "dynamic")
    ]
    return min(limits, default=_UNLIMITED)


def _empty_layers(model: Any) -> list[Any] | None:
    """Empty cache layers for `model`, or None where sharing them would not be exact."""
    own = model.get_base_model() if hasattr(model, "get_base_model") else model
    takes_cache = "past_key_values" in inspect.signature(type(own).forward).parameters
    layers = DynamicCache(config=own.config).layers if takes_cache else []
    known = _KEYS_AND_VALUES if torch.is_grad_enabled() else _ALL
    unknown = {type(layer).__name__ for layer in layers} - known
    if unknown or not layers:
        _say_not_shared(type(own).__name__, ", ".join(sorted(unknown)) or "no keys and values")
        return None
    return layers


@cache  # once in a process
def _say_not_shared(model: str, kind: str) -> None:
    _LOG.info(
        "%s keeps %s of a prompt: the prompt's beginning cannot be shared, and is computed "
        "for every pair",
        model,
        kind,
    )


def _lent(layer: Any, n_rows: int) -> Any:
    """A copy of a cache layer of one row for `n_rows`, whose keys and values stay as they are."""
    lent = copy.copy(layer)
    for name in _TENSORS:
        if (tensor := getattr(layer, name, None)) is not None:
            setattr(lent, name, _repeated(tensor, n_rows))
    for name in _STATES:
        states = getattr(layer, name, {})
        if states:  # written in place, so they are copied
            copies = {
                index: state if state is None else _repeated(state, n_rows).clone()
                for index, state in states.items()
            }
            setattr(lent, name, copies)
    if hasattr(layer, "update"):
        lent.update = partial(_updated_copy, copy.copy(lent))
    return lent


def _updated_copy(layer: Any, *states: Tensor, **more: Any) -> tuple[Tensor, Tensor]:
    """The keys and values of `layer` with new ones appended; `layer` stays as it is.

    Activation checkpointing computes a layer twice. The second time would append them again.
    """
    update: Callable[..., tuple[Tensor, Tensor]] = copy.copy(layer).update
    return update(*states, **more)


def _repeated(tensor: Tensor, n_rows: int) -> Tensor:
    """`tensor` (1, ...) as a view of `n_rows` rows."""
    return tensor.expand(n_rows, *tensor.shape[1:])
