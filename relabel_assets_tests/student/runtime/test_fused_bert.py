"""Fused layers compute what transformers computes, and follow a model that trains."""

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


def made(kind: str, **more: Any) -> Any:
    torch.manual_seed(5)
    config, model = FAMILY[kind]
    found = model(config(**SIZES | more)).eval()
    for parameter in (
        found.parameters()
    ):  # as made, biases are zero and norms one: nothing would tell them apart
        parameter.data += 0.2 * torch.randn_like(parameter)
    return found


def given(lengths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    torch.manual_seed(6)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return {"input_ids": torch.randint(5, 99, mask.shape), "attention_mask": mask.long()}


@pytest.mark.parametrize("lengths", [(7, 7, 7), (9, 4, 1), (1,)])
@pytest.mark.parametrize("kind", list(FAMILY))
def test_a_fused_model_computes_what_transformers_computes(
    kind: str, lengths: tuple[int, ...]
) -> None:
    model, batch = made(kind), given(lengths)
    with torch.inference_mode():
        reader = InferenceCopy("fp32")(model)
        assert sum(isinstance(module, FusedLayer) for module in reader.modules()) == 2
        is_text = batch["attention_mask"].bool()
        ours, theirs = (read(**batch).last_hidden_state[is_text] for read in (reader, model))
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_inference_copy_follows_training_and_leaves_the_model_unchanged() -> None:
    model, batch, reader = made("bert"), given((6, 3)), InferenceCopy("fp32")
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    before = reader(model)(**batch).last_hidden_state
    assert reader(model) is reader(model)
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    adapted = get_peft_model(
        model, LoraConfig(target_modules=["query", "dense"], init_lora_weights=False)
    )
    changed = reader(adapted)(**batch).last_hidden_state
    assert not torch.allclose(changed, before, atol=1e-3)
    assert torch.allclose(changed, adapted.eval()(**batch).last_hidden_state, atol=1e-4)


def test_a_classifier_in_bf16_has_fused_layers_and_a_head_in_fp32() -> None:
    torch.manual_seed(7)
    model, batch = (
        BertForSequenceClassification(BertConfig(**SIZES, num_labels=1)).eval(),
        given((6, 3)),
    )
    with torch.inference_mode():
        read = InferenceCopy("bf16")(model)
        assert any(isinstance(module, FusedLayer) for module in read.modules())
        ours, theirs = read(**batch).logits, model(**batch).logits
    assert ours.dtype == torch.float32
    assert torch.allclose(ours, theirs, atol=2e-2)


def test_layers_with_another_activation_or_a_causal_mask_are_not_fused() -> None:
    assert not can_fuse(made("bert", hidden_act="relu"))
    assert not can_fuse(made("bert", is_decoder=True))
    llama = LlamaModel(LlamaConfig(**SIZES))
    assert InferenceCopy("fp32")(llama) is llama
