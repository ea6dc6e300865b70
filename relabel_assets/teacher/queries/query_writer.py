"""Writing queries with the teacher: one request for each seed document.

What belongs here: sending the requests and collecting the queries. What does not: the requests
(query_requests.py) and which queries are kept (query_filters.py).
"""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from relabel_assets.progress import Progress, silent
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.queries.query_filters import kept_queries
from relabel_assets.teacher.queries.query_requests import QueryItem
from relabel_assets.teacher.questions import QueryQuestions
from relabel_assets.teacher.teacher import Teacher

STEP = "writing queries, documents"


@dataclass(frozen=True)
class WrittenQueries:
    """The result of write_queries."""

    queries: pl.DataFrame  # as kept_queries returns them
    rejected: Counter[str]  # number of queries by reason
    failed: Counter[str]  # number of documents without an answer, by status
    reasons: dict[str, str]  # the first reason of each status
    cost_usd: float  # of all these requests, also in earlier runs
    notices: list[str]


def write_queries(
    teacher: Teacher, questions: QueryQuestions, *, corpus: str, progress: Progress = silent
) -> WrittenQueries:
    """The queries that `teacher` writes for `questions`.

    Requests that the ledger answers are not sent. Raises ConfigError and TeacherError as Sender.send
    does. Answers received before are in the ledger.

    >>> import tempfile, pathlib
    >>> from relabel_assets.corpus.config.config import QueriesConfig
    >>> from relabel_assets.corpus.config.teacher_config import TeacherConfig
    >>> from relabel_assets.prompts.teacher_prompts import queries_prompt
    >>> row = {"doc_id": "d", "title": None, "body": "word " * 20, "path": None, "doc_type": None}
    >>> config = TeacherConfig(mode="offline")  # answers from the ledger alone, which is empty here
    >>> questions = QueryQuestions(pl.DataFrame([row]), config, QueriesConfig(), queries_prompt())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_queries(Teacher(pathlib.Path(folder)), questions, corpus="demo")
    >>> written.queries.height, dict(written.failed)
    (0, {'failed': 1})
    """
    sender = teacher.sender(questions, corpus)
    collector = _QueryCollector(questions, progress)
    sender.send(questions, questions.read, collector.take)
    return collector.result(sender.notices)


class _QueryCollector:
    """Collects the exchanges of one call."""

    def __init__(self, questions: QueryQuestions, progress: Progress) -> None:
        self._questions, self._progress = questions, progress
        self._written: dict[int, list[QueryItem]] = {}  # by index of the seed document
        self._failed: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._cost_usd = 0.0

    def take(self, exchange: Exchange) -> None:
        """Add the exchange of one document."""
        self._cost_usd += exchange.cost_usd or 0.0
        if exchange.status == "ok" and exchange.parsed is not None:
            self._written[exchange.index] = exchange.parsed.value
        else:
            self._failed[exchange.status] += 1
            self._reasons.setdefault(exchange.status, exchange.reason or "")
        done = len(self._written) + self._failed.total()
        self._progress(STEP, done, len(self._questions.seeds))

    def result(self, notices: list[str]) -> WrittenQueries:
        """The result, in the order of the seed documents and not of the answers."""
        questions = self._questions
        replies = (
            (questions.seeds[index], questions.wanted[index], written)
            for index, written in sorted(self._written.items())
        )
        queries, rejected = kept_queries(
            replies,
            teacher_model=questions.config.model,
            prompt_hash=questions.prompt.content_hash,
        )
        return WrittenQueries(
            queries, rejected, self._failed, self._reasons, self._cost_usd, notices
        )
