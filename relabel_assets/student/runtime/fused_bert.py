"""Encoder layers on a CPU whose matrix products end in what follows them: bias, GELU and residual in one pass over memory.

What belongs here: that layer, and putting it into a model of the BERT family. What does not: when a model is read so
(precision.py). Imported only where a model is needed. The products are oneDNN's, as torch.compile calls them.
"""

import platform
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaLayer

_LAYERS = (BertLayer, RobertaLayer, XLMRobertaLayer)  # one layer by three names
_ROWS = 2048  # tokens a product is laid out for; any other number works too


def can_fuse(model: Any) -> bool:
    """Whether `model` has layers that are read quicker fused: of the BERT family, with exact GELU, on an x86 CPU."""
    if not torch.backends.mkldnn.is_available() or platform.machine() not in ("x86_64", "AMD64"):
        return False
    config = model.config
    is_known = getattr(config, "hidden_act", None) == "gelu" and not getattr(config, "is_decoder", False)
    is_on_cpu = next(model.parameters()).device.type == "cpu"
    return is_known and is_on_cpu and any(isinstance(module, _LAYERS) for module in model.modules())


def fuse(model: Any) -> None:
    """Put a fused layer in the place of each layer of `model`, which can only be read then, not trained."""
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
        self.read = _Product(weight, torch.cat([part.bias for part in parts]).detach())
        self.meet = _Product.of(layer.attention.output.dense)
        self.widen, self.narrow = _Product.of(layer.intermediate.dense), _Product.of(layer.output.dense)
        self.after_attention, self.after_all = layer.attention.output.LayerNorm, layer.output.LayerNorm

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, *given: Any, **options: Any) -> Tensor:
        """`attention_mask` broadcasts to (B, heads, T, T), as transformers makes it for scaled_dot_product_attention."""
        batch, length, width = hidden.shape
        rows = hidden.reshape(batch * length, width)
        heads = self.read(rows).view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        met = nn.functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], attn_mask=attention_mask)
        met = met.transpose(1, 2).reshape(batch * length, width)
        rows = self.after_attention(self.meet(met, plus=rows))
        return self.after_all(self.narrow(self.widen(rows, then="gelu"), plus=rows)).view(batch, length, width)


class _Product:
    """x W^T + b, with W (out, in) laid out for oneDNN."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _ROWS)
        self.bias = bias

    @classmethod
    def of(cls, linear: nn.Linear) -> "_Product":
        return cls(linear.weight.detach(), linear.bias.detach())

    def __call__(self, rows: Tensor, *, then: str = "none", plus: Tensor | None = None) -> Tensor:
        """Of (N, in), (N, out): with `then` ("gelu") of the result, or `plus` (N, out) added to it."""
        if plus is not None:
            return torch.ops.mkldnn._linear_pointwise.binary(rows, plus, self.weight, self.bias, "add")
        return torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, then, [], "none")
