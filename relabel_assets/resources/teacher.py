"""The teacher: a language model behind any OpenAI-compatible endpoint, and the ledger of all it was asked.

What belongs here: grading pairs with it, live or from the ledger alone. What does not: HTTP (endpoint.py), limits and
retries (sending.py, attempts.py), prompts and rows (core/grading.py), writing queries (query_writer.py).
"""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.core.corpus_config import TeacherConfig
from relabel_assets.core.exchange import Exchange, Reading
from relabel_assets.core.grading import (
    grading_prompt,
    grading_prompt_hash,
    grading_requests,
    label_frame,
    n_requests_per_pair,
    teacher_label,
)
from relabel_assets.core.progress import Progress, silent
from relabel_assets.core.prompt import Prompt
from relabel_assets.core.recorded_teacher import grade_recorded
from relabel_assets.core.replies import read_grade
from relabel_assets.core.requests import Request
from relabel_assets.core.rubric import Rubric
from relabel_assets.resources.attempts import Patience
from relabel_assets.resources.ledger import Ledger
from relabel_assets.resources.sending import Sender

STEP = "teacher_labels"
_SECONDS_BETWEEN_REPORTS = 1.0


class Teacher:
    """Grades pairs. Holds no key: the endpoint's client reads OPENAI_API_KEY when something is sent.

    `notices` has what the last call had to say to people: an unknown price, a weaker dialect, an early stop.
    """

    def __init__(self, ledger_dir: Path, *, patience: Patience | None = None) -> None:
        self.ledger = Ledger(ledger_dir)
        self.patience = patience or Patience()
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
        prompt = grading_prompt(prompt_text, file=config.prompt or "the grading prompt")
        sender = Sender(self.ledger, config, corpus=corpus, purpose="grading", patience=self.patience)
        grading = _Grading(pairs, prompt, rubric, config, sender, progress)
        self.notices = sender.notices
        try:
            sender.send(grading.requests(), grading.read, grading.take)
        finally:
            grading.report()
        return label_frame([row for row in grading.rows if row is not None])

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


class _Grading:
    """The pairs of one call, on their way to becoming rows."""

    def __init__(
        self,
        pairs: pl.DataFrame,
        prompt: Prompt,
        rubric: Rubric,
        config: TeacherConfig,
        sender: Sender,
        progress: Progress,
    ) -> None:
        self._pairs, self._prompt, self._rubric, self._config = pairs, prompt, rubric, config
        self._sender, self._progress = sender, progress
        self._prompt_hash = grading_prompt_hash(prompt, rubric)
        self._per_pair = n_requests_per_pair(config)
        self._pending: dict[int, list[Exchange]] = {}
        self._statuses: Counter[str] = Counter()
        self._n_replayed = 0
        self._started = self._reported = time.monotonic()
        self.rows: list[dict[str, Any] | None] = [None] * len(pairs)

    def requests(self) -> Iterator[Request]:
        for pair in self._pairs.iter_rows(named=True):
            yield from grading_requests(pair, self._prompt, self._rubric, self._config)

    def read(self, body: Any) -> Reading:
        return read_grade(body, self._rubric.n_grades)

    def take(self, exchange: Exchange) -> None:
        row = exchange.index // self._per_pair
        pending = self._pending.setdefault(row, [])
        pending.append(exchange)
        if len(pending) < self._per_pair:
            return
        exchanges = sorted(self._pending.pop(row), key=lambda pending: pending.index)
        label = teacher_label(
            self._pairs.row(row, named=True), exchanges, self._config,
            prompt_hash=self._prompt_hash, n_grades=self._rubric.n_grades,
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
        if self._sender.purse.spent_usd:
            parts.append(f"${self._sender.purse.spent_usd:.4f}")
        parts.extend(f"{n} {status}" for status, n in sorted(self._statuses.items()) if status != "ok")
        self._progress(STEP, done, total, ", ".join(parts))
