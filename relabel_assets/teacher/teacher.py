"""The teacher: a language model behind any OpenAI-compatible endpoint, and the ledger of all it was asked.

What belongs here: grading pairs with it, saying what that will take, and writing its requests to files. What does not:
HTTP (endpoint.py), limits and retries (sending.py, attempts.py), batches (batch.py), prompts and rows
(core/grading.py), writing queries (query_writer.py).
"""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.config import TeacherConfig
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.teacher.batch.request_files import AskedLog, write_request_files
from relabel_assets.teacher.estimate import Estimate, Load, estimate
from relabel_assets.teacher.exchange import Exchange, ParsedReply
from relabel_assets.teacher.grading import (
    grading_prompt,
    grading_prompt_hash,
    grading_requests,
    label_frame,
    n_requests_per_pair,
    teacher_label,
)
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.report import seen
from relabel_assets.teacher.recorded import grade_recorded
from relabel_assets.teacher.replies import read_grade
from relabel_assets.teacher.requests import Request, estimate_prompt_tokens
from relabel_assets.teacher.sender import Sender
from relabel_assets.teacher.sending.endpoint import endpoint_name
from relabel_assets.teacher.sending.retry_settings import API_LIMITS, FileLimits, RetrySettings

STEP = "teacher_labels"
PURPOSE = "grading"
_SECONDS_BETWEEN_REPORTS = 1.0


class Teacher:
    """Grades pairs. Holds no key: the endpoint's client reads OPENAI_API_KEY when something is sent.

    `notices` has what the last call had to say to people: an unknown price, a weaker dialect, an early stop.
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
        prompt_text: str | None = None,
        progress: Progress = silent,
    ) -> pl.DataFrame:
        """The columns of teacher_labels minus corpus, one row a pair, in order.

        `pairs`: query_id, text, doc_id, title, body, author, path, updated_at, doc_type. What the ledger can answer is
        not sent. A pair without a grade has a status and a reason, and is asked again next time. Works inside a running
        event loop too. Raises ConfigError for a wrong prompt or a budget that cannot be kept, TeacherError where the
        teacher cannot be asked at all; whatever was answered by then is in the ledger.
        """
        questions = GradingQuestions(pairs, config, rubric, prompt_text)
        sender = self._sender(corpus, config)
        grading = _Grading(questions, sender, progress)
        self.notices = sender.notices
        try:
            sender.send(questions, questions.read, grading.take)
        finally:
            grading.report()
        return label_frame([row for row in grading.rows if row is not None])

    def estimate(self, questions: "GradingQuestions", *, corpus: str, n_pairs: int | None = None) -> Estimate:
        """What grading will take, without network. With `n_pairs`, `questions` are a sample of so many pairs that are
        not chosen yet, and the ledger is not asked for them."""
        config, sender = questions.config, self._sender(corpus, questions.config)
        loads = {model: Load(model) for model in (config.model, *config.panel)}
        for request, outgoing in sender.look_up(questions, questions.read):
            load = loads[request.model]
            if outgoing is None and n_pairs is None:
                loads[request.model] = load.plus(is_answered=True)
                continue
            tokens = estimate_prompt_tokens(outgoing.body if outgoing else request.body())
            loads[request.model] = load.plus(
                is_answered=False, prompt_tokens=tokens, most_completion_tokens=request.max_completion_tokens
            )
        if n_pairs is not None:
            loads = {model: load.scaled(n_pairs * config.votes) for model, load in loads.items()}
        return estimate(list(loads.values()), seen(self.ledger, PURPOSE, list(loads)), sender.prices(), config)

    def export(
        self, questions: "GradingQuestions", *, corpus: str, out: Path, limits: FileLimits = API_LIMITS
    ) -> list[tuple[Path, int]]:
        """Write the requests that the ledger cannot answer to `out` (and `out` with .2, .3, ... where one file may not
        hold them), in the Batch API's format: (file, requests) of each. The ledger learns what was asked.

        Raises TeacherError where a file cannot be written.
        """
        config, sender = questions.config, self._sender(corpus, questions.config)
        missing = (found for _, found in sender.look_up(questions, questions.read) if found is not None)
        return write_request_files(
            missing,
            lambda number: out if number == 1 else out.with_name(f"{out.stem}.{number}{out.suffix}"),
            limits,
            AskedLog(self.ledger, corpus, PURPOSE, endpoint_name(config)).record,
        )

    def _sender(self, corpus: str, config: TeacherConfig) -> Sender:
        return Sender(self.ledger, config, corpus=corpus, purpose=PURPOSE, retry_settings=self.retry_settings)

    def grade_recorded(
        self,
        pairs: pl.DataFrame,
        recorded_labels: pl.DataFrame,
        *,
        model: str | None = None,
        rubric: Rubric | None = None,
    ) -> pl.DataFrame:
        """The same columns from grades given elsewhere; see core/recorded_teacher.py."""
        return grade_recorded(pairs, recorded_labels, model=model, rubric=rubric)


class GradingQuestions:
    """The requests that grade `pairs`, in order, as often as they are gone through; and the reading of their answers.

    Raises ConfigError for a wrong prompt.
    """

    def __init__(
        self, pairs: pl.DataFrame, config: TeacherConfig, rubric: Rubric, prompt_text: str | None = None
    ) -> None:
        self.pairs, self.config, self.rubric = pairs, config, rubric
        self.prompt = grading_prompt(prompt_text, file=config.prompt or "the grading prompt")
        self.prompt_hash = grading_prompt_hash(self.prompt, rubric)
        self.n_per_pair = n_requests_per_pair(config)

    def __iter__(self) -> Iterator[Request]:
        for pair in self.pairs.iter_rows(named=True):
            yield from grading_requests(pair, self.prompt, self.rubric, self.config)

    def read(self, body: Any) -> ParsedReply:
        return read_grade(body, self.rubric.n_grades)


class _Grading:
    """The pairs of one call, on their way to becoming rows."""

    def __init__(self, questions: GradingQuestions, sender: Sender, progress: Progress) -> None:
        self._questions, self._sender, self._progress = questions, sender, progress
        self._pending: dict[int, list[Exchange]] = {}
        self._statuses: Counter[str] = Counter()
        self._n_replayed = 0
        self._started = self._reported = time.monotonic()
        self.rows: list[dict[str, Any] | None] = [None] * len(questions.pairs)
        sender.wait_note = self._wait

    def _wait(self, note: str) -> None:
        self._progress(STEP, sum(self._statuses.values()), len(self.rows), note)

    def take(self, exchange: Exchange) -> None:
        row = exchange.index // self._questions.n_per_pair
        pending = self._pending.setdefault(row, [])
        pending.append(exchange)
        if len(pending) < self._questions.n_per_pair:
            return
        questions = self._questions
        exchanges = sorted(self._pending.pop(row), key=lambda pending: pending.index)
        label = teacher_label(
            questions.pairs.row(row, named=True), exchanges, questions.config,
            prompt_hash=questions.prompt_hash, n_grades=questions.rubric.n_grades,
        )  # fmt: skip
        self.rows[row] = label
        self._statuses[label["status"]] += 1
        self._n_replayed += all(exchange.is_replayed for exchange in exchanges)
        if time.monotonic() - self._reported >= _SECONDS_BETWEEN_REPORTS:
            self.report()

    def report(self) -> None:
        """Pairs a second, spend, failures by status and time left; pairs from the ledger do not count in the speed."""
        self._reported = time.monotonic()
        done, total = sum(self._statuses.values()), len(self.rows)
        took_s, n_sent = self._reported - self._started, done - self._n_replayed
        parts = [f"{self._n_replayed} from the ledger"] if self._n_replayed else []
        if n_sent and took_s > 0:
            speed = n_sent / took_s
            left = f", {(total - done) / speed:.0f} s left" if done < total else ""
            parts.append(f"{speed:.1f} pairs/s{left}")
        if self._sender.budget.spent_usd:
            parts.append(f"${self._sender.budget.spent_usd:.4f}")
        parts.extend(f"{n} {status}" for status, n in sorted(self._statuses.items()) if status != "ok")
        self._progress(STEP, done, total, ", ".join(parts))
