"""Having the teacher write queries: one request a seed document, through the ledger like every other.

What belongs here: sending and collecting. What does not: what is asked and kept (core/synthesis.py).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from relabel_assets.core.corpus_config import QueriesConfig, TeacherConfig
from relabel_assets.core.exchange import Exchange
from relabel_assets.core.progress import Progress, silent
from relabel_assets.core.prompt import Prompt
from relabel_assets.core.requests import Request
from relabel_assets.core.synthesis import kept_queries, queries_request, read_queries, seed_documents, wanted_queries
from relabel_assets.resources.sending import Sender
from relabel_assets.resources.teacher import Teacher


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
    seeds = seed_documents(documents, queries).to_dicts()
    wanted = [wanted_queries(seed["doc_id"], queries) for seed in seeds]
    answers: list[list[tuple[str, str]] | None] = [None] * len(seeds)
    failed: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    costs: list[float] = []
    sender = Sender(teacher.ledger, config, corpus=corpus, purpose="queries", patience=teacher.patience)

    def requests() -> Iterator[Request]:
        for seed, several in zip(seeds, wanted, strict=True):
            yield queries_request(seed, several, prompt, config)

    def take(exchange: Exchange) -> None:
        if exchange.cost_usd is not None:
            costs.append(exchange.cost_usd)
        if exchange.status == "ok" and exchange.reading is not None:
            answers[exchange.index] = exchange.reading.value
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
