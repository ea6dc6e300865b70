"""Precision: the choice for each machine, and a training step in bf16 beside one in fp32."""

from pathlib import Path
from typing import Any

import pytest
import torch

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student.cross_encoder import CrossEncoder
from relabel_assets.student.decoder import learner as decoder_learner
from relabel_assets.student.runtime.precision import InferenceCopy, dtype_of, mixed_precision
from relabel_assets.student.training.fit import GradedQuery, Learner
from relabel_assets_tests.student.tiny_models import SIZES, pairs, save_decoder, save_encoder

pytestmark = pytest.mark.slow


def learner(kind: str, base: Path, precision: str) -> Learner:
    settings: dict[str, Any] = {
        "base_model": str(base),
        "precision": precision,
        "method": "full",
        "max_length": 64,
    }
    if kind == "decoder":
        config = StudentConfig(architecture="decoder", **settings)
        return decoder_learner.DigitLearner.start(config, default_rubric(), pairs())
    config = StudentConfig(architecture="cross_encoder", **settings)
    torch.manual_seed(1)  # of the fresh head
    return CrossEncoder.to_train(config).learner(config, pairs(), 4)


def step(learner: Learner) -> tuple[float, torch.Tensor]:
    """The loss and all gradients, (weights,), of one step over two queries."""
    batch = [
        GradedQuery(text, doc_ids, torch.tensor(grades, dtype=torch.float32))
        for text, doc_ids, grades in pairs()
        .group_by("text", maintain_order=True)
        .agg("doc_id", "grade")
        .iter_rows()
    ][:2]
    learner.groups()
    loss = learner.loss(batch)
    loss.backward()
    learned = [p for p in learner.module.parameters() if p.grad is not None]
    gradients = [p.grad for p in learned if p.grad is not None]
    assert {weights.dtype for weights in [*learned, *gradients]} == {torch.float32}
    return loss.item(), torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize(
    ("kind", "base"), [("cross_encoder", "bert"), ("cross_encoder", "modernbert"),
                       ("decoder", "qwen"), ("decoder", "phi3")],
)  # fmt: skip
def test_a_training_step_in_bf16_has_nearly_the_gradients_of_fp32(
    tmp_path: Path, kind: str, base: str
) -> None:
    folder = save_decoder(tmp_path, base) if kind == "decoder" else save_encoder(tmp_path, base)
    loss, exact = step(learner(kind, folder, "fp32"))
    rounded_loss, rounded = step(learner(kind, folder, "bf16"))
    assert rounded_loss == pytest.approx(loss, rel=0.02)
    assert torch.nn.functional.cosine_similarity(exact, rounded, dim=0).item() > 0.98
    assert not torch.equal(exact, rounded)


def test_activation_checkpointing_computes_layers_of_documents_twice_and_gives_the_same_gradients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, gradients, n_calls = save_decoder(tmp_path, "llama"), [], []
    for large in (decoder_learner.CHECKPOINT_FROM, 0):
        monkeypatch.setattr(decoder_learner, "CHECKPOINT_FROM", large)
        learns: Any = learner("decoder", folder, "bf16")
        calls: list[int] = []
        learns.grader.model.model.layers[0].mlp.register_forward_pre_hook(
            lambda *args, calls=calls: calls.append(1)
        )
        gradients.append(step(learns)[1])
        n_calls.append(len(calls))
    assert n_calls == [2, 3]  # the shared beginning once, the documents once or twice
    assert torch.equal(*gradients)


def test_mixed_precision_casts_products_only_and_ends_after_an_interrupt() -> None:
    linear, vectors = torch.nn.Linear(4, 4), torch.ones(2, 4)
    with mixed_precision(torch.float32):
        assert linear(vectors).dtype == torch.float32
    with pytest.raises(KeyboardInterrupt), mixed_precision(torch.bfloat16):
        assert linear(vectors).dtype == torch.bfloat16
        assert linear.weight.dtype == torch.float32
        raise KeyboardInterrupt
    assert linear(vectors).dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")
    assert not torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    assert torch.backends.cuda.flash_sdp_enabled()


def on_a_cpu(
    monkeypatch: pytest.MonkeyPatch, *, amx: bool = False, avx512_bf16: bool = False
) -> None:
    """Pretend that this machine has no GPU, and a CPU with these instructions."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)


@pytest.mark.parametrize(
    ("amx", "avx512_bf16", "expected"),
    [
        (False, False, torch.float32),
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
    ],
)
def test_auto_is_bf16_only_on_a_cpu_with_bf16_instructions(
    monkeypatch: pytest.MonkeyPatch, amx: bool, avx512_bf16: bool, expected: torch.dtype
) -> None:
    on_a_cpu(monkeypatch, amx=amx, avx512_bf16=avx512_bf16)
    assert dtype_of("auto") == expected


@pytest.mark.parametrize("in_hardware", [True, False])
def test_auto_is_bf16_only_on_a_gpu_with_bf16_hardware(
    monkeypatch: pytest.MonkeyPatch, in_hardware: bool
) -> None:
    on_a_cpu(monkeypatch, amx=not in_hardware)  # the CPU does not matter beside a GPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    emulation_flags: list[bool] = []

    def is_supported(including_emulation: bool = True) -> bool:
        emulation_flags.append(including_emulation)
        return in_hardware

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert dtype_of("auto") == (torch.bfloat16 if in_hardware else torch.float32)
    assert emulation_flags == [False]


def test_a_named_precision_holds_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_cpu(monkeypatch)
    assert dtype_of("bf16") == torch.bfloat16
    on_a_cpu(monkeypatch, amx=True)
    assert dtype_of("fp32") == torch.float32


def test_torch_still_has_the_cpu_feature_queries() -> None:
    assert isinstance(torch.cpu._is_amx_tile_supported(), bool)
    assert isinstance(torch.cpu._is_avx512_bf16_supported(), bool)


def test_a_bf16_inference_copy_is_reused_until_the_weights_change() -> None:
    from transformers import LlamaConfig, LlamaModel

    model = LlamaModel(LlamaConfig(vocab_size=9, **SIZES)).eval()
    copy_of = InferenceCopy("bf16")
    first = copy_of(model)
    assert {p.dtype for p in first.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {b.dtype for b in first.buffers()} == {torch.float32}, (
        "rotary frequencies are not rounded"
    )
    assert copy_of(model) is first
    with torch.no_grad():
        next(model.parameters()).add_(1.0)  # as an optimizer does
    assert copy_of(model) is not first
