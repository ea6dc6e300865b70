"""BERT layers on an x86 CPU: products with bias, GELU and residual in one pass over memory.

What belongs here: that layer, and putting it into a model of the BERT family. What does not: when a
model is computed so (precision.py). Imported only where a model is needed: it loads torch.

Private operators of torch are used: `torch.ops.mkldnn._reorder_linear_weight` lays a weight matrix
out for oneDNN, and `torch.ops.mkldnn._linear_pointwise` multiplies with it and applies what
follows. They are what torch.compile itself calls on a CPU. torch has no public operator for them,
and torch.compile would need a C++ compiler on every machine that grades. They encode 1.3 to 1.5
times as many tokens a second in bf16, and 1.03 to 1.2 times in fp32 (docs/labeling.md).
pyproject.toml pins torch below its next minor version, and runtime/test_fused_bert.py compares
every layer with transformers' own: a torch that changes the operators fails there.
"""

import platform
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaLayer

_LAYERS = (BertLayer, RobertaLayer, XLMRobertaLayer)  # one layer by three names
_PACKED_FOR_ROWS = 2048  # tokens that the weights' layout is chosen for; any other number works too


def can_fuse(model: Any) -> bool:
    """Whether `model` has layers that can be fused: of the BERT family, with exact GELU, on an x86
    CPU.

    >>> from transformers import BertConfig, BertModel
    >>> small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    >>> can_fuse(BertModel(BertConfig(**small, hidden_act="relu")))
    False
    """
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    if not torch.backends.mkldnn.is_available() or not is_x86:
        return False
    config = model.config
    is_exact_gelu = getattr(config, "hidden_act", None) == "gelu"
    is_encoder = not getattr(config, "is_decoder", False)
    is_on_cpu = next(model.parameters()).device.type == "cpu"
    has_layers = any(isinstance(module, _LAYERS) for module in model.modules())
    return is_exact_gelu and is_encoder and is_on_cpu and has_layers


def fuse(model: Any) -> None:
    """Replace each layer of `model` that has a fused form. The model can only infer then, not
    train.

    >>> from transformers import BertConfig, BertModel
    >>> small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    >>> model = BertModel(BertConfig(**small))
    >>> fits = can_fuse(model)
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
    """What a BERT layer computes in evaluation: hidden states (B, T, H) to (B, T, H)."""

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
        """`attention_mask` broadcasts to (B, heads, T, T), as transformers makes it for
        scaled_dot_product_attention."""
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
        """Of rows (N, in), (N, out): with `activation` ("gelu") applied, or `add` (N, out) added."""
        operator = torch.ops.mkldnn._linear_pointwise
        if add is not None:
            return operator.binary(rows, add, self.weight, self.bias, "add")
        return operator(rows, self.weight, self.bias, activation, [], "none")
