"""The logits of a few tokens as the next one of a batch of prompts.

What belongs here: padding, the shared prefix and the last layer of a batch. What does not: which tokens
(grade_tokens.py) and what the prefix keeps (prefix_cache.py). Imported only where a model is needed: it
loads torch. It needs nothing but torch and transformers, as the benchmark on a GPU machine does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from relabel_assets.student.decoder.prefix_cache import SharedPrefix, longest_with_same_positions
from relabel_assets.student.runtime.batches import padded_width


def next_token_logits(
    model: Any,
    prompts: Sequence[Sequence[int]],
    tokens: Sequence[int],
    *,
    pad: int,
    max_width: int,
    prefix: SharedPrefix | None = None,
) -> Tensor:
    """The logits of `tokens` as the next token of each of the `prompts`, (B, len(tokens)), on the CPU.

    The model reads at most `max_width` tokens. With `prefix`, its keys and values replace the
    computation of its tokens.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=9, intermediate_size=8, **sizes)).eval()
    >>> prompts, prefix = [[1, 2, 3], [1, 2, 4, 5]], SharedPrefix.compute(model, [1, 2])
    >>> logits = next_token_logits(model, prompts, [6, 7], pad=0, max_width=64, prefix=prefix)
    >>> whole = next_token_logits(model, prompts, [6, 7], pad=0, max_width=64)
    >>> logits.shape, bool(torch.allclose(logits, whole, atol=1e-6))
    (torch.Size([2, 2]), True)
    """
    n_shared, shared = 0, dict[str, Any](use_cache=False)
    if prefix is not None and prefix.begins(prompts):
        n_shared = len(prefix.ids)
        shared = {"use_cache": True, "past_key_values": prefix.cache(len(prompts))}
    longest, same = max(map(len, prompts)), longest_with_same_positions(model.config)
    # Padding is no reason to encode positions otherwise.
    width = padded_width(longest, min(max_width, same) if longest <= same else max_width) - n_shared
    tails = [list(prompt[n_shared:]) for prompt in prompts]
    # Padding comes last, where no token of a prompt attends to it: it needs no mask.
    ids = torch.tensor([tail + [pad] * (width - len(tail)) for tail in tails])  # (B, T)
    last = torch.tensor([len(tail) - 1 for tail in tails])
    with one_answer(model, tokens, last):
        output = model(input_ids=ids.to(next(model.parameters()).device), **shared)
    return output.logits[:, 0].float().cpu()


@contextmanager
def one_answer(model: Any, tokens: Sequence[int], last: Tensor) -> Iterator[None]:
    """A context in which `model` computes the logits of `tokens` at the place `last` (B,) of each row.

    Its logits are (B, 1, len(tokens)) then, instead of one for each place and token of the vocabulary.
    They are in fp32: in bf16, grades would tie.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=9, intermediate_size=8, **sizes)).eval()
    >>> rows = torch.tensor([[1, 2, 3]])
    >>> with one_answer(model, [4, 5], last=torch.tensor([1])):
    ...     logits = model(rows).logits
    >>> bool(torch.allclose(logits[:, 0], model(rows).logits[:, 1, [4, 5]], atol=1e-6))
    True
    """
    head, chosen = model.get_output_embeddings(), list(tokens)

    def logits_at_last(hidden: Tensor) -> Tensor:
        at_last = hidden[torch.arange(len(hidden), device=hidden.device), last.to(hidden.device)]
        bias = None if getattr(head, "bias", None) is None else head.bias[chosen].float()
        with torch.autocast(hidden.device.type, enabled=False):
            logits = nn.functional.linear(at_last.float(), head.weight[chosen].float(), bias)
        return logits[:, None]

    head.forward = logits_at_last  # in place of the class' own; a model's scaling of logits follows
    try:
        yield
    finally:
        del head.forward
