"""The questions to a teacher about a corpus: requests, and the parser of their replies.

What belongs here: one class for each purpose, made from a corpus folder; and a sample of pairs for
a corpus without candidates. What does not: sending (sender.py), and the rows that answers become
(grading/, queries/).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import polars as pl

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.corpus.documents import empty_frame
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
from relabel_assets.teacher.decisions.decision_replies import read_decision
from relabel_assets.teacher.decisions.decision_requests import (
    decision_requests,
    level_labels,
    order_of_inputs,
)
from relabel_assets.teacher.estimate import ASSUMED_COMPLETION_TOKENS
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
from relabel_assets.teacher.redaction.redaction import Redaction
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.requests import TeacherRequest

# Documents. If their lengths vary as much as their mean, its standard error is 7 %.
_SAMPLE_SIZE = 200
_ASSUMED_QUERY = "what is the policy on expenses for remote staff"  # as long as most questions
# Not measured: the words of a query, its intent and the JSON around them.
_ASSUMED_TOKENS_A_QUERY = 30.0


class Questions(Protocol):
    """The requests for one purpose. Iterating gives the same requests every time.

    `assumed_completion_tokens`: the length of a reply, for an estimate before the first reply.
    """

    purpose: str
    config: TeacherConfig
    models: tuple[str, ...]
    assumed_completion_tokens: float

    def __iter__(self) -> Iterator[TeacherRequest]:
        """The requests, in the same order each time."""

    def __len__(self) -> int:
        """The number of requests."""

    def read(self, body: Any) -> ParsedReply:
        """The parsed reply in the body of a 2xx response."""


class GradingQuestions:
    """Requests to grade `pairs` (query_id, text, doc_id, DOCUMENT_COLUMNS), `n_per_pair` for each.

    With api decisions, `pairs` are in the order of their inputs, so that those that share one come one
    after another. `positions` has the caller's position of each.
    """

    purpose = "grading"

    def __init__(
        self, pairs: pl.DataFrame, config: TeacherConfig, rubric: Rubric, prompt: Prompt
    ) -> None:
        self.config, self.rubric, self.prompt = config, rubric, prompt
        self._is_decisions = config.api == "decisions"
        # All that asks about pairs passes here: run, estimate, export, probes and `relabel label --ask`.
        self.redaction = Redaction(config)
        pairs = self.redaction.frame(pairs)
        order = order_of_inputs(pairs, prompt) if self._is_decisions else None
        self.positions: Sequence[int] = range(pairs.height) if order is None else order.to_list()
        self.pairs = pairs if order is None else pairs[order]
        self.models: tuple[str, ...] = (config.model, *config.panel)
        self.prompt_hash = grading_prompt_hash(prompt, rubric)
        self.n_per_pair = n_requests_per_pair(config)
        self.assumed_completion_tokens = 0.0 if self._is_decisions else ASSUMED_COMPLETION_TOKENS

    @classmethod
    def for_corpus(cls, folder: CorpusFolder, pairs: pl.DataFrame) -> "GradingQuestions":
        """Questions with the corpus' settings, rubric and prompt. Raises ConfigError for a bad one.

        Raises it too for a corpus without a teacher.
        """
        folder.require_teacher()
        return cls(pairs, folder.config.teacher, folder.rubric, folder.grading_prompt)

    def __iter__(self) -> Iterator[TeacherRequest]:
        requests_of = decision_requests if self._is_decisions else grading_requests
        for pair in self.pairs.iter_rows(named=True):
            yield from requests_of(pair, self.prompt, self.rubric, self.config)

    def __len__(self) -> int:
        return self.pairs.height * self.n_per_pair

    def read(self, body: Any) -> ParsedReply:
        if self._is_decisions:
            return read_decision(body, level_labels(self.rubric))
        return read_grade(body, self.rubric.n_grades)


class QueryQuestions:
    """Requests to write queries, one for each seed document among `documents` (rows of seed_docs).

    `seeds` are the rows of the seed documents; `wanted` are the queries to write about each.
    """

    purpose = "queries"

    def __init__(
        self, documents: pl.DataFrame, config: TeacherConfig, queries: QueriesConfig, prompt: Prompt
    ) -> None:
        self.config, self.prompt = config, prompt
        self.models: tuple[str, ...] = (config.model,)
        self.assumed_completion_tokens = queries.per_document * _ASSUMED_TOKENS_A_QUERY
        self.redaction = Redaction(config)
        seeds = seed_documents(documents, queries)
        self.seeds = self.redaction.frame(seeds).to_dicts()
        self.wanted = [wanted_queries(seed["doc_id"], queries) for seed in self.seeds]

    @classmethod
    def for_corpus(cls, folder: CorpusFolder, documents: pl.DataFrame) -> "QueryQuestions":
        """Questions with the corpus' settings and prompt. Raises ConfigError for a bad one.

        Raises it too for a corpus without a teacher.
        """
        folder.require_teacher()
        config = folder.config
        return cls(documents, config.query_writer, config.queries, folder.queries_prompt)

    def __iter__(self) -> Iterator[TeacherRequest]:
        for seed, wanted in zip(self.seeds, self.wanted, strict=True):
            yield queries_request(seed, wanted, self.prompt, self.config)

    def __len__(self) -> int:
        return len(self.seeds)

    def read(self, body: Any) -> ParsedReply:
        return read_queries(body)


@dataclass(frozen=True)
class AssumedPairs:
    """The pairs of a corpus whose candidates are not chosen yet, for an estimate.

    The teacher grades `n_pairs`. Queries that only get labels have `n_label_pairs` besides.
    """

    sample: pl.DataFrame  # pairs of an assumed query with documents
    n_pairs: int
    n_label_pairs: int
    assumption: str  # how n_pairs and the sample were chosen, for people

    @classmethod
    def for_corpus(cls, folder: CorpusFolder, progress: Progress = silent) -> "AssumedPairs":
        """The assumed pairs of a corpus. Raises CorpusError as CorpusFolder.document_batches."""
        candidates = folder.config.candidates
        batches = folder.document_batches([], progress)
        sample, n_documents = _sample(batches, candidates.seed)
        provided = folder.queries().frame
        n_label = provided.filter(pl.col("split") == "label").height
        n_queries, source = _n_queries(folder, provided.height - n_label, n_documents)
        per_query = candidates.bm25_top_k + candidates.include_seed + candidates.random
        per_query = min(n_documents, per_query)
        return cls(
            sample.select(
                "doc_id", *DOCUMENT_COLUMNS, query_id=pl.lit("q"), text=pl.lit(_ASSUMED_QUERY)
            ),
            n_queries * per_query,
            n_label * per_query,
            f"{source} x {per_query} candidates; the length of {sample.height} documents"
            + ("; each pair asked alone" if folder.config.teacher.api == "decisions" else ""),
        )


def _sample(batches: Iterable[pl.DataFrame], seed: int) -> tuple[pl.DataFrame, int]:
    """At most 200 of the documents, by doc_id, and the number of all. One batch is in memory at a time.

    They have the lowest hashes of seed and id, so the sample does not depend on the batches.
    """
    kept, n_documents = empty_frame().with_columns(hash=pl.lit(None, pl.String)), 0
    for batch in batches:
        hashes = [sha256(f"{seed}:{doc_id}".encode()).hexdigest() for doc_id in batch["doc_id"]]
        hashed = batch.with_columns(hash=pl.Series(hashes, dtype=pl.String))
        kept = pl.concat([kept, hashed]).bottom_k(_SAMPLE_SIZE, by="hash")
        n_documents += batch.height
    return kept.sort("doc_id"), n_documents


def _n_queries(folder: CorpusFolder, n_provided: int, n_documents: int) -> tuple[int, str]:
    """The number of queries that teach or measure, provided or to be written, and their source in words."""
    if folder.has_queries:
        return n_provided, f"{n_provided:,} queries of {folder.file_of('queries')}"
    settings = folder.config.queries
    n_seeds = min(settings.seed_documents, n_documents)
    source = f"{n_seeds:,} seed documents x {settings.per_document} queries"
    return n_seeds * settings.per_document, source
