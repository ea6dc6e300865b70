"""Throughput of a decoder student of Phi-3.5-mini's shape, as a share of the bf16 peak.

    python -m relabel_assets_tests.benchmarks.decoder_gpu 2000            # on a GPU with 24 GB or more
    python -m relabel_assets_tests.benchmarks.decoder_gpu 20 --tiny       # the same code on a CPU, in seconds

The path is Decoder.scores, as `relabel label` takes it: prompts are tokenized, the rubric's keys
and values are lent to every batch. The share counts the floating point operations of the linear
layers over the tokens that went through the model: the rubric counts once, padding and attention do
not count. A second share is of whole prompts, as if each had paid for its rubric.
"""

import argparse
import tempfile
import time

import polars as pl
import torch
from transformers import AutoTokenizer, Phi3Config, Phi3ForCausalLM

from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student.base import base_path
from relabel_assets.student.decoder.decoder import Decoder
from relabel_assets.student.decoder.prompt import student_prompt
from relabel_assets.student.runtime.batches import device
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS
from relabel_assets_tests.benchmarks.labeling import Work, matrix_peak, reading

TOKENS = 500
TINY = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
MINI = {
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
}


def pairs(n: int) -> pl.DataFrame:
    """`n` pairs, each with a document of its own that fills max_length."""
    rows = [
        {"text": f"who may take leave number {row}", "body": f"rules about leave {row} " * TOKENS}
        for row in range(n)
    ]
    absent = [pl.lit(None, pl.String).alias(name) for name in DOCUMENT_COLUMNS if name != "body"]
    return pl.DataFrame(rows).with_columns(absent)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=int)
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    words = AutoTokenizer.from_pretrained(base_path("embedded"))
    config = Phi3Config(
        **(TINY if arguments.tiny else MINI),
        vocab_size=len(words),
        max_position_embeddings=4096,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.cls_token_id,
        eos_token_id=words.sep_token_id,
    )
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(13)
        Phi3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
        words.save_pretrained(folder)
        decoder = Decoder.load(folder, TOKENS, student_prompt(default_rubric()), 4)
    _, model = reading(decoder)
    dtype = next(model.parameters()).dtype
    peak = matrix_peak(dtype)
    decoder.scores(pairs(min(arguments.pairs, 64)))
    frame = pairs(arguments.pairs)
    lengths = [len(row["input_ids"]) for row in decoder.tokenize(frame.to_dicts())]
    with Work(decoder) as work:
        started = time.perf_counter()
        decoder.scores(frame)
        seconds = time.perf_counter() - started
    rate = work.flops_a_token / seconds / 1e9 / peak
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e9:.2f} billion parameters in {dtype} on "
        f"{device()}, matrix peak {peak:.0f} GFLOP/s"
    )
    print(
        f"{arguments.pairs} pairs of {sum(lengths) / len(lengths):.0f} tokens, "
        f"{work.tokens / arguments.pairs:.0f} of them computed: "
        f"{arguments.pairs / seconds:.1f} pairs/s, {60 * arguments.pairs / seconds:.0f} a minute"
    )
    print(
        f"share of the peak: {work.tokens * rate:.1%} of what was computed, "
        f"{sum(lengths) * rate:.1%} of whole prompts"
    )
    if torch.cuda.is_available():
        print(f"peak memory {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
