"""The number format of a decoder's weights in training: those that learn are fp32."""

import pytest
import torch

from relabel_assets.student.decoder.decoder import training_dtype


@pytest.mark.parametrize("inference", [torch.bfloat16, torch.float32])
def test_weights_that_learn_are_fp32_and_a_frozen_base_on_a_gpu_is_not(inference):
    assert training_dtype("full", inference, has_gpu=True) == torch.float32
    assert training_dtype("full", inference, has_gpu=False) == torch.float32
    assert training_dtype("lora", inference, has_gpu=False) == torch.float32
    assert training_dtype("lora", inference, has_gpu=True) == inference


def test_bf16_weights_would_not_see_a_step_of_adam():
    weight = torch.tensor([0.5], dtype=torch.bfloat16)
    assert weight - 1e-4 == weight  # why the rule is there
