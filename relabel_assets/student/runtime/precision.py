"""In which format a model reads and learns: bf16 where this machine multiplies it in hardware, else fp32.

What belongs here: that choice, a model made so, its layers fused where they can be, and a step of training so. What does not:
the fused layer (fused.py) and the steps (training.py). Imported only where a model is needed.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from relabel_assets.student.runtime.batches import device
from relabel_assets.student.runtime.fused_bert import can_fuse, fuse

PRECISIONS = ("auto", "fp32", "bf16")


def dtype_of(precision: str) -> torch.dtype:
    """The format that a `precision` of PRECISIONS means here; auto never is one that this machine would have to emulate."""
    if precision == "auto":
        return torch.bfloat16 if _multiplies_bf16() else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _multiplies_bf16() -> bool:
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # AMX or AVX512-BF16. Without them, bf16 was measured at an eighth of the speed of fp32.
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


@contextmanager
def mixed(dtype: torch.dtype) -> Iterator[None]:
    """Within, a model that learns has its matrix products in `dtype`; its weights stay fp32 (Micikevicius et al. 2018).

    On a CPU attention is plain: backward through torch's fused one was measured at two thirds of a step in bf16.
    """
    if dtype == torch.float32:
        yield
        return
    was_allowed = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()  # of plain attention on a CPU too
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        plain = nullcontext() if torch.cuda.is_available() else sdpa_kernel(SDPBackend.MATH)
        with plain, torch.autocast(device().type, dtype):
            yield
    finally:
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(was_allowed)


class Reader:
    """Gives a model as it reads: itself, or a copy in `dtype` and fused, adapter merged, made again after a step of training.

    A classifier's layers above its base model stay in fp32: rounded to three digits, scores would tie.
    """

    def __init__(self, precision: str = "fp32") -> None:
        self.dtype = dtype_of(precision)
        self._copy: tuple[Any, Any] = (None, None)

    def __call__(self, model: Any) -> Any:
        is_rounded = self.dtype != torch.float32 and next(model.parameters()).dtype != self.dtype
        is_fused = can_fuse(model)
        if not is_rounded and not is_fused:
            return model
        # A parameter counts how often it was written to.
        state = (id(model), sum(parameter._version for parameter in model.parameters()))
        if self._copy[0] != state:
            found = _merged(model, shares_weights=not is_rounded)
            if is_rounded:
                _round(found)
            if is_fused:
                fuse(found)
            self._copy = (state, found)
        return self._copy[1]


def _merged(model: Any, *, shares_weights: bool) -> Any:
    """A copy of `model` without its adapter; one that has none can share its weights, and then only its structure is copied."""
    if hasattr(model, "merge_and_unload"):
        return copy.deepcopy(model).merge_and_unload().eval()
    shared = {id(parameter): parameter for parameter in model.parameters()} if shares_weights else {}
    return copy.deepcopy(model, memo=shared).eval()


def _round(model: Any) -> None:
    for parameter in model.parameters():  # not the buffers: rotary frequencies in bf16 would misplace words
        parameter.data = parameter.data.to(torch.bfloat16)
    _keep_head(model)


def _keep_head(model: Any) -> None:
    """Bring a classifier's layers above its base model back to fp32; what a language model's are, decoder.py sees to."""
    base = getattr(model, model.base_model_prefix, None)
    if base is None or model.get_output_embeddings() is not None:
        return
    for child in model.children():
        if child is not base and any(True for _ in child.parameters()):
            child.float().register_forward_pre_hook(_as_fp32)


def _as_fp32(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.float() if isinstance(value, torch.Tensor) else value for value in given)
