"""Tiny models with random weights of the real architectures, and pairs to train them on.

What belongs here: models, tokenizers and pairs. What does not: assertions.
"""

from pathlib import Path
from typing import Any

import polars as pl
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertModel,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student.decoder.prompt import student_prompt

RUBRIC = default_rubric()
SUBJECTS = ("parental leave", "travel expenses", "laptop repair", "visitor badges")
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
DECODERS = {
    "qwen": (Qwen3Config, Qwen3ForCausalLM, {"num_key_value_heads": 1, "head_dim": 16}),
    "llama": (LlamaConfig, LlamaForCausalLM, {"num_key_value_heads": 1}),
    "phi3": (Phi3Config, Phi3ForCausalLM, {"num_key_value_heads": 2}),
}
ENCODERS = {"bert": (BertConfig, BertModel), "modernbert": (ModernBertConfig, ModernBertModel)}


def pairs(words: int = 12) -> pl.DataFrame:
    no_metadata = dict.fromkeys(("author", "path", "updated_at", "doc_type"))
    rows = [
        {
            "query_id": f"q{q}",
            "doc_id": f"d{d}",
            "grade": 3 if q == d else (q + d) % 2,
            "expected_grade": None,
            "text": f"{query} rules",
            "title": document,
            "body": f"All about {document}. " * (words * (d + 1) // 4),
            **no_metadata,
            "split": "dev" if q == 3 else "train",
        }
        for q, query in enumerate(SUBJECTS)
        for d, document in enumerate(SUBJECTS)
    ]
    return pl.DataFrame(
        rows,
        schema_overrides=dict.fromkeys(("author", "path", "updated_at", "doc_type"), pl.String),
    )


def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """Byte-level BPE, learned from the rubric and the pairs, with the special tokens of `kind`."""
    special = {
        "pad_token": "<pad>",
        "eos_token": "<eos>",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    texts = [*pairs()["body"], student_prompt(RUBRIC).system]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=500, special_tokens=list(special.values()), initial_alphabet=alphabet
        ),
    )
    if kind == "encoder":
        ends = [("[CLS]", bpe.token_to_id("[CLS]")), ("[SEP]", bpe.token_to_id("[SEP]"))]
        bpe.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ends
        )
    wanted = (
        {"pad_token", "eos_token"}
        if kind == "decoder"
        else {"pad_token", "cls_token", "sep_token", "mask_token"}
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe, **{name: token for name, token in special.items() if name in wanted}
    )
    if kind == "encoder":
        fast.model_input_names = ["input_ids", "attention_mask"]
    return fast


def save_decoder(folder: Path, name: str, *, template: bool = False, window: int = 4096) -> Path:
    config, model, more = DECODERS[name]
    words = tokenizer("decoder")
    if template:
        words.chat_template = (
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>{% endfor %}"
            "{% if add_generation_prompt %}<assistant>{% endif %}"
        )
    torch.manual_seed(1)
    ids = {
        "pad_token_id": words.pad_token_id,
        "eos_token_id": words.eos_token_id,
        "bos_token_id": words.eos_token_id,
    }
    model(
        config(vocab_size=len(words), max_position_embeddings=window, **SIZES, **more, **ids)
    ).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def save_encoder(folder: Path, name: str, room: int = 512) -> Path:
    config, model = ENCODERS[name]
    words = tokenizer("encoder")
    torch.manual_seed(1)
    ids = {
        "pad_token_id": words.pad_token_id,
        "cls_token_id": words.cls_token_id,
        "sep_token_id": words.sep_token_id,
    }
    if name == "modernbert":
        ids |= {"bos_token_id": words.cls_token_id, "eos_token_id": words.sep_token_id}
    model(
        config(vocab_size=len(words), max_position_embeddings=room, **SIZES, **ids)
    ).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
