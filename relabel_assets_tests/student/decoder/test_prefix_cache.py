"""The prefix that prompts share: the same logits as whole prompts, for each kind of cache."""

import logging
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import MambaConfig, MambaForCausalLM

from relabel_assets.student.decoder import prefix_cache
from relabel_assets.student.decoder.prefix_cache import SharedPrefix
from relabel_assets_tests.student.decoder.random_decoders import (
    ATTENTION,
    DIGITS,
    PREFIX,
    WITH_STATES,
    decoder_model,
    grader_of,
    prompts,
)

pytestmark = pytest.mark.slow

LENGTHS = (3, 10, 25, 38)  # after the prefix: shorter and longer than a sliding window


def whole(model: Any, rows: list[dict[str, list[int]]]) -> Tensor:
    """The logits of the digits in plain transformers: a whole prompt at a time, without padding."""
    with torch.inference_mode():
        logits = [model(torch.tensor([row["input_ids"]])).logits[0, -1] for row in rows]
    return torch.stack(logits)[:, list(DIGITS)]


@pytest.mark.parametrize("name", [*ATTENTION, *WITH_STATES])
@torch.inference_mode()
def test_logits_after_a_shared_prefix_are_those_of_whole_prompts(name: str) -> None:
    model, rows = decoder_model(name), prompts(*LENGTHS)
    prefix = SharedPrefix.compute(model, PREFIX)
    assert prefix.begins([row["input_ids"] for row in rows])
    expected, grader = whole(model, rows), grader_of(model)
    assert expected.std() > 0.05, "the prompts have different answers"
    assert torch.allclose(grader.digit_logits(rows, prefix), expected, atol=1e-5)
    # The prefix is as it was: another batch of another size.
    assert torch.allclose(grader.digit_logits(rows[:2], prefix), expected[:2], atol=1e-5)


@pytest.mark.parametrize("name", ["llama", "gemma3", "falcon_h1"])
@torch.inference_mode()
def test_a_batch_with_a_shared_prefix_computes_only_what_follows_it(name: str) -> None:
    model, rows = decoder_model(name), prompts(5, 7)
    prefix = SharedPrefix.compute(model, PREFIX)
    widths: list[int] = []
    model.get_input_embeddings().register_forward_pre_hook(
        lambda module, inputs: widths.append(inputs[0].shape[1])
    )
    grader_of(model).digit_logits(rows, prefix)
    assert widths == [32 - len(PREFIX)]  # padded to 32 with the prefix


@torch.inference_mode()
def test_a_batch_with_a_prompt_that_begins_otherwise_is_computed_whole() -> None:
    model = decoder_model("llama")
    prefix = SharedPrefix.compute(model, PREFIX)
    other = {"input_ids": [9, *PREFIX[1:], 5, 6]}
    only_prefix = {"input_ids": PREFIX}
    for rows in ([*prompts(4), other], [*prompts(4), only_prefix]):
        assert not prefix.begins([row["input_ids"] for row in rows])
        logits = grader_of(model).digit_logits(rows, prefix)
        assert torch.allclose(logits, whole(model, rows), atol=1e-5)


@torch.inference_mode()
def test_a_prompt_whose_length_changes_all_positions_is_computed_whole() -> None:
    model = decoder_model("phi4")  # LongRoPE: other frequencies from 61 tokens on
    prefix = SharedPrefix.compute(model, PREFIX)
    at_limit, above = prompts(60 - len(PREFIX)), prompts(61 - len(PREFIX))
    assert prefix.begins([at_limit[0]["input_ids"]])
    assert not prefix.begins([above[0]["input_ids"]])
    for rows in (at_limit, above):
        logits = grader_of(model).digit_logits(rows, prefix)
        assert torch.allclose(logits, whole(model, rows), atol=1e-5)


@pytest.mark.parametrize("name", WITH_STATES)
def test_with_gradients_a_prefix_with_states_is_not_shared(name: str) -> None:
    model = decoder_model(name)
    assert SharedPrefix.compute(model, PREFIX).n_shared == 0
    with torch.inference_mode():
        assert SharedPrefix.compute(model, PREFIX).n_shared == len(PREFIX)


def test_a_model_without_keys_and_values_computes_whole_prompts_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    torch.manual_seed(1)
    config = MambaConfig(hidden_size=16, num_hidden_layers=2, state_size=4, vocab_size=64)
    model = MambaForCausalLM(config).eval()
    prefix_cache._say_not_shared.cache_clear()
    with torch.inference_mode(), caplog.at_level(logging.INFO, logger="relabel_assets.progress"):
        prefixes = [SharedPrefix.compute(model, PREFIX) for _ in range(2)]
        logits = grader_of(model).digit_logits(prompts(3, 9), prefixes[0])
    assert [prefix.n_shared for prefix in prefixes] == [0, 0]
    assert torch.allclose(logits, whole(model, prompts(3, 9)), atol=1e-5)
    said = [record.getMessage() for record in caplog.records if "shared" in record.getMessage()]
    assert [message.partition(" keeps")[0] for message in said] == ["MambaForCausalLM"]


@torch.inference_mode()
def test_without_a_common_beginning_nothing_is_shared() -> None:
    model = decoder_model("llama")
    prefix = SharedPrefix.compute(model, [])
    assert prefix.n_shared == 0
    logits = grader_of(model).digit_logits(prompts(3, 9), prefix)
    assert torch.allclose(logits, whole(model, prompts(3, 9)), atol=1e-5)
