"""Having the teacher write queries: one request a seed document, through the ledger like every
other.

What belongs here: sending and collecting. What does not: what is asked (query_requests.py), which
of the written queries are kept (query_filters.py), and what it will take (Teacher.estimate).
"""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from relabel_assets.progress import Progress, silent
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.queries.query_filters import kept_queries
from relabel_assets.teacher.queries.query_requests import WrittenQuery
from relabel_assets.teacher.questions import QueryQuestions
from relabel_assets.teacher.teacher import Teacher

STEP = "writing queries, documents"


@dataclass(frozen=True)
class WrittenQueries:
    """What came of it: `queries` as kept_queries gives them; how many were rejected, by reason; how
    many documents have no answer, by status; the first reason for each; and what was spent, now or
    earlier."""

    queries: pl.DataFrame
    rejected: Counter[str]
    failed: Counter[str]
    reasons: dict[str, str]
    cost_usd: float
    notices: list[str]


def write_queries(
    teacher: Teacher, questions: QueryQuestions, *, corpus: str, progress: Progress = silent
) -> WrittenQueries:
    """The queries that `teacher` writes when asked `questions`. What the ledger answers is not
    sent.

    Raises ConfigError and TeacherError as Sender.send does; whatever was answered by then is in the
    ledger.

    >>> import tempfile, pathlib
    >>> from relabel_assets.corpus.config import QueriesConfig
    >>> from relabel_assets.corpus.teacher_config import TeacherConfig
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
        self._written: dict[int, list[WrittenQuery]] = {}  # by place of the seed document
        self._failed: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._cost_usd = 0.0

    def take(self, exchange: Exchange) -> None:
        self._cost_usd += exchange.cost_usd or 0.0
        if exchange.status == "ok" and exchange.parsed is not None:
            self._written[exchange.index] = exchange.parsed.value
        else:
            self._failed[exchange.status] += 1
            self._reasons.setdefault(exchange.status, exchange.reason or "")
        done = len(self._written) + self._failed.total()
        self._progress(STEP, done, len(self._questions.seeds))

    def result(self, notices: list[str]) -> WrittenQueries:
        """In the order of the seed documents, whatever order the answers came in."""
        questions = self._questions
        replies = (
            (questions.seeds[place], questions.wanted[place], written)
            for place, written in sorted(self._written.items())
        )
        queries, rejected = kept_queries(
            replies,
            teacher_model=questions.config.model,
            prompt_hash=questions.prompt.content_hash,
        )
        return WrittenQueries(
            queries, rejected, self._failed, self._reasons, self._cost_usd, notices
        )
