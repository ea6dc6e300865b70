"""Throughput of a decoder of 3.8 billion random weights (Phi-3.5 mini's shape), as a share of the bf16 peak.

    python -m relabel_assets_tests.benchmarks.decoder_gpu            # on a GPU with 40 GB, in minutes
    python -m relabel_assets_tests.benchmarks.decoder_gpu --tiny     # the same code on a CPU, in seconds

It needs nothing but torch and transformers; with peft, adapters are trained, else all weights. The code is
the student's own: shared prefix, batches by length, logits of four tokens, checkpointed activations.
Prompts are random token ids: 450 that all begin with, as the rubric, and 500 of query and document.

Grading is measured twice, each on prompts of its own: with a shared prefix, and reading whole prompts, the
rival. Training is one step: the loss of 32 pairs and its gradients, without the optimizer. Shares count the
floating point operations of the linear layers over the tokens that went through the model, three times in
training (forward, and two products backward; the recomputation is not counted). Padding and attention do
not count. The peak is that of a large matrix product, measured first.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Phi3Config, Phi3ForCausalLM
from transformers.modeling_layers import GradientCheckpointingLayer

from relabel_assets.student.decoder.checkpointing import checkpoint_activations
from relabel_assets.student.decoder.next_token import next_token_logits
from relabel_assets.student.decoder.prefix_cache import SharedPrefix
from relabel_assets.student.runtime.batches import batches_by_length, device, max_batch_tokens
from relabel_assets.student.runtime.precision import mixed_precision

DIGITS = (10, 11, 12, 13)
PAIRS_A_STEP, ROWS_PER_FORWARD = 32, 8  # as in student/pair_reader.py


@dataclass(frozen=True)
class Size:
    """The model's sizes, tokens of the prefix and of what follows it, and pairs to grade."""

    model: dict[str, int]
    prefix: int = 450
    tail: int = 500
    pairs: int = 1000


MINI = Size(
    {
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "vocab_size": 32064,
    }
)
TINY = Size(
    {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": 1000,
    },
    prefix=64,
    tail=48,
    pairs=24,
)


def matrix_peak(dtype: torch.dtype) -> float:
    """The rate of a large matrix product on this machine, in floating point operations a second."""
    size = 8192 if torch.cuda.is_available() else 1024
    a = torch.rand(size, size, device=device()).to(dtype)
    return max(2 * size**3 / seconds(lambda: a @ a) for _ in range(6))


def seconds(work: Callable[[], object]) -> float:
    """The time of `work`, with that of the GPU."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    started = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - started


def random_model(size: Size) -> Any:
    """The model in bf16 on the device, without a copy on the CPU."""
    config = Phi3Config(
        **size.model,  # type: ignore[arg-type]
        max_position_embeddings=4096,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(13)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device()):
            return Phi3ForCausalLM(config).eval()
    finally:
        torch.set_default_dtype(torch.float32)


def flops_a_token(model: Any) -> int:
    """Of the linear layers without the last, which computes four tokens."""
    layers = [layer for layer in model.model.modules() if isinstance(layer, nn.Linear)]
    return 2 * sum(layer.weight.numel() for layer in layers)


def random_prompts(n: int, size: Size, seed: int) -> tuple[list[int], list[list[int]]]:
    """The prefix, and `n` prompts that begin with it."""
    draw, vocabulary = torch.Generator().manual_seed(seed), size.model["vocab_size"]
    prefix = torch.randint(14, vocabulary, (size.prefix,), generator=draw).tolist()
    tails = torch.randint(14, vocabulary, (n, size.tail), generator=draw).tolist()
    return prefix, [prefix + tail for tail in tails]


@torch.inference_mode()
def grade(model: Any, size: Size, seed: int, *, shared: bool) -> Callable[[], Tensor]:
    """A function that grades `size.pairs` prompts, as Decoder.scores does with token ids."""
    first, prompts = random_prompts(size.pairs, size, seed)

    @torch.inference_mode()
    def graded() -> Tensor:
        prefix = SharedPrefix.compute(model, first) if shared else None
        n_shared = prefix.n_shared if prefix else 0
        lengths = [len(prompt) - n_shared for prompt in prompts]
        logits = torch.empty(len(prompts), len(DIGITS))
        for rows in batches_by_length(lengths, max_batch_tokens()):
            batch = [prompts[row] for row in rows]
            logits[rows] = next_token_logits(
                model, batch, DIGITS, pad=0, max_width=4096, prefix=prefix
            )
        return logits

    return graded


def with_adapters(model: Any) -> Any:
    """The model with LoRA where peft is installed, else the model itself."""
    if find_spec("peft") is None:
        return model
    from peft import LoraConfig, get_peft_model

    return get_peft_model(
        model, LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
    )


def step(model: Any, size: Size, *, shared: bool) -> Callable[[], None]:
    """A function that computes the gradients of one step, as DigitLearner.loss does with token ids."""
    first, prompts = random_prompts(PAIRS_A_STEP, size, seed=3)
    grades = torch.arange(PAIRS_A_STEP) % len(DIGITS)
    starts = range(0, PAIRS_A_STEP, ROWS_PER_FORWARD)

    def work() -> None:
        model.zero_grad()
        with mixed_precision(torch.bfloat16):
            model.eval()
            prefix = SharedPrefix.compute(model, first) if shared else None
            model.train()
            logits = [
                next_token_logits(
                    model, prompts[start : start + ROWS_PER_FORWARD], DIGITS,
                    pad=0, max_width=4096, prefix=prefix,
                )
                for start in starts
            ]  # fmt: skip
        nn.functional.cross_entropy(torch.cat(logits), grades).backward()

    return work


def report(kind: str, n: int, tokens: int, spent: float, flops: float, peak: float) -> float:
    print(
        f"{kind:28} {n / spent:9.1f} pairs/s {60 * n / spent:9.0f} a minute "
        f"{tokens * flops / spent / peak:7.1%} of the peak",
        flush=True,
    )
    return n / spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true")
    size = TINY if parser.parse_args().tiny else MINI
    model, peak = random_model(size), matrix_peak(torch.bfloat16)
    flops, name = flops_a_token(model), device().type
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else name
    n_weights = sum(weights.numel() for weights in model.parameters())
    print(f"{n_weights / 1e9:.2f} billion weights in bf16 on {name}, torch {torch.__version__}")
    print(f"peak {peak / 1e12:.1f} TFLOP/s; prompts of {size.prefix} + {size.tail} tokens")
    n_shared = size.prefix + size.pairs * size.tail
    n_whole = size.pairs * (size.prefix + size.tail)
    rates = []
    for shared, n_tokens in ((True, n_shared), (False, n_whole)):
        grade(model, size, 1, shared=shared)()  # warms up
        spent = seconds(grade(model, size, 2, shared=shared))
        kind = "grading, shared prefix" if shared else "grading, whole prompts"
        rates.append(report(kind, size.pairs, n_tokens, spent, flops, peak))
    print(f"  shared over whole: {rates[0] / rates[1]:.2f}x")
    with torch.inference_mode():
        both = [grade(model, size, 2, shared=shared)().softmax(-1) for shared in (True, False)]
    print(f"  probabilities differ by at most {(both[0] - both[1]).abs().max():.1e} (bf16)")
    trained = with_adapters(model)
    checkpoint_activations(trained, torch.bfloat16)
    # Older versions of transformers take the prefix away from a checkpointed layer.
    ways = (
        (True, False)
        if hasattr(GradientCheckpointingLayer, "_can_checkpoint_with_cache")
        else (False,)
    )
    kind = "LoRA" if trained is not model else "all weights"
    for shared in ways:
        work = step(trained, size, shared=shared)
        work()
        n_tokens = PAIRS_A_STEP * size.tail + size.prefix * (1 if shared else PAIRS_A_STEP)
        way = "shared prefix" if shared else "whole prompts"
        report(
            f"training {kind}, {way}"[:28], PAIRS_A_STEP, 3 * n_tokens, seconds(work), flops, peak
        )
    if torch.cuda.is_available():
        print(f"most memory {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
