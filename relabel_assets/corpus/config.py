"""What a corpus may set in its corpus.yaml, with the project's defaults.

What belongs here: the settings and their bounds. What does not: finding and reading the file
(folder.py).
"""

import difflib
from pathlib import PurePath
from typing import Any, Literal, get_args

import pydantic
import yaml
from pydantic import Field

from relabel_assets.errors import ConfigError
from relabel_assets.tables.schemas import INTENTS, STUDENT_ARCHITECTURES


class _Settings(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class PriceSetting(_Settings):
    """The price of the teacher's model, in US dollars per million tokens."""

    input: float = Field(ge=0, description="US dollars per million prompt tokens.", examples=[2.5])
    output: float = Field(
        ge=0, description="US dollars per million completion tokens.", examples=[10.0]
    )


class TeacherConfig(_Settings):
    """Who grades, and within which limits."""

    kind: Literal["recorded", "openai"] | None = Field(
        None,
        description=(
            "recorded: grades are read from teacher_labels.jsonl. openai: grades are asked of an "
            "endpoint that speaks OpenAI's protocol. Default: recorded if teacher_labels.jsonl "
            "exists, else openai."
        ),
        examples=["openai"],
    )
    model: str = Field(
        "gpt-4o",
        description="The model's name, as the endpoint knows it.",
        examples=["gpt-4o-mini"],
    )
    prompt: str | None = Field(
        None,
        description=(
            "File of the grading prompt, in the corpus folder. Default: the project's prompt. For"
            " a recorded teacher: a note on how it was asked."
        ),
        examples=["grading.yaml"],
    )
    base_url: str | None = Field(
        None,
        description=(
            "Address of the endpoint. Default: OPENAI_BASE_URL, else OpenAI's own address. The "
            "key comes from OPENAI_API_KEY only."
        ),
        examples=["http://127.0.0.1:8000/v1"],
    )
    api: Literal["openai", "azure"] = Field(
        "openai", description="Which of the two dialects the endpoint speaks."
    )
    api_version: str | None = Field(
        None,
        description="Azure only: the version of its API. Default: OPENAI_API_VERSION.",
        examples=["2024-10-21"],
    )
    mode: Literal["live", "batch", "offline"] = Field(
        "live",
        description=(
            "live: requests are sent one by one. batch: requests are sent as files, at half the "
            "price. offline: nothing is sent, grades come from the ledger alone."
        ),
    )
    temperature: float | None = Field(
        0.0,
        ge=0,
        le=2,
        description=(
            "Sampling temperature of grading. 0 because the same pair should get the same grade. "
            "null: not sent, for models that refuse it."
        ),
    )
    seed: int | None = Field(
        13, description="Seed sent with each request, where the endpoint takes one. null: not sent."
    )
    max_completion_tokens: int = Field(
        400, ge=1, description="Longest reply, in tokens. A reply that is cut off has no grade."
    )
    max_document_tokens: int = Field(
        3000,
        ge=50,
        description=(
            "A document's text above this many tokens (estimated) is shortened before it is sent."
        ),
    )
    is_logprobs: bool = Field(
        False,
        description=(
            "Ask for log probabilities: grade_probs and expected_grade follow from the grade's "
            "token."
        ),
    )
    votes: int = Field(
        1,
        ge=1,
        le=15,
        description=(
            "How often each model grades a pair. The most frequent grade counts; of equally "
            "frequent ones the lowest."
        ),
        examples=[3],
    )
    panel: list[str] = Field(
        [],
        description="Further models of the same endpoint that vote on every pair.",
        examples=[["gpt-4o-mini"]],
    )
    max_concurrency: int = Field(
        16, ge=1, le=1024, description="Most requests in flight at the same time."
    )
    requests_per_minute: float | None = Field(
        500, gt=0, description="Rate limit in requests per minute. null: no limit."
    )
    tokens_per_minute: float | None = Field(
        200_000,
        gt=0,
        description="Rate limit in prompt and completion tokens per minute. null: no limit.",
    )
    timeout_s: float = Field(
        60, gt=0, description="Seconds to wait for a response before the request is sent again."
    )
    max_retries: int = Field(
        4, ge=0, le=20, description="How often a request is sent again after a temporary error."
    )
    budget_usd: float | None = Field(
        None,
        ge=0,
        description=(
            "Most US dollars to spend on this corpus over all runs. Sending stops before it is "
            "exceeded. Default: no limit."
        ),
        examples=[5.0],
    )
    run_budget_usd: float | None = Field(
        None,
        ge=0,
        description="Most US dollars to spend in one run. Default: no limit.",
        examples=[1.0],
    )
    price_usd_per_million_tokens: PriceSetting | None = Field(
        None,
        description=(
            "The model's price. Default: the list of the package genai-prices. A budget needs a "
            "known price."
        ),
        examples=[{"input": 2.5, "output": 10.0}],
    )


class QueriesConfig(_Settings):
    """How queries are written from documents, and how all queries are split."""

    seed_documents: int = Field(
        70, ge=1, description="Most documents that queries are written from."
    )
    per_document: int = Field(
        3, ge=1, le=20, description="Queries written from each seed document."
    )
    benchmark_share: float = Field(
        0.2,
        ge=0,
        le=0.9,
        description=(
            "Share of the seed documents whose queries become the benchmark. Used only where no "
            "query of queries.jsonl states its split."
        ),
    )
    dev_share: float = Field(
        0.15,
        ge=0,
        le=0.5,
        description=(
            "Share of the seed documents, without the benchmark's, whose queries become dev: they"
            " choose the epoch that is kept."
        ),
    )
    personas: list[str] = Field(
        [],
        description=(
            "Who is imagined to type a written query, in turn. Default: nobody in particular."
        ),
        examples=[["a new employee", "a support engineer"]],
    )
    prompt: str | None = Field(
        None,
        description=(
            "File of the prompt that writes queries, in the corpus folder. Default: the project's"
            " prompt."
        ),
        examples=["queries.yaml"],
    )
    intents: dict[Literal[INTENTS], float] = Field(  # type: ignore[valid-type]
        {
            "keyword": 0.3,
            "question": 0.3,
            "navigational": 0.1,
            "metadata": 0.1,
            "ambiguous": 0.1,
            "messy": 0.1,
        },
        description="Share of each kind of query among the written ones. The shares add up to 1.",
        examples=[{"keyword": 0.5, "question": 0.5}],
    )
    seed: int = Field(
        13, description="Seed for choosing seed documents, intents, personas and splits."
    )

    @pydantic.field_validator("intents")
    @classmethod
    def _shares(cls, intents: dict[str, float]) -> dict[str, float]:
        if (
            any(share < 0 for share in intents.values())
            or not 0.99 <= sum(intents.values()) <= 1.01
        ):
            raise ValueError("the shares of the intents must be 0 or more and add up to 1")
        return intents


class CandidatesConfig(_Settings):
    """Which documents are graded for each query. Its judged documents are always among them."""

    bm25_top_k: int = Field(
        10, ge=0, le=1000, description="BM25's best documents for each query. 0: none."
    )
    include_seed: bool = Field(
        True,
        description=(
            "Also grade the document that the query was written from, wherever BM25 ranks it."
        ),
    )
    random: int = Field(
        2,
        ge=0,
        le=1000,
        description=(
            "Documents drawn at random for each query, so that the student also learns from "
            "irrelevant ones."
        ),
    )
    seed: int = Field(13, description="Seed of that draw.")


PRESETS: dict[str, dict[str, Any]] = {
    "minilm": {},
    "modernbert": {
        "base_model": "answerdotai/ModernBERT-base",
        "architecture": "cross_encoder",
        "max_length": 1024,
        "epochs": 2,
    },
    "qwen3-0.6b": {
        "base_model": "Qwen/Qwen3-0.6B",
        "architecture": "decoder",
        "max_length": 1024,
        "epochs": 2,
    },
    "phi-3.5-mini": {
        "base_model": "microsoft/Phi-3.5-mini-instruct",
        "architecture": "decoder",
        "max_length": 1024,
        "epochs": 2,
    },
}


class StudentConfig(_Settings):
    """What is trained, from which model, and how long."""

    preset: Literal["minilm", "modernbert", "qwen3-0.6b", "phi-3.5-mini"] | None = Field(
        None,
        description=(
            "Values for base_model, architecture, max_length and epochs. minilm is "
            "the default. The last two need a GPU."
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
    max_length: int = Field(
        192,
        ge=16,
        le=32768,
        description=(
            "Longest input in tokens. A late_interaction student encodes a longer document in "
            "several pieces; the others cut it."
        ),
    )
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
    seed: int = Field(13, description="Seed of training: fresh weights and the order of pairs.")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_preset(cls, settings: Any) -> Any:
        if not isinstance(settings, dict) or not isinstance(settings.get("preset"), str):
            return settings
        return PRESETS.get(settings["preset"], {}) | settings


class ReferenceConfig(_Settings):
    """The reference grades that labelers are measured against."""

    kind: Literal["human", "adjudicated"] = Field(
        "human",
        description=(
            "human: people gave the reference grades. adjudicated: they were settled from several"
            " passes of a language model. The report says which."
        ),
    )


class GateConfig(_Settings):
    """How far below the teacher the student may be and still pass (non-inferiority margins)."""

    ndcg_margin: float = Field(
        0.02,
        ge=0,
        le=1,
        description=(
            "Passed if the whole 95 % interval of student minus teacher in NDCG@10 is above minus"
            " this margin."
        ),
    )
    pairwise_margin: float = Field(
        0.02, ge=0, le=1, description="The same for pairwise accuracy, ties counted as half right."
    )


class CorpusConfig(_Settings):
    """A whole corpus.yaml. Every key is optional."""

    name: str | None = Field(
        None,
        pattern=r"^[a-z0-9_]{1,64}$",
        description="The corpus' name; if given, it must be the folder's name.",
        examples=["people_handbook"],
    )
    description: str = Field(
        "", description="One or two sentences on what the documents are. Shown in the report."
    )
    licence: str = Field("", description="The licence of the documents.", examples=["CC-BY-4.0"])
    rubric: str | None = Field(
        None,
        description=(
            "File of the rubric, in the corpus folder: the grades, their names and meanings. "
            "Default: the project's rubric, 0 to 3."
        ),
        examples=["rubric.yaml"],
    )
    teacher: TeacherConfig = Field(TeacherConfig(), description="The large model that grades.")
    queries: QueriesConfig = Field(
        QueriesConfig(), description="How queries are written and split."
    )
    candidates: CandidatesConfig = Field(CandidatesConfig(), description="Which pairs are graded.")
    student: StudentConfig = Field(StudentConfig(), description="The small model that is trained.")
    reference: ReferenceConfig = Field(
        ReferenceConfig(), description="What labelers are measured against."
    )
    gate: GateConfig = Field(
        GateConfig(), description="When the student passes beside its teacher."
    )


def parse_corpus_config(text: str, *, file: str) -> CorpusConfig:
    """The settings in `text`, the content of a corpus.yaml; `file` is how messages name it.

    Raises ConfigError for text that is not YAML, a value out of bounds, or an unknown key, whose
    message names the nearest known one.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = file if line is None else f"{file}:{line + 1}"
        raise ConfigError(
            f"{where}: not YAML ({getattr(error, 'problem', None) or error}). Correct that line."
        ) from error
    if raw is None:
        return CorpusConfig()
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{file}: must be keys and values such as 'description: ...', "
            f"not a {type(raw).__name__}."
        )
    try:
        return CorpusConfig.model_validate(raw)
    except pydantic.ValidationError as error:
        raise ConfigError(
            "\n".join(_explain(problem, file) for problem in error.errors())
        ) from error


def _explain(problem: Any, file: str) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{PurePath(file)}: {path}: {problem['msg']} (it is {problem['input']!r})."
    allowed = _keys_at(problem["loc"][:-1])
    nearest = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{PurePath(file)}: {path} is not a setting. {hint}Allowed here: {', '.join(allowed)}."


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """The keys that are allowed under `path`: in a settings model's annotation, or in one of `model
    | None`."""
    model: type[pydantic.BaseModel] = CorpusConfig
    for part in path:
        annotation = model.model_fields[str(part)].annotation
        model = next(kind for kind in (annotation, *get_args(annotation)) if _is_model(kind))
    return list(model.model_fields)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)
