"""Fused BERT layers for x86 CPUs: product, bias, GELU and residual in one pass over memory.

What belongs here: the fused layer, and putting it into a model of the BERT family. What does not:
choosing when a model is fused (precision.py). Imported only where a model is needed: it loads torch.

The module uses private operators of torch, the ones that torch.compile calls on a CPU.
`torch.ops.mkldnn._reorder_linear_weight` lays a weight matrix out for oneDNN.
`torch.ops.mkldnn._linear_pointwise` multiplies with it, then adds or activates. torch has no public
operator for them, and torch.compile needs a C++ compiler on every machine that grades. Measured
(docs/labeling.md): 1.3 to 1.5 times as many tokens a second in bf16, 1.03 to 1.2 times in fp32.

pyproject.toml pins torch below its next minor version. runtime/test_fused_bert.py compares every
layer with transformers' own, so it fails if a new torch changes the operators. On a user's machine a
layer is compared before it is first used (fused_check.py).
"""

import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaLayer

from relabel_assets.student.runtime.fused_check import is_exact

_LAYERS = (BertLayer, RobertaLayer, XLMRobertaLayer)  # the same layer under three names
# oneDNN chooses the weights' layout for this many tokens. Not measured: any other number works too.
_PACKED_FOR_ROWS = 2048


def can_fuse(model: Any, dtype: torch.dtype) -> bool:
    """Whether `model` has layers of the BERT family with exact GELU, on an x86 CPU that fuses them rightly.

    The first model of its sizes and `dtype` in a process is checked (fused_check.py).

    >>> from transformers import BertConfig, BertModel
    >>> small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    >>> can_fuse(BertModel(BertConfig(**small, hidden_act="relu")), torch.float32)
    False
    """
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    if not torch.backends.mkldnn.is_available() or not is_x86:
        return False
    config = model.config
    is_exact_gelu = getattr(config, "hidden_act", None) == "gelu"
    is_encoder = not getattr(config, "is_decoder", False)
    is_on_cpu = next(model.parameters()).device.type == "cpu"
    layer = next((module for module in model.modules() if isinstance(module, _LAYERS)), None)
    if layer is None or not (is_exact_gelu and is_encoder and is_on_cpu):
        return False
    sizes = (config.hidden_size, config.num_attention_heads, config.intermediate_size)
    classes: tuple[Any, Any] = (type(layer), type(config))
    return _is_exact(*classes, *sizes, dtype)


@cache
def _is_exact(
    layer: type[nn.Module],
    config: Callable[..., Any],
    hidden_size: int,
    num_attention_heads: int,
    intermediate_size: int,
    dtype: torch.dtype,
) -> bool:
    """Whether fused layers of these sizes are exact here. The check is made once a process."""
    settings = config(
        hidden_size=hidden_size,
        num_attention_heads=num_attention_heads,
        intermediate_size=intermediate_size,
        attn_implementation="sdpa",
    )
    return is_exact(layer, settings, FusedLayer, dtype)


def fuse(model: Any) -> None:
    """Replace the BERT layers of `model` by fused ones, with which it can infer but not train.

    >>> from transformers import BertConfig, BertModel
    >>> small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    >>> model = BertModel(BertConfig(**small))
    >>> fits = can_fuse(model, torch.float32)
    >>> if fits:
    ...     fuse(model)
    >>> isinstance(model.encoder.layer[0], FusedLayer) == fits
    True
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, _LAYERS):
                setattr(module, name, FusedLayer(child))


class FusedLayer(nn.Module):
    """A BERT layer in evaluation mode: hidden states (B, T, H) to (B, T, H)."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention = layer.attention.self
        self.n_heads = attention.num_attention_heads
        parts = (attention.query, attention.key, attention.value)
        weight = torch.cat([part.weight for part in parts]).detach()
        bias = torch.cat([part.bias for part in parts]).detach()
        self.query_key_value = _PackedLinear(weight, bias)
        self.attention_output = _PackedLinear.of(layer.attention.output.dense)
        self.attention_norm = layer.attention.output.LayerNorm
        self.intermediate = _PackedLinear.of(layer.intermediate.dense)
        self.output = _PackedLinear.of(layer.output.dense)
        self.output_norm = layer.output.LayerNorm

    def forward(
        self, hidden: Tensor, attention_mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Tensor:
        """The layer's hidden states. `attention_mask` broadcasts to (B, heads, T, T), or is None."""
        batch, length, width = hidden.shape
        rows = hidden.reshape(batch * length, width)
        split = self.query_key_value(rows).view(batch, length, 3, self.n_heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, heads, T, H / heads) each
        attended = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask
        )
        attended = attended.transpose(1, 2).reshape(batch * length, width)
        rows = self.attention_norm(self.attention_output(attended, add=rows))
        widened = self.intermediate(rows, activation="gelu")
        return self.output_norm(self.output(widened, add=rows)).view(batch, length, width)


class _PackedLinear:
    """x W^T + b, with W (out, in) laid out for oneDNN."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        reorder = torch.ops.mkldnn._reorder_linear_weight
        self.weight = reorder(weight.contiguous(), _PACKED_FOR_ROWS)
        self.bias = bias

    @classmethod
    def of(cls, linear: nn.Linear) -> "_PackedLinear":
        return cls(linear.weight.detach(), linear.bias.detach())

    def __call__(
        self, rows: Tensor, *, activation: str = "none", add: Tensor | None = None
    ) -> Tensor:
        """(N, out) of rows (N, in): with `activation` ("gelu") applied, or `add` (N, out) added."""
        operator = torch.ops.mkldnn._linear_pointwise
        if add is not None:
            return operator.binary(rows, add, self.weight, self.bias, "add")
        return operator(rows, self.weight, self.bias, activation, [], "none")
