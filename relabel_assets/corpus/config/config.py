"""The settings of a corpus, with the project's defaults: everything a corpus.yaml may set.

What belongs here: the whole corpus.yaml, and its sections on queries, candidates, reference grades
and the gate. What does not: the sections of the two models (teacher_config.py, student_config.py), of
labels (labels_config.py), and parsing the file (config_file.py).
"""

from typing import Any, Literal

import pydantic
from pydantic import Field

from relabel_assets.corpus.config.documents_config import DocumentsConfig
from relabel_assets.corpus.config.labels_config import CostsConfig, LabelsConfig
from relabel_assets.corpus.config.settings import MAX_NAME_CHARACTERS, MAX_SEED, Settings
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import ConfigError
from relabel_assets.tables.vocabulary import INTENTS


class QueriesConfig(Settings):
    """How queries are written from documents, and how all queries are split."""

    # Not measured. 70 documents x 3 queries are 210: some 140 train, 24 dev and 42 benchmark queries.
    # With 12 candidates each, a corpus then costs about 2,500 requests.
    seed_documents: int = Field(
        70, ge=1, le=1_000_000, description="Most documents that queries are written from."
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
    model: str | None = Field(
        None,
        description=(
            "The model that writes queries, at the teacher's endpoint. Default: teacher.model. With "
            "teacher.api decisions it must be named, because a decision is no text."
        ),
        examples=["gpt-4o-mini"],
    )
    prompt: str | None = Field(
        None,
        max_length=MAX_NAME_CHARACTERS,
        description=(
            "File of the prompt that writes queries, in the corpus folder. Default: the project's"
            " prompt."
        ),
        examples=["queries.yaml"],
    )
    # Not measured. Most searches are meant to be keywords or questions. Each other kind gets a tenth, so
    # that the benchmark has a few queries of it.
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
        13,
        ge=0,
        le=MAX_SEED,
        description="Seed for choosing seed documents, intents, personas and splits.",
    )

    @pydantic.field_validator("intents")
    @classmethod
    def _shares_are_whole(cls, intents: dict[str, float]) -> dict[str, float]:
        total = sum(intents.values())
        # 0.33 three times is meant as a whole.
        if min(intents.values(), default=0) < 0 or not 0.99 <= total <= 1.01:
            raise ValueError("the shares of the intents must be 0 or more and add up to 1")
        return intents


class CandidatesConfig(Settings):
    """Which documents are graded for each query. Its judged documents are always among them."""

    LATER = ("language", "dense_top_k", "fused_top_k", "runs")

    # Not measured. Ten, because the benchmark's NDCG looks at ten documents.
    bm25_top_k: int = Field(
        10, ge=0, le=1000, description="BM25's best documents for each query. 0: none."
    )
    dense_top_k: int = Field(
        0,
        ge=0,
        le=1000,
        description=(
            "The documents whose vectors are nearest to each query's, by the student's base model: they may "
            "share no word with the query. 0: none, and no document is read by the model."
        ),
    )
    fused_top_k: int = Field(
        0,
        ge=0,
        le=1000,
        description=(
            "The best documents of BM25's and the dense list together (reciprocal rank fusion). They take "
            "the place of bm25_top_k and dense_top_k. 0: the lists are not fused."
        ),
    )
    runs: int = Field(
        0,
        ge=0,
        le=1000,
        description=(
            "The best documents of each run in runs/ (TREC format): a search engine's results, or the "
            "documents of a search log. 0: none."
        ),
    )
    language: str | None = Field(
        None,
        pattern="^[a-z]{2}$",
        description=(
            "ISO 639-1 code of the language that words are stemmed in for BM25. Default: that of most "
            "documents, else English."
        ),
        examples=["de"],
    )
    include_seed: bool = Field(
        True,
        description=(
            "Also grade the document that the query was written from, wherever BM25 ranks it."
        ),
    )
    # Not measured. Each costs a request for every query, so there are few.
    random: int = Field(
        2,
        ge=0,
        le=1000,
        description=(
            "Documents drawn at random for each query, so that the student also learns from "
            "irrelevant ones."
        ),
    )
    seed: int = Field(13, ge=0, le=MAX_SEED, description="Seed of that draw.")


class ReferenceConfig(Settings):
    """The reference grades that labelers are measured against."""

    # No default: a wrong guess would let a model's grades pass for those of people.
    kind: Literal["human", "adjudicated"] | None = Field(
        None,
        description=(
            "Who gave the reference grades. human: people. adjudicated: several passes of a language "
            "model, settled. The report repeats it. Default: not stated, and the report asks for it."
        ),
        examples=["human"],
    )

    @property
    def stated_kind(self) -> str:
        """`kind`, or "not stated"."""
        return self.kind or "not stated"


class GateConfig(Settings):
    """How far below the teacher the student may be and still pass, and what it takes to tell."""

    # The default is not measured: each corpus states how much quality it gives up. The bound is: on the
    # demo corpora BM25 is .08 to .15 below the teacher, so a wider margin would pass nearly anything.
    ndcg_margin: float = Field(
        0.02,
        ge=0,
        le=0.1,
        description=(
            "Passed if the whole 95 % interval of student minus teacher in NDCG@10 is above minus"
            " this margin."
        ),
    )
    pairwise_margin: float = Field(
        0.02,
        ge=0,
        le=0.1,
        description="The same for pairwise accuracy, ties counted as half right.",
    )
    # Not measured: one pair in twenty. Wider, and a student would pass that often misses by two grades.
    agreement_margin: float = Field(
        0.05,
        ge=0,
        le=0.2,
        description=(
            "The same for the share of pairs within one grade of people's, where people graded a sample "
            "(`relabel review sample`)."
        ),
    )
    blocking: bool = Field(
        False,
        description=(
            "Keep final_labels as they are where the gate failed. Default: the gate is a check that warns."
        ),
    )
    # Measured on the demo corpora (docs/experiments.md): from 5 queries an interval begins above the
    # truth up to twelve times as often as it promises, from 30 up to five. Default settings make some
    # 42 benchmark queries, so the minimum cannot be much higher.
    min_queries: int = Field(
        30,
        ge=2,
        le=1_000_000,
        description=(
            "Fewest benchmark queries whose documents differ in reference grade. With fewer, the "
            "gate cannot tell, whatever the interval."
        ),
    )
    # Not measured: three documents for each of 30 queries. A query of p documents has at least p - 1
    # ordered pairs, so these are at least 70 for pairwise accuracy.
    min_pairs: int = Field(
        100,
        ge=2,
        le=1_000_000_000,
        description="Fewest graded pairs of those queries. With fewer, the gate cannot tell.",
    )

    @property
    def by_reference(self) -> dict[str, Any]:
        """The margins and minima of the gate by reference labels (benchmark/gates/gate.py)."""
        return self.model_dump(
            include={"ndcg_margin", "pairwise_margin", "min_queries", "min_pairs"}
        )

    @property
    def by_people(self) -> dict[str, Any]:
        """Those of the gate by people's sample (benchmark/pool/people_gate.py)."""
        return self.by_reference | {"agreement_margin": self.agreement_margin}


class CorpusConfig(Settings):
    """A whole corpus.yaml. Every key is optional."""

    LATER = ("documents",)

    # The pattern is that of a partition's name (folders.py) and of the column corpus (schemas.py).
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
        max_length=MAX_NAME_CHARACTERS,
        description=(
            "File of the rubric, in the corpus folder: the grades, their names and meanings. "
            "Default: the project's rubric, 0 to 3."
        ),
        examples=["rubric.yaml"],
    )
    documents: DocumentsConfig = Field(
        DocumentsConfig(), description="What is done to the texts of documents."
    )
    teacher: TeacherConfig = Field(TeacherConfig(), description="The large model that grades.")
    queries: QueriesConfig = Field(
        QueriesConfig(), description="How queries are written and split."
    )
    candidates: CandidatesConfig = Field(CandidatesConfig(), description="Which pairs are graded.")
    student: StudentConfig = Field(StudentConfig(), description="The small model that is trained.")
    labels: LabelsConfig = Field(
        LabelsConfig(), description="What the teacher is asked about queries that only get labels."
    )
    reference: ReferenceConfig = Field(
        ReferenceConfig(), description="What labelers are measured against."
    )
    gate: GateConfig = Field(
        GateConfig(), description="When the student passes beside its teacher."
    )
    costs: CostsConfig = Field(
        CostsConfig(), description="What an hour of people and of the machine costs."
    )

    @pydantic.model_validator(mode="after")
    def _student_can_choose(self) -> "CorpusConfig":
        if self.labels.ask and self.student.architecture != "late_interaction":
            raise ValueError(
                f"labels.ask is {self.labels.ask:g}, and a {self.student.architecture} student cannot use "
                "known grades. Set student.architecture to late_interaction, or leave labels.ask out"
            )
        return self

    @property
    def query_writer(self) -> TeacherConfig:
        """The settings of the model that writes queries: a chat model at the teacher's endpoint.

        The price in `teacher` is that of teacher.model; another model has its price from genai-prices.
        Raises ConfigError for api decisions without such a model.
        """
        teacher, model = self.teacher, self.queries.model
        is_decisions = teacher.api == "decisions"
        if is_decisions and model is None:
            raise ConfigError(
                "teacher.api is decisions, which writes no text, and there is no queries.jsonl. Name a "
                "chat model for the queries in corpus.yaml, such as queries: {model: gpt-4o-mini}, or "
                "add queries.jsonl."
            )
        changes: dict[str, Any] = {"api": "openai", "panel": []} if is_decisions else {}
        if model not in (None, teacher.model):
            changes |= {"model": model, "price_usd_per_million_tokens": None}
        return teacher.model_copy(update=changes)
