"""Rounds of batches, until every request has an answer or a reason why not.

What belongs here: which requests go into a round, and acting on the decision about each result.
What does not: uploading and downloading (shipping.py) and files (request_files.py).

A round writes all requests without an answer to files, sends them, waits, and records the results
in the ledger.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from relabel_assets.teacher.batch.pending import PendingBatch
from relabel_assets.teacher.batch.remote_batch import RemoteBatch
from relabel_assets.teacher.batch.request_files import AskedLog, write_request_files
from relabel_assets.teacher.batch.shipping import Shipping
from relabel_assets.teacher.decision import Tries, decide
from relabel_assets.teacher.exchange import Exchange, ExchangeStatus, OnExchange
from relabel_assets.teacher.ledger.lines import Line, now
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.requests import Outgoing, TeacherRequest, dialect_named
from relabel_assets.teacher.sending.context import SendingContext
from relabel_assets.teacher.sending.limits import max_cost_usd
from relabel_assets.teacher.verdict import Verdict, judge

# A round sends as many requests as the budget holds at their highest cost. They mostly cost less, and
# the rest of the money allows another round. Not measured: after three, little money is left.
_MONEY_ROUNDS = 3
_NO_RESULT = Verdict("retry", "the batch ended without a result")


@dataclass(frozen=True)
class _End:
    """How a request without a usable answer in the ledger ended."""

    status: ExchangeStatus
    reason: str | None
    line: Line | None = None
    parsed: ParsedReply | None = None


class BatchRounds:
    """One run in batch mode. Iterating over `requests` must give the same ones every time."""

    def __init__(self, context: SendingContext, requests: Iterable[TeacherRequest]) -> None:
        self._context, self._requests = context, requests
        self._shipping = Shipping(context, self._remember, self._end_rest)
        self._n_sent: Counter[str] = Counter()  # by key, in this run
        self._tries: dict[str, Tries] = {}
        self._undecided: set[str] = set()  # keys that were sent, without a decision since
        # The latest result of each request. An answer has no body here: the ledger has it.
        self._results: dict[str, Line] = {}
        self._ends: dict[str, _End] = {}
        self._n_held_back = 0  # by the budget, in the last round

    def run(self, on_exchange: OnExchange) -> None:
        """Send until every request has ended, then call `on_exchange` once for each.

        Raises TeacherError.
        """
        try:
            self._shipping.collect()
            money_rounds = 0
            while self._send_round():
                self._shipping.collect()
                money_rounds += self._n_held_back > 0
                if money_rounds == _MONEY_ROUNDS:
                    break
            for index, request in enumerate(self._requests):
                exchange = self._ended(index, request)
                self._context.count(exchange)
                on_exchange(exchange)
        finally:
            self._shipping.close()

    def _send_round(self) -> int:
        """Send the requests without an answer, and return their number."""
        context = self._context
        self._shipping.pending.sweep()
        tags: list[str] = []

        def path_of(number: int) -> Path:
            tags.append(uuid.uuid4().hex)
            return self._shipping.pending.path_of(tags[-1])

        asked_log = AskedLog(context.ledger, context.corpus, context.purpose, context.endpoint_name)
        limits = context.retry_settings.batch_limits
        files = write_request_files(self._outgoing(), path_of, limits, asked_log.record)
        batches = [
            PendingBatch(tag, n_requests, context.endpoint_name, now())
            for tag, (_, n_requests) in zip(tags, files, strict=True)
        ]
        for batch in batches:
            self._shipping.ship(batch)
        return sum(batch.n_requests for batch in batches)

    def _outgoing(self) -> Iterator[Outgoing]:
        """The requests of the next round, as many as the budget holds at their highest cost."""
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
            request_usd = max_cost_usd(outgoing, context.prices.get(request.model))
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

    def _remember(self, line: Line) -> None:
        """Keep the latest result of a request for the decision."""
        if line.response is None:
            return
        response = replace(line.response, body=None) if line.is_answer else line.response
        self._results[line.key] = replace(line, response=response)
        dialect = dialect_named(line.metadata.dialect)
        if line.is_answer and dialect is not None:
            self._context.dialects.mark_answered(line.metadata.model, dialect)

    def _end_rest(self, remote: RemoteBatch, keys: set[str]) -> None:
        """End requests without a result in a batch that failed or was cancelled."""
        codes = {code for code, _ in remote.errors}
        message = "; ".join(text for _, text in remote.errors if text)
        reasons = {
            "cancelled": "the batch was cancelled",
            "failed": f"the batch failed: {message}",
        }
        # token_limit_exceeded: too many tokens are enqueued now. The next round may succeed.
        if remote.status not in reasons or "token_limit_exceeded" in codes:
            return
        for key in keys & set(self._n_sent) - set(self._results):
            self._ends[key] = _End("failed", reasons[remote.status])

    def _decided(self, outgoing: Outgoing) -> Outgoing:
        """Decide on the result of `outgoing` in the last round, once.

        Returns the same request in the current dialect.
        """
        context, key = self._context, outgoing.key
        if key not in self._undecided:
            return outgoing
        self._undecided.discard(key)
        if key in self._ends:
            return outgoing
        line, verdict, parsed = self._judged(outgoing)
        if parsed is not None:
            context.stop_if_all_are_cut(parsed)
        self._tries[key] = self._tries.get(key, Tries()).plus(verdict, parsed)
        decision = decide(verdict, self._tries[key], context.config.max_retries, parsed)
        reason = decision.reason
        match decision.step:
            case "ask_again" | "back_off":
                return outgoing  # it goes into the next round
            case "concede" if context.dialects.concede(outgoing, verdict, context.notices.say):
                return outgoing.in_dialect(context.dialects.current(outgoing.request.model))
            case "stop":
                context.stop(f"the endpoint's quota or money is spent ({reason})")
        self._ends[key] = _End(decision.status, reason, line, parsed)
        return outgoing

    def _judged(self, outgoing: Outgoing) -> tuple[Line | None, Verdict, ParsedReply | None]:
        """The result of a request in the last round, its verdict and, if usable, its parsed reply."""
        line = self._results.get(outgoing.key)
        if line is not None and line.is_answer:
            line = next(self._context.answers(outgoing.key), line)  # with its body
        if line is None or line.response is None:
            return None, _NO_RESULT, None
        response = line.response
        verdict = judge(
            response.status_code,
            response.body,
            error=response.error_message,
            error_code=response.error_code,
        )
        parsed = self._context.read(outgoing, response.body) if verdict.action == "use" else None
        return line, verdict, parsed

    def _ended(self, index: int, request: TeacherRequest) -> Exchange:
        """The exchange of `request` after the last round."""
        context = self._context
        outgoing = context.find(index, request)
        if isinstance(outgoing, Exchange):
            return outgoing
        outgoing = self._decided(outgoing)
        if context.stop_reason is not None:
            unsent = _End("failed", f"not sent: {context.stop_reason}")
        else:
            reason = "not sent: the budget does not surely hold another request"
            unsent = _End("over_budget", reason)
        end = self._ends.get(outgoing.key, unsent)
        return context.ended(index, outgoing, end.status, end.reason, end.line, end.parsed)
