"""Which weights of a decoder are trained."""

from pathlib import Path
from typing import Any, Literal

import pytest

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student.decoder.learner import DigitLearner
from relabel_assets_tests.student.tiny_models import pairs, save_decoder


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_vocabulary_is_not_trained(tmp_path: Path, method: Literal["full", "lora"]) -> None:
    """It is most of a small model: its gradients alone would take more time than the layers'."""
    folder = save_decoder(tmp_path, "llama")
    config = StudentConfig(base_model=str(folder), architecture="decoder", method=method)
    model: Any = DigitLearner.start(config, default_rubric(), pairs()).grader.model
    trained = {name for name, weights in model.named_parameters() if weights.requires_grad}
    assert not [name for name in trained if "embed_tokens" in name or "lm_head" in name]
    assert [name for name in trained if "layers.0.mlp.up_proj" in name]
    if method == "full":
        layers = {name for name, _ in model.named_parameters() if "model.layers" in name}
        assert trained == layers | {"model.norm.weight"}
