"""Having the teacher write queries: one request a seed document, through the ledger like every other.

What belongs here: sending and collecting, and saying what that will take. What does not: what is asked and kept (core/synthesis.py).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from relabel_assets.corpus.config import QueriesConfig, TeacherConfig
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.teacher.estimate import Estimate, Load, estimate
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.ledger.report import seen
from relabel_assets.teacher.query_writing import (
    kept_queries,
    queries_request,
    read_queries,
    seed_documents,
    wanted_queries,
)
from relabel_assets.teacher.requests import Request, estimate_prompt_tokens
from relabel_assets.teacher.sender import Sender
from relabel_assets.teacher.teacher import Teacher

PURPOSE = "queries"
_ASSUMED_TOKENS_A_QUERY = 30.0  # its words, its intent and the JSON around them


@dataclass(frozen=True)
class Written:
    """What came of it: `queries` as kept_queries gives them; how many were rejected, by reason; how many documents
    have no answer, by status; the first reason for each; and what was spent, now or earlier."""

    queries: pl.DataFrame
    rejected: Counter[str]
    failed: Counter[str]
    reasons: dict[str, str]
    cost_usd: float
    notices: list[str]


def write_queries(
    teacher: Teacher,
    documents: pl.DataFrame,
    *,
    corpus: str,
    config: TeacherConfig,
    queries: QueriesConfig,
    prompt: Prompt,
    progress: Progress = silent,
) -> Written:
    """Queries for the seed documents of `documents` (the columns of seed_docs). What the ledger answers is not sent.

    Raises ConfigError and TeacherError as Sender.send does; whatever was answered by then is in the ledger.
    """
    seeds, wanted = _wanted(documents, queries)
    answers: list[list[tuple[str, str]] | None] = [None] * len(seeds)
    failed: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    costs: list[float] = []
    sender = Sender(teacher.ledger, config, corpus=corpus, purpose=PURPOSE, retry_settings=teacher.retry_settings)

    def requests() -> Iterator[Request]:
        for seed, several in zip(seeds, wanted, strict=True):
            yield queries_request(seed, several, prompt, config)

    def take(exchange: Exchange) -> None:
        if exchange.cost_usd is not None:
            costs.append(exchange.cost_usd)
        if exchange.status == "ok" and exchange.parsed is not None:
            answers[exchange.index] = exchange.parsed.value
        else:
            failed[exchange.status] += 1
            reasons.setdefault(exchange.status, exchange.reason or "")
        done = failed.total() + sum(answer is not None for answer in answers)
        progress("writing queries, documents", done, len(seeds))

    def read(body: Any) -> Any:
        return read_queries(body)

    sender.send(requests(), read, take)
    replies = (
        (seed, several, answer)
        for seed, several, answer in zip(seeds, wanted, answers, strict=True)
        if answer is not None
    )
    found, rejected = kept_queries(replies, teacher_model=config.model, prompt_hash=prompt.content_hash)
    return Written(found, rejected, failed, reasons, sum(costs), sender.notices)


def estimate_queries(
    teacher: Teacher,
    documents: pl.DataFrame,
    *,
    corpus: str,
    config: TeacherConfig,
    queries: QueriesConfig,
    prompt: Prompt,
) -> Estimate:
    """What write_queries would take, without network; what the ledger answers is not counted as to be sent."""
    seeds, wanted = _wanted(documents, queries)
    sender = Sender(teacher.ledger, config, corpus=corpus, purpose=PURPOSE, retry_settings=teacher.retry_settings)
    requests = (queries_request(seed, several, prompt, config) for seed, several in zip(seeds, wanted, strict=True))
    load = Load(config.model)
    for request, outgoing in sender.look_up(requests, read_queries):
        tokens = estimate_prompt_tokens(outgoing.body) if outgoing else 0
        most = request.max_completion_tokens if outgoing else 0
        load = load.plus(is_answered=outgoing is None, prompt_tokens=tokens, most_completion_tokens=most)
    known = seen(teacher.ledger, PURPOSE, [config.model])
    assumed = queries.per_document * _ASSUMED_TOKENS_A_QUERY
    return estimate([load], known, sender.prices(), config, assumed_completion_tokens=assumed)


def _wanted(documents: pl.DataFrame, queries: QueriesConfig) -> tuple[list[dict[str, Any]], list[Any]]:
    seeds = seed_documents(documents, queries).to_dicts()
    return seeds, [wanted_queries(seed["doc_id"], queries) for seed in seeds]
