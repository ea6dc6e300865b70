"""Throughput of late interaction on random weights of MiniLM's shape: documents encoded, pairs compared.

    python -m relabel_assets_tests.benchmarks.late_interaction_gpu            # on a GPU, in a minute
    python -m relabel_assets_tests.benchmarks.late_interaction_gpu --tiny     # the same code on a CPU

It needs nothing but torch and transformers. The code is the student's own: Encoder.encode and QueryScorer.
The rival is plain transformers in fp32, a padded batch of 64 texts at a time in the order given. Texts are
windows of 40 to 80 random words, each word one token. The share of the peak counts the linear layers.
"""

import argparse
import random
import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from relabel_assets.student.runtime.batches import device
from relabel_assets.student.runtime.precision import InferenceCopy
from relabel_assets_tests.benchmarks.decoder_gpu import matrix_peak, seconds

if find_spec("polars") is None:  # intake/one_input.py names one of its exceptions
    stand_in = ModuleType("polars")
    stand_in.exceptions = SimpleNamespace(PanicException=RuntimeError)  # type: ignore[attr-defined]
    sys.modules["polars"] = stand_in

from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets.student.runtime.encoder import Encoder

N_WORDS = 1000
BATCH = 64  # texts of the rival


def random_encoder(*, tiny: bool) -> Encoder:
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    words = special + [f"w{number}" for number in range(N_WORDS)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        unk_token="[UNK]",
    )  # fmt: skip
    torch.manual_seed(13)
    hidden, layers, heads = (64, 2, 2) if tiny else (384, 6, 12)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
    )
    model = BertModel(config).eval().to(device())
    return Encoder(model, fast, max_length=192, inference=InferenceCopy("auto"))


def random_texts(n: int, shortest: int, longest: int) -> list[str]:
    draw = random.Random(13)
    lengths = [draw.randint(shortest, longest) for _ in range(n)]
    return [" ".join(f"w{draw.randrange(N_WORDS)}" for _ in range(length)) for length in lengths]


@torch.inference_mode()
def plain(encoder: Encoder, texts: list[str]) -> list[torch.Tensor]:
    """The token vectors as a reader of transformers' documentation would compute them."""
    vectors = []
    for start in range(0, len(texts), BATCH):
        batch = encoder.tokenizer(texts[start : start + BATCH], padding=True, return_tensors="pt")
        hidden = encoder.model(**batch.to(device())).last_hidden_state
        unit = nn.functional.normalize(hidden, dim=-1).cpu()
        vectors += [
            row[mask.bool()][1:-1]
            for row, mask in zip(unit, batch["attention_mask"].cpu(), strict=True)
        ]
    return vectors


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true")
    tiny = parser.parse_args().tiny
    n_texts = 200 if tiny else 30_000
    encoder, texts = random_encoder(tiny=tiny), random_texts(n_texts, 40, 80)
    layers = [layer for layer in encoder.model.modules() if isinstance(layer, nn.Linear)]
    flops = 2 * sum(layer.weight.numel() for layer in layers)
    n_tokens = sum(len(text.split()) + 2 for text in texts)
    peak = matrix_peak(encoder.inference.dtype)
    print(
        f"late interaction in {encoder.inference.dtype} on {device()}: {n_tokens / n_texts:.0f} tokens a text"
    )
    documents: list[torch.Tensor] = []
    encoder.encode(texts[:BATCH])  # warms up, and makes the inference copy
    plain(encoder, texts[:BATCH])
    spent = seconds(lambda: documents.extend(encoder.encode(texts)))
    whole = seconds(lambda: plain(encoder, texts))
    share = n_tokens * flops / spent / peak
    print(f"encoding  {n_texts / spent:10.0f} texts/s, {share:.1%} of the peak")
    print(f"  plain transformers {n_texts / whole:10.0f} texts/s: {whole / spent:.2f}x")
    nearest = min(
        float((ours * theirs).sum(-1).min())
        for ours, theirs in zip(documents[:BATCH], plain(encoder, texts[:BATCH]), strict=True)
    )
    print(f"  cosine of a token's two vectors: at least {nearest:.4f}")
    scorer = QueryScorer(encoder)
    queries = scorer.encode_query_tokens(random_texts(20, 4, 8))
    with torch.inference_mode():
        spent = seconds(lambda: [scorer.scores(*query, documents) for query in queries])
    print(
        f"comparing {len(queries) * n_texts / spent:10.0f} pairs/s (on the CPU, as in the student)"
    )


if __name__ == "__main__":
    main()
