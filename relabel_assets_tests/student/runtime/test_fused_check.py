"""Fused layers check themselves: right ones are used, wrong ones step aside with one line."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from relabel_assets.student.runtime import fused_bert
from relabel_assets.student.runtime.fused_bert import FusedLayer
from relabel_assets.student.runtime.precision import InferenceCopy

SIZES: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 96, "attn_implementation": "sdpa",
}  # fmt: skip

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)


# Without AVX-512 torch has no bf16 kernels of oneDNN, and fused layers step aside.
NEEDS_BF16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="the processor has no bf16 kernels"
)


@pytest.fixture(autouse=True)
def nothing_checked_yet() -> Iterator[None]:
    fused_bert._is_exact.cache_clear()
    yield
    fused_bert._is_exact.cache_clear()


def n_fused(model: Any) -> int:
    return sum(isinstance(module, FusedLayer) for module in model.modules())


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=NEEDS_BF16)])
@pytest.mark.parametrize("kind", [(BertConfig, BertModel), (RobertaConfig, RobertaModel)])
def test_right_layers_are_used_without_a_word(
    kind: tuple[Any, Any], precision: str, caplog: pytest.LogCaptureFixture
) -> None:
    config, model = kind
    assert n_fused(InferenceCopy(precision)(model(config(**SIZES)).eval())) == 2
    assert not caplog.records


RIGHT = FusedLayer.forward


def with_output(change: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda *given, **named: change(RIGHT(*given, **named))


def fails(*given: Any, **named: Any) -> Tensor:
    raise RuntimeError("this processor has no such kernel")


def ignores_the_mask(
    layer: FusedLayer, hidden: Tensor, attention_mask: Tensor | None = None
) -> Tensor:
    return RIGHT(layer, hidden)


WRONG: dict[str, Callable[..., Tensor]] = {
    "one value of one token is not a number": with_output(
        lambda vectors: vectors.index_put(
            (torch.tensor(0), torch.tensor(3)), torch.tensor(torch.nan)
        )
    ),
    "rounded to a tenth": with_output(lambda vectors: (vectors * 10).round() / 10),
    "the last token is another": with_output(lambda vectors: vectors.roll(1, dims=1)),
    "padding is read": ignores_the_mask,
    "an operator is missing": fails,
}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_layers_step_aside_with_one_line(
    wrong: str,
    precision: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(FusedLayer, "forward", WRONG[wrong])
    model, inference = BertModel(BertConfig(**SIZES)).eval(), InferenceCopy(precision)
    with caplog.at_level(logging.WARNING, logger="relabel_assets.progress"):
        copies = [inference(model), InferenceCopy(precision)(model)]
        ids = torch.tensor([[5, 6, 7]])
        vectors = copies[0](ids).last_hidden_state.float()
    assert [n_fused(copy) for copy in copies] == [0, 0]
    assert torch.allclose(vectors, model(ids).last_hidden_state, atol=0.05)
    (record,) = caplog.records
    assert "not used" in record.getMessage()


def test_the_check_is_made_once_for_each_size_and_leaves_random_numbers_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks: list[int] = []
    check = fused_bert.is_exact

    def counted(layer: Any, config: Any, *more: Any) -> bool:
        checks.append(config.hidden_size)
        return check(layer, config, *more)

    monkeypatch.setattr(fused_bert, "is_exact", counted)
    models = [
        BertModel(BertConfig(**SIZES | {"hidden_size": width})).eval() for width in (64, 64, 32)
    ]
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    for model in models:
        InferenceCopy("fp32")(model)
    assert torch.equal(torch.rand(1), expected)
    assert checks == [64, 32]
