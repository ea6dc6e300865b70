"""Precision of inference and training: bf16 where the hardware multiplies it, else fp32.

What belongs here: choosing bf16 or fp32, the cached inference copy of a model, and the autocast
context of a training step. What does not: the fused layer (fused_bert.py) and the steps
(training/fit.py). Imported only where a model is needed: it loads torch.

The module uses two private functions of torch.cpu, because no public one tells whether a CPU
multiplies bf16 in hardware. `parameter._version` is private too: it counts in-place writes, and so
shows whether a model was trained since it was copied. pyproject.toml pins torch below its next minor
version, and runtime/test_precision.py fails if one of the three is missing.
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

PRECISIONS = ("auto", "fp32", "bf16")  # the values of `precision` in corpus.yaml


def dtype_of(precision: str) -> torch.dtype:
    """The number format of a `precision` of PRECISIONS on this machine.

    auto is bf16 only where the hardware multiplies it. Elsewhere bf16 is emulated, at an eighth of
    the speed of fp32.

    >>> dtype_of("fp32"), dtype_of("bf16")
    (torch.float32, torch.bfloat16)
    """
    if precision == "auto":
        return torch.bfloat16 if _multiplies_bf16() else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _multiplies_bf16() -> bool:
    """Whether the GPU, or the CPU without one, multiplies bf16 in hardware."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # AMX or AVX512-BF16. Without them, bf16 was measured at an eighth of the speed of fp32.
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


@contextmanager
def mixed_precision(dtype: torch.dtype) -> Iterator[None]:
    """A context of matrix products in `dtype` with weights in fp32 (Micikevicius et al. 2018).

    On a CPU, attention in bf16 uses torch's plain kernel. Measured: the backward pass of the fused
    kernel takes two thirds of a whole step.

    >>> linear, vector = nn.Linear(2, 2), torch.ones(1, 2)
    >>> with mixed_precision(torch.bfloat16):
    ...     product = linear(vector)
    >>> product.dtype == torch.bfloat16, linear.weight.dtype == torch.float32
    (True, True)
    """
    if dtype == torch.float32:
        yield
        return
    cuda = torch.backends.cuda  # its settings apply to plain attention on a CPU too
    was_allowed = cuda.fp16_bf16_reduction_math_sdp_allowed()
    cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        attention = nullcontext() if torch.cuda.is_available() else sdpa_kernel(SDPBackend.MATH)
        with attention, torch.autocast(device().type, dtype):
            yield
    finally:
        cuda.allow_fp16_bf16_reduction_math_sdp(was_allowed)


def weights_version(model: Any) -> int:
    """A number that grows with each step that trains `model`.

    >>> model = nn.Linear(2, 2)
    >>> before = weights_version(model)
    >>> with torch.no_grad():
    ...     _ = model.weight.zero_()
    >>> weights_version(model) > before
    True
    """
    return sum(parameter._version for parameter in model.parameters())


class InferenceCopy:
    """The cached inference copy of a model: rounded to `dtype`, adapter merged, layers fused.

    A call returns the copy, or the model itself where there is nothing to round or fuse. A training
    step makes the copy outdated, and the next call makes a new one. A classifier's head stays in
    fp32: bf16 keeps three digits, so scores would tie.

    >>> model = nn.Linear(2, 2)
    >>> model.config = None
    >>> InferenceCopy("fp32")(model) is model
    True
    """

    def __init__(self, precision: str = "fp32") -> None:
        self.dtype = dtype_of(precision)
        self._copy: Any = None
        # Of the copied model: its id, and the number of in-place writes to its weights.
        self._copied_state: tuple[int, int] | None = None

    def __call__(self, model: Any) -> Any:
        is_rounded = self.dtype != torch.float32 and next(model.parameters()).dtype != self.dtype
        is_fused = can_fuse(model, self.dtype)
        if not is_rounded and not is_fused:
            return model
        state = (id(model), weights_version(model))
        if self._copied_state != state:
            copied = _merged(model, shares_weights=not is_rounded)
            if is_rounded:
                _round(copied)
            if is_fused:
                fuse(copied)
            self._copy, self._copied_state = copied, state
        return self._copy


def _merged(model: Any, *, shares_weights: bool) -> Any:
    """A copy of `model` with its adapter merged.

    Without an adapter, the copy may share the model's weights, which saves their memory.
    """
    if hasattr(model, "merge_and_unload"):
        return copy.deepcopy(model).merge_and_unload().eval()
    shared = {id(weights): weights for weights in model.parameters()} if shares_weights else {}
    return copy.deepcopy(model, memo=shared).eval()


def _round(model: Any) -> None:
    """Round all weights of `model` to bf16, except those of a classifier's head."""
    # Not the buffers: rotary frequencies in bf16 would misplace tokens.
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    _keep_head_in_fp32(model)


def _keep_head_in_fp32(model: Any) -> None:
    """Return a classifier's layers above its base model to fp32.

    A language model is left as it is: decoder.py computes its digit logits in fp32.
    """
    base = getattr(model, model.base_model_prefix, None)
    if base is None or model.get_output_embeddings() is not None:
        return
    for child in model.children():
        has_weights = any(True for _ in child.parameters())
        if child is not base and has_weights:
            child.float().register_forward_pre_hook(_inputs_in_fp32)


def _inputs_in_fp32(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.float() if isinstance(value, torch.Tensor) else value for value in inputs)
