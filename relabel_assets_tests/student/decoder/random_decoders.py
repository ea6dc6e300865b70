"""Tiny decoders of random weights, one for each way in which transformers keeps a prompt's past.

What belongs here: the models, and a grader of token ids. What does not: assertions, and models with a
tokenizer in a folder (student/tiny_models.py).
"""

from types import SimpleNamespace
from typing import Any

import torch
from transformers import (
    FalconH1Config,
    FalconH1ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Gemma4ForCausalLM,
    Gemma4TextConfig,
    Lfm2Config,
    Lfm2ForCausalLM,
    Llama4ForCausalLM,
    Llama4TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3NextConfig,
    Qwen3NextForCausalLM,
)

from relabel_assets.prompts.prompt import checked_prompt
from relabel_assets.student.decoder.decoder import Decoder

WINDOW = 8  # tokens, of the sliding windows: less than PREFIX
PREFIX = list(range(1, 21))
VOCABULARY = 64
DIGITS = (40, 41, 42, 43)
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_ALTERNATING = ["sliding_attention", "full_attention"] * 2
_GEMMA = {"head_dim": 16, "sliding_window": WINDOW, "layer_types": _ALTERNATING}
_LONG_ROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0] * 6,
    "long_factor": [4.0] * 6,
    "partial_rotary_factor": 0.75,
    "rope_theta": 10000.0,
}
_LINEAR = {
    "linear_num_value_heads": 2,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "num_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
_MAMBA = {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8}
# Layers of keys and values alone, whole or of a sliding window.
ATTENTION: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "qwen2": (
        Qwen2Config,
        Qwen2ForCausalLM,
        {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 2},
    ),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 16}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": WINDOW}),
    "phi3": (Phi3Config, Phi3ForCausalLM, {"sliding_window": WINDOW}),
    "phi4": (
        Phi3Config,
        Phi3ForCausalLM,
        {"rope_parameters": _LONG_ROPE, "original_max_position_embeddings": 60},
    ),
    "gemma3": (Gemma3TextConfig, Gemma3ForCausalLM, _GEMMA | {"final_logit_softcapping": 2.0}),
    "gemma4": (
        Gemma4TextConfig,
        Gemma4ForCausalLM,
        _GEMMA
        | {
            "num_kv_shared_layers": 2,
            "global_head_dim": 16,
            "vocab_size_per_layer_input": VOCABULARY,
            "hidden_size_per_layer_input": 8,
        },
    ),
    "llama4": (
        Llama4TextConfig,
        Llama4ForCausalLM,
        {
            "head_dim": 16,
            "attention_chunk_size": WINDOW,
            "num_local_experts": 2,
            "intermediate_size_mlp": 48,
        },
    ),
}
# Layers with a state, beside keys and values or instead of them.
WITH_STATES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "lfm2": (Lfm2Config, Lfm2ForCausalLM, {"layer_types": ["conv", "full_attention"] * 2}),
    "qwen3_next": (
        Qwen3NextConfig,
        Qwen3NextForCausalLM,
        _LINEAR | {"head_dim": 16, "layer_types": ["linear_attention", "full_attention"] * 2},
    ),
    "falcon_h1": (FalconH1Config, FalconH1ForCausalLM, _MAMBA | {"mamba_chunk_size": 16}),
}


def decoder_model(name: str) -> Any:
    """The model of that name, with weights that are large enough for its answers to differ."""
    config, model, more = (ATTENTION | WITH_STATES)[name]
    torch.manual_seed(1)
    made = model(config(**_SIZES | more)).eval()
    for weights in made.parameters():
        if weights.dim() > 1:
            weights.data.mul_(4)
    return made


def grader_of(model: Any) -> Decoder:
    """The grader of a model, for token ids alone: its tokenizer only pads."""
    prompt = checked_prompt(
        "", "{{query}} {{document}}", file="", required=set(), allowed={"query", "document"}
    )
    return Decoder(model, SimpleNamespace(pad_token_id=0), 64, prompt, DIGITS)


def prompts(*lengths: int) -> list[dict[str, list[int]]]:
    """Token rows that begin with PREFIX and go on for so many tokens."""
    draw = torch.Generator().manual_seed(13)
    return [
        {"input_ids": PREFIX + torch.randint(1, VOCABULARY, (n,), generator=draw).tolist()}
        for n in lengths
    ]
