"""The prefix that a step's prompts share in training: the same gradients as whole prompts."""

from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.student.decoder.checkpointing import checkpoint_activations
from relabel_assets.student.decoder.decoder import Decoder
from relabel_assets.student.decoder.learner import DigitLearner
from relabel_assets.student.decoder.prefix_cache import SharedPrefix
from relabel_assets.student.runtime.precision import mixed_precision
from relabel_assets.student.training.fit import graded_queries, with_lora
from relabel_assets_tests.student.decoder.random_decoders import (
    ATTENTION,
    PREFIX,
    decoder_model,
    grader_of,
    prompts,
)
from relabel_assets_tests.student.tiny_models import RUBRIC, pairs, save_decoder

pytestmark = pytest.mark.slow

BATCHES = (prompts(3, 10), prompts(25))


def gradients(model: Any, *, shared: bool, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """The gradients of a loss over two batches, by the name of the weights."""
    grader = grader_of(model)
    model.zero_grad()
    with mixed_precision(dtype):
        model.eval()
        prefix = SharedPrefix.compute(model, PREFIX) if shared else None
        assert prefix is None or prefix.n_shared == len(PREFIX)
        model.train(model.is_activation_checkpointing)
        logits = torch.cat([grader.digit_logits(rows, prefix) for rows in BATCHES])
    torch.log_softmax(logits, dim=-1)[:, 2].sum().backward()
    return {
        name: weights.grad.clone()
        for name, weights in model.named_parameters()
        if weights.grad is not None
    }


def assert_equal(shared: dict[str, Tensor], plain: dict[str, Tensor], share: float) -> None:
    """Gradients differ by at most `share` of the largest one of their weights."""
    assert shared.keys() == plain.keys()
    assert max(float(grad.abs().max()) for grad in plain.values()) > 0.01
    for name, grad in plain.items():
        difference = float((shared[name] - grad).abs().max())
        assert difference <= share * max(float(grad.abs().max()), 1e-3), name


@pytest.mark.parametrize("name", ATTENTION)
def test_gradients_through_a_shared_prefix_are_those_of_whole_prompts(name: str) -> None:
    model = decoder_model(name)
    plain = gradients(model, shared=False)
    assert_equal(gradients(model, shared=True), plain, 1e-3)


@pytest.mark.parametrize("name", ["llama", "gemma3"])
@pytest.mark.parametrize("adapted", [True, False])
@pytest.mark.parametrize("checkpointed", [True, False])
def test_adapters_and_checkpointing_keep_the_gradients(
    name: str, adapted: bool, checkpointed: bool
) -> None:
    model = decoder_model(name)
    if adapted:
        model = with_lora(model, rank=2, task="CAUSAL_LM")
        for part, weights in model.named_parameters():
            if "lora_B" in part:  # zero at first, which would leave lora_A without gradients
                torch.nn.init.normal_(weights, std=0.3)
    plain = gradients(model, shared=False)
    if checkpointed:
        checkpoint_activations(model, torch.float32)
    assert_equal(gradients(model, shared=True), plain, 1e-3)
    assert all(("lora" in part) == adapted for part in plain)


@pytest.mark.parametrize("checkpointed", [True, False])
def test_gradients_in_bf16_are_near_those_in_fp32(checkpointed: bool) -> None:
    model = decoder_model("gemma3")
    exact = gradients(model, shared=False)
    plain = gradients(model, shared=False, dtype=torch.bfloat16)
    if checkpointed:
        checkpoint_activations(model, torch.bfloat16)
    shared = gradients(model, shared=True, dtype=torch.bfloat16)

    def error(grads: dict[str, Tensor]) -> float:
        ends = [torch.cat([grad.flatten() for grad in some.values()]) for some in (grads, exact)]
        return float((ends[0] - ends[1]).norm() / ends[1].norm())

    assert error(shared) < 2 * error(plain) + 0.01


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_step_reads_the_rubric_once(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, checkpoint: bool
) -> None:
    if checkpoint:
        monkeypatch.setattr("relabel_assets.student.decoder.learner.CHECKPOINT_FROM", 0)
    base = str(save_decoder(tmp_path, "qwen"))
    config = StudentConfig(
        base_model=base, architecture="decoder", max_length=48, precision="fp32", method="full"
    )
    frame = pairs().filter(pl.col("split") == "train")
    learner = DigitLearner.start(config, RUBRIC, frame)
    queries = graded_queries(frame)[:2]
    rows = [row for query in queries for row in learner.token_rows(query)]
    with torch.no_grad():
        n_rubric = learner.grader.shared_prefix(learner.grader.model).n_shared
    sizes: list[int] = []
    model = learner.grader.model
    model.get_input_embeddings().register_forward_pre_hook(
        lambda module, inputs: sizes.append(inputs[0].numel())
    )
    loss = learner.loss(queries)
    loss.backward()
    assert sizes[0] == n_rubric > 300
    n_tails = sum(len(row["input_ids"]) - n_rubric for row in rows)
    assert n_tails <= sum(sizes[1:]) <= 1.5 * n_tails, "beside padding, only what follows it"
    trained = [named for named in model.named_parameters() if named[1].requires_grad]
    shared = {name: weights.grad.clone() for name, weights in trained}
    # The same step without sharing.
    model.zero_grad()
    monkeypatch.setattr(Decoder, "shared_prefix", lambda grader, model: None)
    plain_loss = learner.loss(queries)
    plain_loss.backward()
    assert loss.item() == pytest.approx(plain_loss.item(), abs=1e-5)
    assert_equal(shared, {name: weights.grad for name, weights in trained}, 1e-3)
