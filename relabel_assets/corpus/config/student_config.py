"""The section `student` of a corpus.yaml: the model that is trained, its presets and its training.

What belongs here: these settings, their defaults and bounds. What does not: how they are used
(student/), and the other sections (config.py, teacher_config.py).
"""

from typing import Any, Literal

import pydantic
from pydantic import Field

from relabel_assets.corpus.config.settings import MAX_SEED, Settings
from relabel_assets.tables.vocabulary import CALIBRATED_TO, STUDENT_ARCHITECTURES


def _large(base_model: str, architecture: str, max_length: int = 1024) -> dict[str, Any]:
    """The preset of a model from the hub.

    1,024 tokens, because these models read a document in one piece; 2 epochs, because each is slow. Not
    measured: none of them was trained at size yet.
    """
    return {
        "base_model": base_model,
        "architecture": architecture,
        "max_length": max_length,
        "epochs": 2,
    }


PRESETS: dict[str, dict[str, Any]] = {
    "minilm": {},
    "modernbert": _large("answerdotai/ModernBERT-base", "cross_encoder"),
    "gte-reranker-modernbert": _large("Alibaba-NLP/gte-reranker-modernbert-base", "cross_encoder"),
    "bge-reranker-v2-m3": _large("BAAI/bge-reranker-v2-m3", "cross_encoder"),
    # It was trained on 512 tokens.
    "mxbai-rerank-v1": _large("mixedbread-ai/mxbai-rerank-base-v1", "cross_encoder", 512),
    "mxbai-rerank-v2": _large("mixedbread-ai/mxbai-rerank-base-v2", "decoder"),
    "qwen3-0.6b": _large("Qwen/Qwen3-0.6B", "decoder"),
    "qwen3-reranker-0.6b": _large("Qwen/Qwen3-Reranker-0.6B", "decoder"),
    "phi-3.5-mini": _large("microsoft/Phi-3.5-mini-instruct", "decoder"),
    "phi-4-mini": _large("microsoft/Phi-4-mini-instruct", "decoder"),
}


class StudentConfig(Settings):
    """What is trained, from which model, and how long."""

    LATER = ("keep",)

    preset: Literal[tuple(PRESETS)] | None = Field(  # type: ignore[valid-type]
        None,
        description=(
            "Values for base_model, architecture, max_length and epochs. minilm is the default. "
            "Decoders (mxbai-rerank-v2, qwen3, phi) need a GPU."
        ),
        examples=["modernbert"],
    )
    base_model: str = Field(
        "embedded",
        description=(
            "The model that training starts from. embedded: the MiniLM that is installed with the"
            " project. Else a name on the Hugging Face hub, or a folder."
        ),
        examples=["answerdotai/ModernBERT-base"],
    )
    architecture: Literal[STUDENT_ARCHITECTURES] = Field(  # type: ignore[valid-type]
        "late_interaction",
        description=(
            "How the student reads a pair. late_interaction: query and document are encoded apart"
            " and their tokens compared. cross_encoder: both are encoded together. decoder: a "
            "language model answers the grade's digit."
        ),
    )
    method: Literal["lora", "full"] = Field(
        "lora", description="lora: small adapters are trained. full: all weights are trained."
    )
    # A window of 80 words with its header fits 192 tokens (student/windows.py).
    max_length: int = Field(
        192,
        ge=16,
        le=32768,
        description=(
            "Longest input in tokens. A late_interaction student encodes a longer document in "
            "several pieces; the others cut it."
        ),
    )
    prompt: Literal["rubric", "short"] = Field(
        "rubric",
        description=(
            "What a decoder reads before query and document. rubric: all of the rubric, for few training"
            " pairs or a model that follows instructions. short: the names of the grades, for thousands of"
            " pairs or a small model. Other architectures read neither."
        ),
    )
    # With LoRA, the best epoch on dev was 0, 1 or 2 (docs/experiments.md).
    epochs: int = Field(
        3,
        ge=0,
        le=1000,
        description=(
            "Most passes over the training pairs. The epoch that is best on dev is kept; 0 keeps "
            "the base."
        ),
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Default: the architecture's own, see docs/student.md.",
        examples=[1e-4],
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description=(
            "Number format of matrix products. auto: bf16 where the machine multiplies it in "
            "hardware."
        ),
    )
    hardening: bool = Field(
        True,
        description=(
            "Whether the student is also trained on irrelevant documents that carry a query's words,"
            " so that these do not fool it. They are made from the training pairs."
        ),
    )
    calibrate: Literal[CALIBRATED_TO] = Field(  # type: ignore[valid-type]
        "teacher",
        description=(
            "Whose grades the student's grades are calibrated to. people: grades of people "
            "(reference.kind: human, or reviews) of queries that teach nobody set its cut points and "
            "probabilities. benchmark_report measures that as student@people, with people's grades of "
            "other queries."
        ),
    )
    # 2: one to go back to, and one that a command may be reading while the next is trained.
    keep: int = Field(
        2,
        ge=0,
        le=100_000,
        description=(
            "How many earlier students keep their files (180 MB each for MiniLM), beside the current one. "
            "The newest are kept. The rows of all stay in student_model."
        ),
        examples=[0],
    )
    seed: int = Field(
        13, ge=0, le=MAX_SEED, description="Seed of training: fresh weights and the order of pairs."
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _with_preset(cls, settings: Any) -> Any:
        """`settings` over the values of their preset."""
        if not isinstance(settings, dict) or not isinstance(settings.get("preset"), str):
            return settings
        return PRESETS.get(settings["preset"], {}) | settings
