"""The check of fused layers: a random layer beside transformers' own, once a process.

What belongs here: whether fused layers of some sizes compute the right vectors on this machine. What does
not: the fused layer (fused_bert.py), and what is used in its place (precision.py). Imported only where a
model is needed: it loads torch.

Fused layers call private operators of torch, whose kernels are chosen by processor, number format and
sizes. A wrong one would not raise an error, but change every grade.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

_LOG = logging.getLogger("relabel_assets.progress")
# Of a vector's length, at most. Measured at 384 to 1,024 values: below 1e-6 in fp32, and .006 in bf16.
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.02}
# Rows of a batch, in tokens: padding, a single token, and more than one tile of any kernel.
_LENGTHS = (48, 31, 1)
_SEED = 13


def is_exact(
    layer: type[nn.Module], config: Any, fused: Callable[[Any], nn.Module], dtype: torch.dtype
) -> bool:
    """Whether `fused` of a random `layer` in `dtype` computes what the layer computes in fp32.

    `layer` takes the transformers `config`. A difference is logged in one line. torch's random numbers
    stay as they are.

    >>> from transformers import BertConfig
    >>> from transformers.models.bert.modeling_bert import BertLayer
    >>> config = BertConfig(hidden_size=8, num_attention_heads=1, intermediate_size=8)
    >>> config._attn_implementation = "sdpa"
    >>> is_exact(BertLayer, config, lambda layer: layer, torch.float32)
    True
    """
    started = time.monotonic()
    difference = _difference(layer, config, fused, dtype)
    _LOG.debug("checked fused layers in %.0f ms", 1000 * (time.monotonic() - started))
    if difference <= _TOLERANCE[dtype]:
        return True
    _LOG.warning(
        "fused layers compute other vectors than transformers on this machine (%s, %d wide: they differ by "
        "%.2g of a vector's length, of which %.2g is expected). They are not used: reading takes longer, "
        "grades are right",
        str(dtype).removeprefix("torch."),
        config.hidden_size,
        difference,
        _TOLERANCE[dtype],
    )
    return False


@torch.inference_mode()
def _difference(
    layer: type[nn.Module], config: Any, fused: Callable[[Any], nn.Module], dtype: torch.dtype
) -> float:
    """The largest difference of a token's vectors as a share of its length; infinite for NaN or an error."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        exact = layer(config).eval()
        for weights in exact.parameters():
            # Fresh biases are zero and norms one: a mix-up of them would not show.
            weights.add_(0.02 * torch.randn_like(weights))
        hidden = torch.randn(len(_LENGTHS), max(_LENGTHS), config.hidden_size)  # (B, T, H)
    is_text = torch.arange(max(_LENGTHS)) < torch.tensor(_LENGTHS)[:, None]  # (B, T)
    mask = is_text[:, None, None, :].expand(-1, 1, max(_LENGTHS), -1)
    expected = _vectors(exact, hidden, mask)[is_text]
    try:
        ours = _vectors(fused(exact.to(dtype)), hidden.to(dtype), mask)[is_text].float()
    except RuntimeError:  # torch's, for an operator that this machine does not have
        return math.inf
    differences = (ours - expected).norm(dim=-1) / expected.norm(dim=-1)
    return math.inf if not bool(differences.isfinite().all()) else float(differences.max())


def _vectors(layer: nn.Module, hidden: Tensor, mask: Tensor) -> Tensor:
    """The layer's hidden states (B, T, H); some layers of transformers return them in a tuple."""
    output = layer(hidden, attention_mask=mask)
    return output[0] if isinstance(output, tuple) else output
