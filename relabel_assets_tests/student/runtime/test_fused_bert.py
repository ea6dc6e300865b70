"""Fused layers: equal to transformers, and up to date with a model in training."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from relabel_assets.student.runtime.fused_bert import FusedLayer, can_fuse
from relabel_assets.student.runtime.precision import InferenceCopy

SIZES: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "attn_implementation": "sdpa",
}  # fmt: skip
FAMILY = {
    "bert": (BertConfig, BertModel),
    "roberta": (RobertaConfig, RobertaModel),
    "xlmr": (XLMRobertaConfig, XLMRobertaModel),
}

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)


def random_model(kind: str, **more: Any) -> Any:
    torch.manual_seed(5)
    config, model = FAMILY[kind]
    network = model(config(**SIZES | more)).eval()
    # Initial biases are all zero and norms all one, so a mix-up of them would not show.
    for parameter in network.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return network


def padded_batch(lengths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    torch.manual_seed(6)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return {"input_ids": torch.randint(5, 99, mask.shape), "attention_mask": mask.long()}


@pytest.mark.parametrize("lengths", [(7, 7, 7), (9, 4, 1), (1,)])
@pytest.mark.parametrize("kind", list(FAMILY))
def test_a_fused_model_computes_what_transformers_computes(
    kind: str, lengths: tuple[int, ...]
) -> None:
    model, batch = random_model(kind), padded_batch(lengths)
    with torch.inference_mode():
        inference = InferenceCopy("fp32")(model)
        assert sum(isinstance(module, FusedLayer) for module in inference.modules()) == 2
        is_text = batch["attention_mask"].bool()
        ours, theirs = (
            run_model(**batch).last_hidden_state[is_text] for run_model in (inference, model)
        )
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_inference_copy_follows_training_and_leaves_the_model_unchanged() -> None:
    model, batch, inference_copy = random_model("bert"), padded_batch((6, 3)), InferenceCopy("fp32")
    original = {name: value.clone() for name, value in model.state_dict().items()}
    before = inference_copy(model)(**batch).last_hidden_state
    assert inference_copy(model) is inference_copy(model)
    assert all(torch.equal(value, original[name]) for name, value in model.state_dict().items())
    adapted = get_peft_model(
        model, LoraConfig(target_modules=["query", "dense"], init_lora_weights=False)
    )
    changed = inference_copy(adapted)(**batch).last_hidden_state
    assert not torch.allclose(changed, before, atol=1e-3)
    assert torch.allclose(changed, adapted.eval()(**batch).last_hidden_state, atol=1e-4)


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="the processor has no bf16 kernels"
)
def test_a_classifier_in_bf16_has_fused_layers_and_a_head_in_fp32() -> None:
    torch.manual_seed(7)
    model, batch = (
        BertForSequenceClassification(BertConfig(**SIZES, num_labels=1)).eval(),
        padded_batch((6, 3)),
    )
    with torch.inference_mode():
        inference = InferenceCopy("bf16")(model)
        assert any(isinstance(module, FusedLayer) for module in inference.modules())
        ours, theirs = inference(**batch).logits, model(**batch).logits
    assert ours.dtype == torch.float32
    assert torch.allclose(ours, theirs, atol=2e-2)


def test_layers_with_another_activation_or_a_causal_mask_are_not_fused() -> None:
    assert can_fuse(random_model("bert"), torch.float32)
    assert not can_fuse(random_model("bert", hidden_act="relu"), torch.float32)
    assert not can_fuse(random_model("bert", is_decoder=True), torch.float32)
    llama = LlamaModel(LlamaConfig(**SIZES))
    assert InferenceCopy("fp32")(llama) is llama
