"""Every preset trains, saves, loads and grades: on a tiny model of random weights of its architecture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import (
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from relabel_assets.corpus.config.student_config import PRESETS, StudentConfig
from relabel_assets.student import Labeler, train, train_student
from relabel_assets.student.cross_encoder import CrossEncoder
from relabel_assets.student.labeler import calibrate
from relabel_assets_tests.student.tiny_models import RUBRIC, SIZES, pairs, tokenizer

pytestmark = pytest.mark.slow

Tiny = tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]
PHI4 = {  # Phi-4-mini: grouped heads, three quarters of each rotated, LongRoPE, tied embeddings
    "num_key_value_heads": 1,
    "tie_word_embeddings": True,
    "original_max_position_embeddings": 1024,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.75,
        "short_factor": [1.0] * 6,
        "long_factor": [4.0] * 6,
    },
}
QWEN3 = (Qwen3Config, Qwen3ForCausalLM, {"num_key_value_heads": 1, "head_dim": 16})
MODERNBERT = (ModernBertConfig, ModernBertForSequenceClassification, {"local_attention": 16})
DEBERTA = {
    "relative_attention": True,
    "position_buckets": 16,
    "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
TINY: dict[str, Tiny] = {
    "modernbert": MODERNBERT,
    "gte-reranker-modernbert": MODERNBERT,
    "bge-reranker-v2-m3": (XLMRobertaConfig, XLMRobertaForSequenceClassification, {}),
    "mxbai-rerank-v1": (DebertaV2Config, DebertaV2ForSequenceClassification, DEBERTA),
    "mxbai-rerank-v2": (Qwen2Config, Qwen2ForCausalLM, {"num_key_value_heads": 1}),
    "qwen3-0.6b": QWEN3,
    "qwen3-reranker-0.6b": QWEN3,
    "phi-3.5-mini": (Phi3Config, Phi3ForCausalLM, {"sliding_window": 64}),
    "phi-4-mini": (Phi3Config, Phi3ForCausalLM, PHI4),
}


def save_base(folder: Path, name: str, room: int = 2048) -> str:
    """A tiny model of the preset's architecture, which reads `room` positions, and its tokenizer."""
    config, model, more = TINY[name]
    is_decoder = PRESETS[name]["architecture"] == "decoder"
    words = tokenizer("decoder" if is_decoder else "encoder")
    ends = (words.eos_token_id,) * 2 if is_decoder else (words.cls_token_id, words.sep_token_id)
    settings = {
        "pad_token_id": words.pad_token_id,
        "bos_token_id": ends[0],
        "eos_token_id": ends[1],
    }
    if not is_decoder:
        settings |= {"num_labels": 1, "cls_token_id": ends[0], "sep_token_id": ends[1]}
    torch.manual_seed(1)
    made = model(
        config(vocab_size=len(words), max_position_embeddings=room, **SIZES, **more, **settings)
    )
    made.save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def test_every_preset_but_the_installed_model_is_tested() -> None:
    assert set(TINY) == set(PRESETS) - {"minilm"}


@pytest.mark.parametrize("name", TINY)
def test_a_preset_trains_saves_loads_and_grades_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    base = save_base(tmp_path / "base", name)
    # A rate at which two steps change a tiny model's scores.
    config = StudentConfig(
        preset=name, base_model=base, epochs=1, precision="fp32", learning_rate=0.01
    )
    assert config.max_length == PRESETS[name]["max_length"]
    frame = pairs().head(8)  # no dev pairs, so the last epoch is kept
    untrained = Labeler.untrained(frame, config=config, rubric=RUBRIC).grader
    if config.architecture == "cross_encoder":
        assert isinstance(untrained, CrossEncoder), "a published reranker keeps its head"
    trained_scores: list[NDArray] = []

    def spy(scores: NDArray, *more: Any) -> Any:
        trained_scores.append(scores)
        return calibrate(scores, *more)

    monkeypatch.setattr(train, "calibrate", spy)
    train_student(frame, config=config, rubric=RUBRIC, folder=tmp_path / "s")
    labeler = Labeler.load(tmp_path / "s")
    scores = labeler.grader.scores(frame)
    assert scores == pytest.approx(trained_scores[0], abs=1e-5)
    assert np.abs(scores - untrained.scores(frame)).max() > 1e-3
    assert labeler.grade(frame)["grade"].null_count() == 0


@pytest.mark.parametrize("name", ["bge-reranker-v2-m3", "mxbai-rerank-v1", "modernbert"])
def test_a_text_above_a_models_limit_is_cut_to_it(tmp_path: Path, name: str) -> None:
    grader = CrossEncoder.load(save_base(tmp_path, name, room=66), 512, "fp32")
    # XLM-R numbers positions from after the padding token's id, which is 0 here.
    assert grader.max_length == (65 if name.startswith("bge") else 66)
    assert np.isfinite(grader.scores(pairs(words=200))).all()
