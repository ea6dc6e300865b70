"""The teacher: a language model behind an OpenAI-compatible endpoint, with its ledger.

What belongs here: grading pairs, and for any questions the estimate and the export of requests to
files. What does not: HTTP, limits and retries (sending/), batches (batch/), the questions
(questions.py), the rows of grades (grading/) and writing queries (queries/).
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import ConfigError
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.prompts.teacher_prompts import decisions_prompt, grading_prompt
from relabel_assets.teacher.batch.request_files import AskedLog, write_request_files
from relabel_assets.teacher.decisions.bundles import Asked, Bundler
from relabel_assets.teacher.decisions.decision_requests import joined
from relabel_assets.teacher.estimate import Estimate, Workload, estimate
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.grading.grading import label_frame, teacher_label
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.report import observed_usage
from relabel_assets.teacher.questions import GradingQuestions, Questions
from relabel_assets.teacher.redaction.redaction import redaction_note
from relabel_assets.teacher.requests import Outgoing
from relabel_assets.teacher.sender import Sender
from relabel_assets.teacher.sending.endpoint import endpoint_name
from relabel_assets.teacher.sending.retry_settings import API_LIMITS, FileLimits, RetrySettings

STEP = "teacher_labels"
_SECONDS_BETWEEN_REPORTS = 1.0  # a person cannot read them faster


class Teacher:
    """Grades pairs. Holds no API key: the endpoint's client reads it when something is sent.

    `notices` has the last call's messages for people, such as an unknown price or an early stop,
    `spent_usd` what grading spent in it, and `redacted` how many values of each kind it replaced.
    """

    def __init__(self, ledger_dir: Path, *, retry_settings: RetrySettings | None = None) -> None:
        self.ledger = Ledger(ledger_dir)
        self.retry_settings = retry_settings or RetrySettings()
        self.notices: list[str] = []
        self.spent_usd = 0.0
        self.redacted: dict[str, int] = {}

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
        """One row of teacher_labels, without corpus, for each of `pairs`, in order.

        `pairs`: query_id, text, doc_id and DOCUMENT_COLUMNS. Requests that the ledger answers are not
        sent. A pair without a grade has a status and a reason, and is asked again next time. Works
        inside a running event loop too. Raises ConfigError for a budget that cannot be kept, and
        TeacherError if the teacher cannot be asked. Answers received before are in the ledger.
        """
        own = decisions_prompt if config.api == "decisions" else grading_prompt
        questions = GradingQuestions(pairs, config, rubric, prompt or own())
        sender = self.sender(questions, corpus)
        labels = _LabelCollector(questions, sender, progress)
        self.notices, self.spent_usd = sender.notices, 0.0
        try:
            sender.send(questions, questions.read, labels.take)
        finally:
            self.spent_usd = sender.budget.spent_usd
            self.redacted = dict(questions.redaction.counts)
            if note := redaction_note(questions.redaction.counts):
                self.notices.append(note)
            labels.report()
        return label_frame([row for row in labels.rows if row is not None])

    def estimate(
        self,
        questions: Questions,
        *,
        corpus: str,
        n_pairs: int | None = None,
        progress: Progress = silent,
    ) -> Estimate:
        """The estimate for asking `questions`, without network.

        With `n_pairs`, `questions` are a sample of so many pairs, and the ledger answers none.
        """
        config, sender = questions.config, self.sender(questions, corpus)
        workloads = {model: Workload(model) for model in questions.models}
        looked_up = sender.look_up(questions, questions.read)
        bundler = Bundler(config.max_questions)

        def add(bundles: Iterable[Sequence[Asked]]) -> None:
            for bundle in bundles:
                sent = joined([asked.outgoing for asked in bundle])
                model, n_questions = sent.request.model, len(bundle)
                workloads[model] = workloads[model].with_unanswered(
                    sent.prompt_tokens, sent.request.max_completion_tokens, n_questions
                )

        for done, (request, outgoing) in enumerate(looked_up, start=1):
            progress("estimating, requests", done, len(questions))
            if outgoing is None and n_pairs is None:
                workloads[request.model] = workloads[request.model].with_answered()
            else:
                add(bundler.add(Asked(done, outgoing or Outgoing.of(request))))
        add(bundler.rest())
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
        """Write the requests that the ledger cannot answer to files: (file, number of requests) each.

        They are in the Batch API's format. The first file is `out`; more by `limits` are `out` with
        .2, .3, ... The ledger records the requests. Raises TeacherError for a file that fails, and
        ConfigError for api decisions: it has no Batch API, and each file line would repeat the document.
        """
        if questions.config.api == "decisions":
            raise ConfigError(
                f"corpus {corpus!r} cannot be exported: teacher.api is decisions, which has no Batch "
                "format. Let `relabel run` ask, or set teacher.api to openai with a model for it."
            )

        def numbered(number: int) -> Path:
            return out if number == 1 else out.with_name(f"{out.stem}.{number}{out.suffix}")

        looked_up = self.sender(questions, corpus).look_up(questions, questions.read)
        missing = (outgoing for _, outgoing in looked_up if outgoing is not None)
        endpoint = endpoint_name(questions.config)
        log = AskedLog(self.ledger, corpus, questions.purpose, endpoint)
        return write_request_files(missing, numbered, limits, log.record)

    def sender(self, questions: Questions, corpus: str) -> Sender:
        """A sender for `questions` about `corpus`, with this ledger."""
        return Sender(
            self.ledger,
            questions.config,
            corpus=corpus,
            purpose=questions.purpose,
            retry_settings=self.retry_settings,
        )


class _LabelCollector:
    """Collects the exchanges of one call into rows, and reports progress."""

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
        """Add an exchange. The last one of a pair, in any order, makes its row."""
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
        self.rows[questions.positions[row]] = label
        self._statuses[label["status"]] += 1
        self._n_replayed += all(exchange.is_replayed for exchange in exchanges)
        if time.monotonic() - self._reported >= _SECONDS_BETWEEN_REPORTS:
            self.report()

    def report(self) -> None:
        """Report pairs a second, spend and failures. Replayed pairs do not count as speed."""
        self._reported = time.monotonic()
        done, total = self._statuses.total(), len(self.rows)
        took_s, n_sent = self._reported - self._started, done - self._n_replayed
        parts = [f"{self._n_replayed} from the ledger"] if self._n_replayed else []
        if n_sent and took_s > 0:
            parts.append(f"{n_sent / took_s:.1f} pairs/s")
        if self._sender.budget.spent_usd:
            parts.append(f"${self._sender.budget.spent_usd:.4f}")
        parts.extend(
            f"{n} {status}" for status, n in sorted(self._statuses.items()) if status != "ok"
        )
        self._progress(STEP, done, total, ", ".join(parts))
