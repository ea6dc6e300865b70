"""The section `teacher` of a corpus.yaml: the model that grades, its endpoint, limits and budget.

What belongs here: these settings, their defaults and bounds. What does not: how they are used
(teacher/), and the other sections (config.py, student_config.py).
"""

from typing import Literal

import pydantic
from pydantic import Field

from relabel_assets.corpus.config.redaction_config import RedactionConfig
from relabel_assets.corpus.config.settings import MAX_NAME_CHARACTERS, MAX_SEED, Settings
from relabel_assets.intake.input_limits import MAX_REPLY_BYTES, MIB


class PriceSetting(Settings):
    """The price of the teacher's model, in US dollars per million tokens."""

    input: float = Field(ge=0, description="US dollars per million prompt tokens.", examples=[2.5])
    output: float = Field(
        ge=0, description="US dollars per million completion tokens.", examples=[10.0]
    )


class TeacherConfig(RedactionConfig):
    """Who grades, and within which limits."""

    kind: Literal["none", "recorded", "openai"] | None = Field(
        None,
        description=(
            "none: there is no teacher, and nothing is sent. recorded: grades are read from "
            "teacher_labels.jsonl. openai: grades are asked of an endpoint that speaks OpenAI's "
            "protocol. Default: recorded if teacher_labels.jsonl exists; else openai if any other "
            "setting of teacher is given; else none."
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
        max_length=MAX_NAME_CHARACTERS,
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
    api: Literal["openai", "azure", "decisions"] = Field(
        "openai",
        description=(
            "What the endpoint speaks. openai and azure: chat completions. decisions: OpenAI's "
            "Decisions API, which answers many questions about one document in one request, with the "
            "probability of each grade."
        ),
        examples=["decisions"],
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
    # 13 here and in the other sections has no meaning: it is fixed, so that a run can be repeated.
    seed: int | None = Field(
        13,
        ge=0,
        le=MAX_SEED,
        description="Seed sent with each request, where the endpoint takes one. null: not sent.",
    )
    # 400 is the most that OpenAI takes. Not measured: whether a pair gets the same grade alone and with
    # others. The column n_asked_together tells them apart.
    max_questions: int = Field(
        400,
        ge=1,
        le=400,
        description=(
            "Decisions only: most pairs in one request. A server that takes fewer says so, and the "
            "request is halved. 1: every pair is asked alone."
        ),
        examples=[50],
    )
    # A grade and one sentence are about 60 tokens. 400 leaves room for a model that explains more.
    max_completion_tokens: int = Field(
        400,
        ge=1,
        le=1_000_000,
        description="Longest reply, in tokens. A reply that is cut off has no grade.",
    )
    # Not measured. Some 2,000 English words: most documents are shown whole.
    max_document_tokens: int = Field(
        3000,
        ge=50,
        le=1_000_000,
        description=(
            "A document's text above this many tokens (estimated) is shortened before it is sent."
        ),
    )
    # A line of the ledger has 64 MiB at most, and JSON grows to less than four times its size there.
    max_reply_mib: float = Field(
        MAX_REPLY_BYTES / MIB,
        ge=0.01,
        le=16,
        description=(
            "Longest response, in MiB (1,048,576 bytes), unpacked. A longer one is not read, and "
            "its pair has no grade."
        ),
        examples=[2],
    )
    is_prompt_checked: bool = Field(
        True,
        description=(
            "Refuse the reply to a prompt of which the endpoint read a part, by the tokens that it "
            "counts in usage. false: for an endpoint that counts something else there."
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
    # The three limits are not measured: meant for a hosted model on a small account.
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
    # Not measured. A hosted model replies in about 2 s; a busy server of one's own may need longer.
    timeout_s: float = Field(
        60,
        gt=0,
        le=86_400,
        description="Seconds to wait for a response before the request is sent again.",
    )
    # Waits of 0.5, 1, 2 and 4 s (teacher/sending/retry_settings.py) outlast a short rate limit.
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

    # 400: ten probes of 40 queries tell a rate to some 15 points. The default costs nothing.
    probes: int = Field(
        0,
        ge=0,
        le=1_000,
        description=(
            "How many documents that are made to fool a grader the teacher is asked about, for the "
            "benchmark's robustness card. They are paid for like other pairs. 0: the card has the "
            "student alone."
        ),
        examples=[400],
    )

    @pydantic.model_validator(mode="after")
    def _decisions_can_do_it(self) -> "TeacherConfig":
        if self.api != "decisions":
            return self
        if "model" not in self.model_fields_set:
            raise ValueError(
                "api is decisions, and no model is named. Set model, such as gpt-6-luna"
            )
        if self.mode == "batch":
            raise ValueError("api decisions has no Batch API. Set mode to live")
        if self.votes > 1:
            raise ValueError(
                "api decisions takes no seed, so each vote would be the same. Leave votes out, or "
                "name further models in panel"
            )
        if self.is_logprobs:
            raise ValueError("api decisions returns probabilities by itself. Leave is_logprobs out")
        return self

    @property
    def is_named(self) -> bool:
        """Whether any setting but `kind` is given: whoever sets a model or a budget means a live teacher."""
        return bool(self.model_fields_set - {"kind", *RedactionConfig.model_fields})

    @property
    def max_reply_bytes(self) -> int:
        """`max_reply_mib` in bytes."""
        return int(self.max_reply_mib * MIB)
