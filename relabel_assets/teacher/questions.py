"""What a teacher is asked for a corpus: the requests, as often as they are gone through, and the
reading of their answers.

What belongs here: one class for each purpose, how a corpus' folder makes one, and a sample of pairs
where no candidates are chosen yet. What does not: sending them (sender.py), and what an answer
becomes (teacher.py, query_writer.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from relabel_assets.corpus.config import QueriesConfig
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.teacher_config import TeacherConfig
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS
from relabel_assets.teacher.estimate import ASSUMED_COMPLETION_TOKENS
from relabel_assets.teacher.exchange import ParsedReply
from relabel_assets.teacher.grading.grade_replies import read_grade
from relabel_assets.teacher.grading.grading import (
    grading_prompt_hash,
    grading_requests,
    n_requests_per_pair,
)
from relabel_assets.teacher.queries.query_requests import (
    queries_request,
    read_queries,
    seed_documents,
    wanted_queries,
)
from relabel_assets.teacher.requests import Request

_SAMPLE_SIZE = 200  # documents: their mean length is within a few percent of the corpus'
_ASSUMED_QUERY = "what is the policy on expenses for remote staff"  # as long as most questions
_ASSUMED_TOKENS_A_QUERY = 30.0  # its words, its intent and the JSON around them


class Questions(Protocol):
    """Requests for one purpose. `models` are those that are asked; `assumed_completion_tokens` are
    of a reply, for an estimate before there is any."""

    purpose: str
    config: TeacherConfig
    models: tuple[str, ...]
    assumed_completion_tokens: float

    def __iter__(self) -> Iterator[Request]:
        """The requests, in the same order each time."""

    def read(self, body: Any) -> ParsedReply:
        """What the body of a 2xx response says."""


class GradingQuestions:
    """The requests that grade `pairs` (query_id, text, doc_id, DOCUMENT_COLUMNS), `n_per_pair` for
    each, in order."""

    purpose = "grading"
    assumed_completion_tokens = ASSUMED_COMPLETION_TOKENS

    def __init__(
        self, pairs: pl.DataFrame, config: TeacherConfig, rubric: Rubric, prompt: Prompt
    ) -> None:
        self.pairs, self.config, self.rubric, self.prompt = pairs, config, rubric, prompt
        self.models: tuple[str, ...] = (config.model, *config.panel)
        self.prompt_hash = grading_prompt_hash(prompt, rubric)
        self.n_per_pair = n_requests_per_pair(config)

    @classmethod
    def for_corpus(cls, folder: CorpusFolder, pairs: pl.DataFrame) -> "GradingQuestions":
        """By the settings, rubric and prompt of the corpus. Raises ConfigError for a wrong prompt."""
        return cls(pairs, folder.config.teacher, folder.rubric, folder.grading_prompt)

    def __iter__(self) -> Iterator[Request]:
        for pair in self.pairs.iter_rows(named=True):
            yield from grading_requests(pair, self.prompt, self.rubric, self.config)

    def read(self, body: Any) -> ParsedReply:
        return read_grade(body, self.rubric.n_grades)


class QueryQuestions:
    """The requests that have queries written about the seed documents among `documents` (the
    columns of seed_docs), one request each. `seeds` are these documents, `wanted` what to write
    about each."""

    purpose = "queries"

    def __init__(
        self, documents: pl.DataFrame, config: TeacherConfig, queries: QueriesConfig, prompt: Prompt
    ) -> None:
        self.config, self.prompt = config, prompt
        self.models: tuple[str, ...] = (config.model,)
        self.assumed_completion_tokens = queries.per_document * _ASSUMED_TOKENS_A_QUERY
        self.seeds = seed_documents(documents, queries).to_dicts()
        self.wanted = [wanted_queries(seed["doc_id"], queries) for seed in self.seeds]

    @classmethod
    def for_corpus(cls, folder: CorpusFolder, documents: pl.DataFrame) -> "QueryQuestions":
        """By the settings and prompt of the corpus. Raises ConfigError for a wrong prompt."""
        config = folder.config
        return cls(documents, config.teacher, config.queries, folder.queries_prompt)

    def __iter__(self) -> Iterator[Request]:
        for seed, wanted in zip(self.seeds, self.wanted, strict=True):
            yield queries_request(seed, wanted, self.prompt, self.config)

    def read(self, body: Any) -> ParsedReply:
        return read_queries(body)


@dataclass(frozen=True)
class AssumedPairs:
    """For a corpus without candidates: a sample of pairs, how many pairs there may be, and what
    that assumes."""

    sample: pl.DataFrame
    n_pairs: int
    assumption: str

    @classmethod
    def for_corpus(cls, folder: CorpusFolder) -> "AssumedPairs":
        """Raises CorpusError where the corpus has no documents that can be used."""
        documents, candidates = folder.documents().frame, folder.config.candidates
        n_queries, source = _n_queries(folder, documents.height)
        per_query = candidates.bm25_top_k + candidates.include_seed + candidates.random
        per_query = min(documents.height, per_query)
        sample = documents.sample(min(_SAMPLE_SIZE, documents.height), seed=candidates.seed)
        return cls(
            sample.select(
                "doc_id", *DOCUMENT_COLUMNS, query_id=pl.lit("q"), text=pl.lit(_ASSUMED_QUERY)
            ),
            n_queries * per_query,
            f"{source} x {per_query} candidates; the length of {sample.height} documents",
        )


def _n_queries(folder: CorpusFolder, n_documents: int) -> tuple[int, str]:
    """How many queries the corpus has or would have, and where they come from."""
    if folder.has_queries:
        n_queries = folder.queries().frame.height
        return n_queries, f"{n_queries:,} queries of queries.jsonl"
    settings = folder.config.queries
    n_seeds = min(settings.seed_documents, n_documents)
    source = f"{n_seeds:,} seed documents x {settings.per_document} queries"
    return n_seeds * settings.per_document, source
