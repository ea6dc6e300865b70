"""A step of training in bf16 beside the same step in fp32, on tiny random models of the real architectures."""

from pathlib import Path
from typing import Any

import pytest
import torch

from relabel_assets.corpus.config import StudentConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student.cross_encoder import CrossEncoder
from relabel_assets.student.decoder import decoder
from relabel_assets.student.fit import GradedQuery, Learner
from relabel_assets.student.runtime.precision import mixed_precision
from relabel_assets_tests.student.test_architectures import pairs, save_decoder, save_encoder


def learner(kind: str, base: Path, precision: str) -> Learner:
    given: dict[str, Any] = {"base_model": str(base), "precision": precision, "method": "full", "max_length": 64}
    if kind == "decoder":
        config = StudentConfig(architecture="decoder", **given)
        return decoder.Decoder.to_train(config, default_rubric()).learner(config, pairs(), 4)
    config = StudentConfig(architecture="cross_encoder", **given)
    torch.manual_seed(1)  # of the fresh head
    return CrossEncoder.to_train(config).learner(config, pairs(), 4)


def step(learner: Learner) -> tuple[float, torch.Tensor]:
    """The loss and all gradients, (weights,), of one step over two queries."""
    batch = [
        GradedQuery(text, doc_ids, torch.tensor(grades, dtype=torch.float32))
        for text, doc_ids, grades in pairs().group_by("text", maintain_order=True).agg("doc_id", "grade").iter_rows()
    ][:2]
    learner.groups()
    loss = learner.loss(batch)
    loss.backward()
    learned = [p for p in learner.module.parameters() if p.grad is not None]
    assert {p.dtype for p in learned} == {p.grad.dtype for p in learned} == {torch.float32}  # type: ignore[union-attr]
    return loss.item(), torch.cat([p.grad.flatten() for p in learned])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "base"), [("cross_encoder", "bert"), ("cross_encoder", "modernbert"),
                       ("decoder", "qwen"), ("decoder", "phi3")],
)  # fmt: skip
def test_a_step_in_bf16_goes_where_one_in_fp32_goes(tmp_path: Path, kind: str, base: str) -> None:
    folder = save_decoder(tmp_path, base) if kind == "decoder" else save_encoder(tmp_path, base)
    loss, exact = step(learner(kind, folder, "fp32"))
    rounded_loss, rounded = step(learner(kind, folder, "bf16"))
    assert rounded_loss == pytest.approx(loss, rel=0.02)
    assert torch.nn.functional.cosine_similarity(exact, rounded, dim=0).item() > 0.98
    assert not torch.equal(exact, rounded)


def test_activations_that_are_computed_twice_are_the_same_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, gradients, n_read = save_decoder(tmp_path, "llama"), [], []
    for large in (decoder.CHECKPOINT_FROM, 0):
        monkeypatch.setattr(decoder, "CHECKPOINT_FROM", large)
        learns: Any = learner("decoder", folder, "bf16")
        calls: list[int] = []
        learns.grader.model.model.layers[0].mlp.register_forward_pre_hook(lambda *given, calls=calls: calls.append(1))
        gradients.append(step(learns)[1])
        n_read.append(len(calls))
    assert n_read[1] == 2 * n_read[0]
    assert torch.equal(*gradients)


def test_products_alone_are_rounded_and_nothing_stays_set() -> None:
    linear, given = torch.nn.Linear(4, 4), torch.ones(2, 4)
    with mixed_precision(torch.float32):
        assert linear(given).dtype == torch.float32
    with pytest.raises(KeyboardInterrupt), mixed_precision(torch.bfloat16):
        assert linear(given).dtype == torch.bfloat16
        assert linear.weight.dtype == torch.float32
        raise KeyboardInterrupt
    assert linear(given).dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")
    assert not torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    assert torch.backends.cuda.flash_sdp_enabled()
