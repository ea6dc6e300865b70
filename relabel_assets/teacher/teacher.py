"""The teacher: a language model behind any OpenAI-compatible endpoint, and the ledger of all it was
asked.

What belongs here: grading pairs with it, estimating what any questions will take, and writing their
requests to files. What does not: HTTP, limits and retries (sending/), batches (batch/), what is
asked (questions.py), the rows of grades (grading/), and having it write queries (queries/).
"""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.teacher_config import TeacherConfig
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.teacher.batch.request_files import AskedLog, write_request_files
from relabel_assets.teacher.estimate import Estimate, Workload, estimate
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.grading.grading import label_frame, teacher_label
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.report import observed_usage
from relabel_assets.teacher.questions import GradingQuestions, Questions
from relabel_assets.teacher.requests import estimate_prompt_tokens
from relabel_assets.teacher.sender import Sender
from relabel_assets.teacher.sending.endpoint import endpoint_name
from relabel_assets.teacher.sending.retry_settings import API_LIMITS, FileLimits, RetrySettings

STEP = "teacher_labels"
_SECONDS_BETWEEN_REPORTS = 1.0  # as often as a person can read them, whatever the speed


class Teacher:
    """Grades pairs. Holds no key: the endpoint's client reads OPENAI_API_KEY when something is
    sent.

    `notices` has what the last call had to say to people: an unknown price, a weaker dialect, an
    early stop.
    """

    def __init__(self, ledger_dir: Path, *, retry_settings: RetrySettings | None = None) -> None:
        self.ledger = Ledger(ledger_dir)
        self.retry_settings = retry_settings or RetrySettings()
        self.notices: list[str] = []

    def __repr__(self) -> str:
        return f"Teacher({str(self.ledger.folder)!r})"

    def grade(
        self,
        pairs: pl.DataFrame,
        *,
        corpus: str,
        config: TeacherConfig,
        rubric: Rubric,
        prompt: Prompt | None = None,
        progress: Progress = silent,
    ) -> pl.DataFrame:
        """The columns of teacher_labels minus corpus, one row a pair, in order.

        `pairs`: query_id, text, doc_id and DOCUMENT_COLUMNS. What the ledger can answer is not
        sent. A pair without a grade has a status and a reason, and is asked again next time. Works
        inside a running event loop too. Raises ConfigError for a budget that cannot be kept,
        TeacherError where the teacher cannot be asked at all; whatever was answered by then is in
        the ledger.
        """
        questions = GradingQuestions(pairs, config, rubric, prompt or grading_prompt())
        sender = self.sender(questions, corpus)
        labels = _LabelCollector(questions, sender, progress)
        self.notices = sender.notices
        try:
            sender.send(questions, questions.read, labels.take)
        finally:
            labels.report()
        return label_frame([row for row in labels.rows if row is not None])

    def estimate(
        self, questions: Questions, *, corpus: str, n_pairs: int | None = None
    ) -> Estimate:
        """What asking `questions` will take, without network. With `n_pairs`, they are a sample for
        so many pairs that are not chosen yet, and the ledger does not answer them."""
        config, sender = questions.config, self.sender(questions, corpus)
        workloads = {model: Workload(model) for model in questions.models}
        for request, outgoing in sender.look_up(questions, questions.read):
            workload = workloads[request.model]
            if outgoing is None and n_pairs is None:
                workload = workload.with_answered()
            else:
                body = outgoing.body if outgoing else request.body()
                tokens = estimate_prompt_tokens(body)
                workload = workload.with_unanswered(tokens, request.max_completion_tokens)
            workloads[request.model] = workload
        if n_pairs is not None:
            n_requests = n_pairs * config.votes
            workloads = {model: load.scaled(n_requests) for model, load in workloads.items()}
        return estimate(
            list(workloads.values()),
            observed_usage(self.ledger, questions.purpose, list(questions.models)),
            sender.prices(),
            config,
            assumed_completion_tokens=questions.assumed_completion_tokens,
        )

    def export(
        self, questions: Questions, *, corpus: str, out: Path, limits: FileLimits = API_LIMITS
    ) -> list[tuple[Path, int]]:
        """Write the requests that the ledger cannot answer to `out` (and `out` with .2, .3, ...
        where one file may not hold them), in the Batch API's format: (file, requests) of each. The
        ledger learns what was asked.

        Raises TeacherError where a file cannot be written.
        """

        def numbered(number: int) -> Path:
            return out if number == 1 else out.with_name(f"{out.stem}.{number}{out.suffix}")

        looked_up = self.sender(questions, corpus).look_up(questions, questions.read)
        missing = (outgoing for _, outgoing in looked_up if outgoing is not None)
        endpoint = endpoint_name(questions.config)
        log = AskedLog(self.ledger, corpus, questions.purpose, endpoint)
        return write_request_files(missing, numbered, limits, log.record)

    def sender(self, questions: Questions, corpus: str) -> Sender:
        """What sends `questions` of `corpus`, through this ledger."""
        return Sender(
            self.ledger,
            questions.config,
            corpus=corpus,
            purpose=questions.purpose,
            retry_settings=self.retry_settings,
        )


class _LabelCollector:
    """Collects the exchanges of one call into rows, and reports how far it is."""

    def __init__(self, questions: GradingQuestions, sender: Sender, progress: Progress) -> None:
        self._questions, self._sender, self._progress = questions, sender, progress
        self._pending: dict[int, list[Exchange]] = {}
        self._statuses: Counter[str] = Counter()
        self._n_replayed = 0
        self._started = self._reported = time.monotonic()
        self.rows: list[dict[str, Any] | None] = [None] * len(questions.pairs)
        sender.wait_note = self._wait

    def _wait(self, note: str) -> None:
        self._progress(STEP, self._statuses.total(), len(self.rows), note)

    def take(self, exchange: Exchange) -> None:
        """A pair's row is made when the last of its requests has ended, in whatever order they end."""
        questions = self._questions
        row = exchange.index // questions.n_per_pair
        pending = self._pending.setdefault(row, [])
        pending.append(exchange)
        if len(pending) < questions.n_per_pair:
            return
        exchanges = sorted(self._pending.pop(row), key=lambda exchange: exchange.index)
        label = teacher_label(
            questions.pairs.row(row, named=True),
            exchanges,
            questions.config,
            prompt_hash=questions.prompt_hash,
            n_grades=questions.rubric.n_grades,
        )
        self.rows[row] = label
        self._statuses[label["status"]] += 1
        self._n_replayed += all(exchange.is_replayed for exchange in exchanges)
        if time.monotonic() - self._reported >= _SECONDS_BETWEEN_REPORTS:
            self.report()

    def report(self) -> None:
        """Pairs a second, spend, failures by status and time left; pairs from the ledger do not
        count in the speed."""
        self._reported = time.monotonic()
        done, total = self._statuses.total(), len(self.rows)
        took_s, n_sent = self._reported - self._started, done - self._n_replayed
        parts = [f"{self._n_replayed} from the ledger"] if self._n_replayed else []
        if n_sent and took_s > 0:
            speed = n_sent / took_s
            left = f", {(total - done) / speed:.0f} s left" if done < total else ""
            parts.append(f"{speed:.1f} pairs/s{left}")
        if self._sender.budget.spent_usd:
            parts.append(f"${self._sender.budget.spent_usd:.4f}")
        parts.extend(
            f"{n} {status}" for status, n in sorted(self._statuses.items()) if status != "ok"
        )
        self._progress(STEP, done, total, ", ".join(parts))
