"""What a corpus may set in its corpus.yaml, with the project's defaults.

What belongs here: the settings and their bounds. What does not: finding and reading the file (resources/corpora.py).
"""

import difflib
from pathlib import PurePath
from typing import Any, Literal

import pydantic
import yaml

from relabel_assets.errors import ConfigError
from relabel_assets.tables.tables import INTENTS


class _Settings(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Price(_Settings):
    """US dollars per million tokens."""

    input: float = pydantic.Field(ge=0)
    output: float = pydantic.Field(ge=0)


class TeacherConfig(_Settings):
    """Who grades, and within which limits."""

    kind: Literal["recorded", "openai"] | None = None  # None: recorded where teacher_labels.jsonl is there, else openai
    model: str = "gpt-4o"
    prompt: str | None = None  # a prompt file in the corpus folder; for a recorded teacher, a note on how it was asked
    base_url: str | None = None
    api: Literal["openai", "azure"] = "openai"
    api_version: str | None = None  # Azure only
    mode: Literal["live", "batch", "offline"] = "live"  # offline: from the ledger alone, nothing is sent
    temperature: float | None = pydantic.Field(0.0, ge=0, le=2)
    seed: int | None = 13
    max_completion_tokens: int = pydantic.Field(400, ge=1)
    max_document_tokens: int = pydantic.Field(3000, ge=50)
    is_logprobs: bool = False
    votes: int = pydantic.Field(1, ge=1, le=15)
    panel: list[str] = []  # further models of the same endpoint; their consensus is the grade
    max_concurrency: int = pydantic.Field(16, ge=1, le=1024)
    requests_per_minute: float | None = pydantic.Field(500, gt=0)
    tokens_per_minute: float | None = pydantic.Field(200_000, gt=0)
    timeout_s: float = pydantic.Field(60, gt=0)
    max_retries: int = pydantic.Field(4, ge=0, le=20)
    budget_usd: float | None = pydantic.Field(None, ge=0)
    run_budget_usd: float | None = pydantic.Field(None, ge=0)
    price_usd_per_million_tokens: Price | None = None


class QueriesConfig(_Settings):
    """How many queries are written, and of which kinds."""

    seed_documents: int = pydantic.Field(70, ge=1)
    per_document: int = pydantic.Field(3, ge=1, le=20)
    benchmark_share: float = pydantic.Field(0.2, ge=0, le=0.9)
    dev_share: float = pydantic.Field(0.15, ge=0, le=0.5)
    personas: list[str] = []
    prompt: str | None = None  # a prompt file in the corpus folder
    intents: dict[Literal[INTENTS], float] = {  # type: ignore[valid-type]
        "keyword": 0.3, "question": 0.3, "navigational": 0.1, "metadata": 0.1, "ambiguous": 0.1, "messy": 0.1,
    }  # fmt: skip
    seed: int = 13

    @pydantic.field_validator("intents")
    @classmethod
    def _shares(cls, intents: dict[str, float]) -> dict[str, float]:
        if any(share < 0 for share in intents.values()) or not 0.99 <= sum(intents.values()) <= 1.01:
            raise ValueError("the shares of the intents must be 0 or more and add up to 1")
        return intents


class CandidatesConfig(_Settings):
    """Which documents are graded for a query."""

    bm25_top_k: int = pydantic.Field(10, ge=0, le=1000)
    include_seed: bool = True
    random: int = pydantic.Field(2, ge=0, le=1000)
    seed: int = 13


PRESETS: dict[str, dict[str, Any]] = {
    "minilm": {},
    "modernbert": {
        "base_model": "answerdotai/ModernBERT-base", "architecture": "cross_encoder", "max_length": 1024, "epochs": 2,
    },
    "qwen3-0.6b": {"base_model": "Qwen/Qwen3-0.6B", "architecture": "decoder", "max_length": 1024, "epochs": 2},
    "phi-3.5-mini": {
        "base_model": "microsoft/Phi-3.5-mini-instruct", "architecture": "decoder", "max_length": 1024, "epochs": 2,
    },
}  # fmt: skip


class StudentConfig(_Settings):
    """What is trained, from what, and how long. A preset fills what is not given."""

    preset: Literal["minilm", "modernbert", "qwen3-0.6b", "phi-3.5-mini"] | None = None
    base_model: str = "embedded"  # embedded: the MiniLM that is installed with the project; else a hub name or a folder
    architecture: Literal["late_interaction", "cross_encoder", "decoder"] = "late_interaction"
    method: Literal["lora", "full"] = "lora"
    max_length: int = pydantic.Field(192, ge=16, le=32768)
    epochs: int = pydantic.Field(3, ge=0, le=1000)
    learning_rate: float | None = pydantic.Field(None, gt=0)  # None: the architecture's own default
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 where this machine multiplies it in hardware
    seed: int = 13

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("preset"), str):
            return given
        return PRESETS.get(given["preset"], {}) | given


class ReferenceConfig(_Settings):
    kind: Literal["human", "adjudicated"] = "human"


class GateConfig(_Settings):
    """Non-inferiority margins: how far below the teacher the student may be and still pass."""

    ndcg_margin: float = pydantic.Field(0.02, ge=0, le=1)
    pairwise_margin: float = pydantic.Field(0.02, ge=0, le=1)


class CorpusConfig(_Settings):
    """A whole corpus.yaml. Every key is optional."""

    name: str | None = pydantic.Field(None, pattern=r"^[a-z0-9_]{1,64}$")
    description: str = ""
    licence: str = ""
    rubric: str | None = None  # a rubric file in the corpus folder; the project's own 0-3 if left out
    teacher: TeacherConfig = TeacherConfig()
    queries: QueriesConfig = QueriesConfig()
    candidates: CandidatesConfig = CandidatesConfig()
    student: StudentConfig = StudentConfig()
    reference: ReferenceConfig = ReferenceConfig()
    gate: GateConfig = GateConfig()


def parse_corpus_config(text: str, *, file: str) -> CorpusConfig:
    """The settings in `text`, the content of a corpus.yaml; `file` is how messages name it.

    Raises ConfigError for text that is not YAML, an unknown key (naming the nearest known one) or a value out of bounds.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        place = file if line is None else f"{file}:{line + 1}"
        raise ConfigError(f"{place}: not YAML ({getattr(error, 'problem', None) or error}). Mend that line.") from error
    if raw is None:
        return CorpusConfig()
    if not isinstance(raw, dict):
        raise ConfigError(f"{file}: must be keys and values such as 'description: ...', not a {type(raw).__name__}.")
    try:
        return CorpusConfig.model_validate(raw)
    except pydantic.ValidationError as error:
        raise ConfigError("\n".join(_explain(problem, file) for problem in error.errors())) from error


def _explain(problem: Any, file: str) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{PurePath(file)}: {path}: {problem['msg']} (it is {problem['input']!r})."
    known = _keys_at(problem["loc"][:-1])
    nearest = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{PurePath(file)}: {path} is not a setting. {hint}Allowed here: {', '.join(known)}."


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    model: type[pydantic.BaseModel] = CorpusConfig
    for part in path:
        annotation = model.model_fields[str(part)].annotation
        model = annotation if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel) else Price
    return list(model.model_fields)
