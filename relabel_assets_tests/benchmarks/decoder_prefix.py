"""Pairs per second of a decoder that reads a prompt's beginning once, and of one that reads it each time.

    python -m relabel_assets_tests.benchmarks.decoder_prefix              # 17 million weights: minutes
    python -m relabel_assets_tests.benchmarks.decoder_prefix --size 270m --pairs 16 --rounds 1

The model has Gemma 3's architecture and random weights: five sliding windows to each whole attention.
Speed does not depend on the weights. The rival is `whole prompts`: the same code with the same weights
and batches of as many computed tokens, which reads the whole prompt for every pair. The two take turns,
and a figure is the median of the rounds. A step of training is the loss of two queries with all their
documents and its gradients; full training in fp32, or bf16 where the machine multiplies it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import polars as pl
import torch
from transformers import AutoTokenizer, Gemma3ForCausalLM, Gemma3TextConfig

from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student.base import base_path
from relabel_assets.student.decoder.decoder import Decoder
from relabel_assets.student.decoder.learner import DigitLearner
from relabel_assets.student.decoder.prefix_cache import SharedPrefix
from relabel_assets.student.decoder.prompt import student_prompt
from relabel_assets.student.training.fit import graded_queries
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "head_dim": 32},
    "small": {
        "hidden_size": 256,
        "intermediate_size": 1024,
        "num_hidden_layers": 6,
        "head_dim": 64,
    },
    "270m": {  # Gemma 3 270M, whose 262,144 tokens of vocabulary are the tokenizer's 30,522 here
        "hidden_size": 640,
        "intermediate_size": 2048,
        "num_hidden_layers": 18,
        "head_dim": 256,
    },
}
WINDOW = 512  # tokens: Gemma's, less than rubric and document together
QUERIES_PER_STEP = 2


class WholePrompts(Decoder):
    """The rival: it shares nothing."""

    def shared_prefix(self, model: object) -> SharedPrefix:
        return SharedPrefix(model, (), None)


def save_model(folder: str, size: str) -> int:
    """Save the model and MiniLM's tokenizer; return its number of weights."""
    words = AutoTokenizer.from_pretrained(base_path("embedded"))
    torch.manual_seed(13)
    config = Gemma3TextConfig(
        **SIZES[size],
        vocab_size=len(words),
        num_attention_heads=4,
        num_key_value_heads=1,
        sliding_window=WINDOW,
        max_position_embeddings=4096,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.cls_token_id,
        eos_token_id=words.sep_token_id,
    )
    model = Gemma3ForCausalLM(config)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return sum(weights.numel() for weights in model.parameters())


def graded_pairs(n: int, document_tokens: int) -> pl.DataFrame:
    """`n` pairs of two queries, each with a document of its own of about so many tokens."""
    rows = [
        {
            "query_id": f"q{row % QUERIES_PER_STEP}",
            "text": f"who may take leave number {row % QUERIES_PER_STEP}",
            "doc_id": f"d{row}",
            "body": f"rules about leave {row} " * (document_tokens // 4),
            "grade": row // QUERIES_PER_STEP % 4,
        }
        for row in range(n)
    ]
    absent = [pl.lit(None, pl.String).alias(name) for name in DOCUMENT_COLUMNS if name != "body"]
    return pl.DataFrame(rows).with_columns(absent)


def pairs_a_second(work: Callable[[], object], n: int) -> float:
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return n / (time.perf_counter() - started)


def medians(ours: Callable[[], object], rival: Callable[[], object], n: int, rounds: int) -> str:
    """Both rates and their ratio, after one round that warms up."""
    rates = [(pairs_a_second(ours, n), pairs_a_second(rival, n)) for _ in range(rounds + 1)][1:]
    shared, whole = (statistics.median(side) for side in zip(*rates, strict=True))
    return (
        f"{shared:8.1f} pairs/s shared {whole:8.1f} pairs/s whole prompts   {shared / whole:.2f}x"
    )


def step(learner: DigitLearner, frame: pl.DataFrame) -> torch.Tensor:
    """The loss of a step with its gradients, which replace those of before."""
    learner.grader.model.zero_grad()
    loss = learner.loss(graded_queries(frame))
    loss.backward()
    return loss.detach()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--document-tokens", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rubric, frame = default_rubric(), graded_pairs(arguments.pairs, arguments.document_tokens)
    for name in ("rubric", "short"):
        with tempfile.TemporaryDirectory() as folder:
            n_weights = save_model(folder, arguments.size)
            prompt = student_prompt(rubric, name)
            graders = [
                kind.load(folder, 512, prompt, rubric.n_grades, trains=True)
                for kind in (Decoder, WholePrompts)
            ]
        learners = [DigitLearner(grader, 1e-5, frame, rubric.n_grades) for grader in graders]
        lengths = [len(row["input_ids"]) for row in graders[0].tokenize(frame.to_dicts())]
        with torch.no_grad():
            n_shared = graders[0].shared_prefix(graders[0].model).n_shared
        losses = [float(step(learner, frame)) for learner in learners]
        scores = [grader.scores(frame) for grader in graders]
        print(
            f"prompt {name}: {n_weights / 1e6:.0f} million weights, {graders[0].inference.dtype}; "
            f"{sum(lengths) / len(lengths):.0f} tokens a pair, the first {n_shared} shared; "
            f"{torch.get_num_threads()} threads"
        )
        print(
            f"  the same: losses differ by {abs(losses[0] - losses[1]):.1e}, "
            f"scores by at most {abs(scores[0] - scores[1]).max():.1e}"
        )
        works = [
            ("grading ", [lambda grader=grader: grader.scores(frame) for grader in graders]),
            ("training", [lambda learner=learner: step(learner, frame) for learner in learners]),
        ]
        for kind, (ours, rival) in works:
            rates = medians(ours, rival, arguments.pairs, arguments.rounds)
            print(f"  {kind} {rates}", flush=True)


if __name__ == "__main__":
    main()
