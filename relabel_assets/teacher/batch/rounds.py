"""The Batch API as a way of sending: files of requests out, files of results back, as often as needed.

What belongs here: which requests go into a round, waiting, and acting on the decision about each result. What does not: the
calls (endpoint.py), the pending batches (pending.py), the files' lines (request_files.py, response_files.py).

A round writes every request that has no answer to files, sends them, waits for all, and puts the results into the ledger;
then it looks again.
"""

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import tenacity

from relabel_assets.errors import TeacherError
from relabel_assets.teacher.batch.endpoint import CORPUS, TAG, BatchEndpoint, RemoteBatch
from relabel_assets.teacher.batch.pending import PendingBatch, PendingBatches
from relabel_assets.teacher.batch.request_files import AskedLog, write_request_files
from relabel_assets.teacher.batch.response_files import (
    Asked,
    ImportResult,
    asked_in,
    numbered,
    record_responses,
)
from relabel_assets.teacher.decision import Tries, decide
from relabel_assets.teacher.exchange import Exchange, ExchangeStatus, OnExchange, ParsedReply
from relabel_assets.teacher.ledger.lines import Line, now
from relabel_assets.teacher.requests import Outgoing, Request, dialect_named
from relabel_assets.teacher.sending.context import SendingContext
from relabel_assets.teacher.sending.limits import most_usd
from relabel_assets.teacher.verdict import Verdict, judge

_MONEY_ROUNDS = 3  # each sends what the budget surely holds, and replies mostly cost less: more rounds bring little
_LOOKS = 3  # for a batch that may have been created: a listing can lag behind
_NO_RESULT = Verdict("retry", "the batch ended without a result")


@dataclass(frozen=True)
class _End:
    """How a request ended, where the ledger has no answer that can be used."""

    status: ExchangeStatus
    reason: str | None
    line: Line | None = None
    parsed: ParsedReply | None = None


class BatchRounds:
    """One run in batch mode. `requests` must give the same ones each time they are gone through."""

    def __init__(self, context: SendingContext, requests: Iterable[Request]) -> None:
        self._context, self._requests = context, requests
        self._endpoint: BatchEndpoint | None = None
        self._pending = PendingBatches(context.ledger.folder, context.corpus)
        self._n_sent: Counter[str] = Counter()  # by key, in this run
        self._tries: dict[str, Tries] = {}
        self._undecided: set[str] = set()  # keys that were sent, and their results not looked at
        self._results: dict[
            str, Line
        ] = {}  # the latest of each request; of an answer without its body
        self._ends: dict[str, _End] = {}
        self._n_held_back = 0  # by the budget, in the last round

    def run(self, on_exchange: OnExchange) -> None:
        """Send until every request has an answer or a reason, then call `on_exchange` once for each. Raises TeacherError."""
        try:
            self.collect()
            money_rounds = 0
            while self._send_round():
                self.collect()
                money_rounds += self._n_held_back > 0
                if money_rounds == _MONEY_ROUNDS:
                    break
            for index, request in enumerate(self._requests):
                exchange = self._ended(index, request)
                self._context.count(exchange)
                on_exchange(exchange)
        finally:
            if self._endpoint is not None:
                self._endpoint.close()

    def collect(self, *, is_patient: bool = True) -> bool:
        """Put the results of every pending batch into the ledger, waiting for them if patient; whether none is left."""
        settings = self._context.retry_settings
        wait_s = settings.first_poll_s
        while pending := self._pending.all():
            notes = []
            for number, batch in enumerate(pending, start=1):
                remote = self._find(batch)
                if remote is not None and remote.is_ended:
                    self._record_results(batch, remote)
                elif remote is not None:
                    place = f"batch {number} of {len(pending)}" if len(pending) > 1 else "batch"
                    done = f"{remote.n_done:,} of {batch.n_requests:,} done"
                    notes.append(f"{place} {remote.status}, {done}")
            if not notes:
                continue
            if not is_patient:
                return False
            self._context.on_wait("; ".join(notes))
            time.sleep(wait_s)
            wait_s = min(wait_s * 1.5, settings.longest_poll_s)
        return True

    def _api(self) -> BatchEndpoint:
        if self._endpoint is None:
            self._endpoint = BatchEndpoint(self._context.config)
        return self._endpoint

    # out

    def _send_round(self) -> int:
        """Write and send the requests without an answer; their number."""
        context = self._context
        self._pending.sweep()
        tags: list[str] = []

        def path_of(number: int) -> Path:
            tags.append(uuid.uuid4().hex)
            return self._pending.path_of(tags[-1])

        asked_log = AskedLog(context.ledger, context.corpus, context.purpose, context.endpoint_name)
        limits = context.retry_settings.batch_limits
        files = write_request_files(self._outgoing(), path_of, limits, asked_log.record)
        batches = [
            PendingBatch(tag, n_requests, context.endpoint_name, now())
            for tag, (_, n_requests) in zip(tags, files, strict=True)
        ]
        for batch in batches:
            self._ship(batch)
        return sum(batch.n_requests for batch in batches)

    def _outgoing(self) -> Iterator[Outgoing]:
        """The requests of the next round, as far as the budget holds them for sure."""
        context, budget = self._context, self._context.budget
        reserved_usd, in_round = 0.0, set[str]()
        self._n_held_back = 0
        for index, request in enumerate(self._requests):
            outgoing = context.find(index, request)
            if isinstance(outgoing, Exchange):
                continue
            if outgoing.key not in in_round:
                outgoing = self._decided(outgoing)
            key = outgoing.key
            if key in in_round or key in self._ends or context.stop_reason is not None:
                continue
            request_usd = most_usd(outgoing, context.prices.get(request.model))
            if self._n_held_back or not budget.holds(reserved_usd + request_usd):
                self._n_held_back += 1
                continue
            reserved_usd += request_usd
            in_round.add(key)
            self._undecided.add(key)
            self._n_sent[key] += 1
            self._results.pop(key, None)
            context.counts["sent"] += 1
            yield outgoing

    def _ship(self, batch: PendingBatch) -> None:
        """Upload, create, and write down each step before and after: whatever dies in between can be found again."""
        context, settings = self._context, self._context.retry_settings
        self._pending.put(batch)
        file_id = self._api().upload(self._pending.path_of(batch.tag), batch.name)
        batch = self._pending.update(batch, file_id=file_id)
        metadata = {TAG: batch.tag, CORPUS: context.corpus}
        until_there = _until_not_none(
            context.config.max_retries + 1,
            tenacity.wait_exponential(settings.first_backoff_s, settings.longest_backoff_s),
        )
        remote = until_there(lambda: self._api().create(file_id, metadata) or self._look_for(batch))
        if remote is None:
            self._pending.drop(batch)
            raise TeacherError(
                f"the endpoint {context.endpoint_name} does not create a batch. Run again later: nothing is lost."
            )
        self._pending.update(batch, batch_id=remote.id)

    def _look_for(self, batch: PendingBatch) -> RemoteBatch | None:
        wait = tenacity.wait_fixed(self._context.retry_settings.first_poll_s)
        return _until_not_none(_LOOKS, wait)(lambda: self._api().find(batch.tag))

    # back

    def _find(self, batch: PendingBatch) -> RemoteBatch | None:
        """The batch at the endpoint; None, and forgotten, where it was never created."""
        name = self._context.endpoint_name
        if batch.endpoint != name:
            raise TeacherError(
                f"a batch of corpus {self._context.corpus!r} is out at {batch.endpoint}, and teacher.base_url is "
                f"{name}. Set it back until the batch has come in, or delete {self._pending.folder} to give it up."
            )
        if batch.batch_id is not None:
            return self._api().get(batch.batch_id)
        remote = self._look_for(batch)
        if remote is None:
            self._pending.drop(batch)
        else:
            self._pending.update(batch, batch_id=remote.id)
        return remote

    def _record_results(self, batch: PendingBatch, remote: RemoteBatch) -> None:
        """Download the results of an ended batch, put them into the ledger, and forget the batch."""
        context, result = self._context, ImportResult()
        keys = self._pending.keys_of(batch)
        for number, file_id in enumerate(remote.result_files):
            path = self._pending.folder / f"{batch.tag}.{number}.results"
            self._api().download(file_id, path)
            requests = asked_in(context.ledger, [path])
            asked = {
                key: Asked(line.metadata, context.prices.get(line.metadata.model))
                for key, line in requests.items()
            }
            record_responses(
                context.ledger,
                numbered(path),
                f"results of {remote.id}",
                asked.get,
                result,
                on_response=self._remember,
                redact=self._api().redact,
            )
            path.unlink()
        context.budget.spent_usd += result.usd
        if result.problems:
            n_lines = len(result.problems)
            context.notices.say(f"lines left out: {n_lines:,}, the first: {result.problems[0]}")
        self._end_rest(remote, keys)
        self._pending.drop(batch)

    def _remember(self, line: Line) -> None:
        """Keep the latest result of a request, until it is decided on."""
        if line.response is None:
            return
        response = replace(line.response, body=None) if line.is_answer else line.response
        self._results[line.key] = replace(line, response=response)
        dialect = dialect_named(line.metadata.dialect)
        if line.is_answer and dialect is not None:
            self._context.dialects.mark_answered(line.metadata.model, dialect)

    def _end_rest(self, remote: RemoteBatch, keys: set[str]) -> None:
        """End requests of this run without a result, where sending them again would not help."""
        codes = {code for code, _ in remote.errors}
        message = self._api().redact("; ".join(text for _, text in remote.errors if text))
        reasons = {
            "cancelled": "the batch was cancelled",
            "failed": f"the batch failed: {message}",
        }
        # token_limit_exceeded: too many tokens are enqueued now; later there is room.
        if remote.status not in reasons or "token_limit_exceeded" in codes:
            return
        for key in keys & set(self._n_sent) - set(self._results):
            self._ends[key] = _End("failed", reasons[remote.status])

    def _decided(self, outgoing: Outgoing) -> Outgoing:
        """Act on the result of `outgoing` in the last round, once; then the same request in the current dialect."""
        context, key = self._context, outgoing.key
        if key not in self._undecided:
            return outgoing
        self._undecided.discard(key)
        if key in self._ends:
            return outgoing
        line, verdict, parsed = self._judged(key)
        self._tries[key] = self._tries.get(key, Tries()).plus(verdict, parsed)
        decision = decide(verdict, self._tries[key], context.config.max_retries, parsed)
        reason = decision.reason
        match decision.step:
            case "ask_again" | "back_off":
                return outgoing  # with the next round
            case "concede" if context.dialects.concede(outgoing, reason or "", context.notices.say):
                return outgoing.in_dialect(context.dialects.current(outgoing.request.model))
            case "stop":
                context.stop(f"the endpoint's quota or money is spent ({reason})")
        self._ends[key] = _End(decision.status, reason, line, parsed)
        return outgoing

    def _judged(self, key: str) -> tuple[Line | None, Verdict, ParsedReply | None]:
        """The result of a request in the last round, the verdict on it and, if it can be used, the parsed reply."""
        line = self._results.get(key)
        if line is not None and line.is_answer:
            line = next(self._context.ledger.answers(key), line)  # with its body
        if line is None or line.response is None:
            return None, _NO_RESULT, None
        response = line.response
        verdict = judge(response.status_code, response.body, error=response.error_message)
        parsed = self._context.read(response.body) if verdict.action == "use" else None
        return line, verdict, parsed

    def _ended(self, index: int, request: Request) -> Exchange:
        """The exchange of `request` after the last round."""
        context = self._context
        outgoing = context.find(index, request)
        if isinstance(outgoing, Exchange):
            return outgoing
        outgoing = self._decided(outgoing)
        if context.stop_reason is not None:
            unsent = _End("failed", f"not sent: {context.stop_reason}")
        else:
            unsent = _End(
                "over_budget", "not sent: the budget does not surely hold another request"
            )
        end = self._ends.get(outgoing.key, unsent)
        return context.ended(index, outgoing, end.status, end.reason, end.line, end.parsed)


def _until_not_none(n_tries: int, wait: tenacity.wait.wait_base) -> tenacity.Retrying:
    """Call again while the result is None, `n_tries` times at most; then it is None."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda result: result is None),
        stop=tenacity.stop_after_attempt(n_tries),
        wait=wait,
        retry_error_callback=lambda state: None,
    )
