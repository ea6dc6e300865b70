"""The Batch API as a way of sending: files of requests out, files of results back, as often as it takes.

What belongs here: which requests go into a round, waiting, and what follows from each result. What does not: the calls
(resources/batch_endpoint.py), what is out (resources/batches_out.py), the files' lines (resources/request_files.py).

A round writes every request that has no answer to files, sends them, waits for all, and puts the results into the
ledger; then it looks again. What is expired or busy is asked again, an unreadable reply up to REREADS times, as live.
"""

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relabel_assets.errors import TeacherError
from relabel_assets.teacher.batch.endpoint import CORPUS, TAG, BatchEndpoint, RemoteBatch
from relabel_assets.teacher.batch.pending import PendingBatch, PendingBatches
from relabel_assets.teacher.batch.request_files import AskedLog, write_request_files
from relabel_assets.teacher.batch.response_files import (
    ImportResult,
    asked_in,
    numbered,
    take_responses,
)
from relabel_assets.teacher.exchange import Exchange, ExchangeStatus, ParsedReply
from relabel_assets.teacher.ledger.lines import Line, RequestMetadata, now
from relabel_assets.teacher.prices import Price
from relabel_assets.teacher.requests import (
    Dialect,
    Outgoing,
    Request,
    dialect_named,
    estimate_prompt_tokens,
    request_key,
)
from relabel_assets.teacher.sending.attempts import REREADS, TOKEN_SAFETY
from relabel_assets.teacher.sending.dialects import Dialects
from relabel_assets.teacher.sending.endpoint import endpoint_name
from relabel_assets.teacher.verdict import Verdict, judge

if TYPE_CHECKING:
    from relabel_assets.teacher.sender import Read, Sender, Take

_MONEY_ROUNDS = 3  # each sends what the budget surely holds, and replies mostly cost less: more rounds bring little
_LOOKS = 3  # for a batch that may have been created: a listing can lag behind
_Ended = tuple[ExchangeStatus, str | None, Line | None, ParsedReply | None]


class BatchRounds:
    """One run in batch mode. `requests` must give the same ones each time they are gone through."""

    def __init__(
        self,
        sender: "Sender",
        requests: Iterable[Request],
        read: "Read",
        prices: dict[str, Price | None],
    ):
        self._sender, self._requests, self._read, self._prices = sender, requests, read, prices
        self._config, self._ledger, self._retry_settings = (
            sender.config,
            sender.ledger,
            sender.retry_settings,
        )
        self._endpoint: BatchEndpoint | None = None
        self._name = endpoint_name(self._config)
        self._dialects = Dialects(self._ledger, self._name)
        self._out = PendingBatches(self._ledger.folder, sender.corpus)
        self._sent: Counter[str] = Counter()  # by key: how often in this run
        self._unreadable: Counter[str] = Counter()
        self._results: dict[
            str, Line
        ] = {}  # the latest result of each request, an answer's without its body
        self._ended: dict[str, _Ended] = {}
        self._n_held_back = 0

    def run(self, take: "Take") -> None:
        """Ask until every request has an answer or a reason, then call `take` once for each. Raises TeacherError."""
        try:
            self.collect()
            money_rounds = 0
            while self._send_round():
                self.collect()
                money_rounds += self._n_held_back > 0
                if money_rounds == _MONEY_ROUNDS:
                    break
            for index, request in enumerate(self._requests):
                exchange = self._sender.replay(
                    self._dialects, index, request, self._read
                ) or self._end(index, request)
                self._sender.count(exchange)
                take(exchange)
        finally:
            if self._endpoint is not None:
                self._endpoint.close()

    def collect(self, *, is_patient: bool = True) -> bool:
        """Put the results of every batch that is out into the ledger, waiting for them if patient; whether none is left."""
        wait_s = self._retry_settings.first_poll_s
        while shipments := self._out.all():
            notes = []
            for number, shipment in enumerate(shipments, start=1):
                batch = self._find(shipment)
                if batch is not None and batch.is_ended:
                    self._take_results(shipment, batch)
                elif batch is not None:
                    place = f"batch {number} of {len(shipments)}" if len(shipments) > 1 else "batch"
                    notes.append(
                        f"{place} {batch.status}, {batch.n_done:,} of {shipment.n_requests:,} done"
                    )
            if not notes:
                continue
            if not is_patient:
                return False
            self._sender.wait_note("; ".join(notes))
            time.sleep(wait_s)
            wait_s = min(wait_s * 1.5, self._retry_settings.longest_poll_s)
        return True

    def _api(self) -> BatchEndpoint:
        if self._endpoint is None:
            self._endpoint = BatchEndpoint(self._config)
        return self._endpoint

    # out

    def _send_round(self) -> int:
        """Write and send what has no answer yet; how many requests."""
        self._out.sweep()
        tags: list[str] = []

        def path_of(number: int) -> Path:
            tags.append(uuid.uuid4().hex)
            return self._out.path_of(tags[-1])

        asked_log = AskedLog(self._ledger, self._sender.corpus, self._sender.purpose, self._name)
        files = write_request_files(
            self._outgoing(), path_of, self._retry_settings.batch_limits, asked_log.record
        )
        shipments = [
            PendingBatch(tag, n_requests, self._name, now())
            for tag, (_, n_requests) in zip(tags, files, strict=True)
        ]
        for shipment in shipments:
            self._ship(shipment)
        return sum(n_requests for _, n_requests in files)

    def _outgoing(self) -> Iterator[Outgoing]:
        """The requests of the next round, as far as the budget holds them for sure."""
        budget, reserved_usd, in_round = self._sender.budget, 0.0, set[str]()
        self._n_held_back = 0
        for index, request in enumerate(self._requests):
            if self._sender.replay(self._dialects, index, request, self._read) is not None:
                continue
            dialect, body, key = self._put(request)
            if key not in in_round:
                self._settle(request, dialect, body, key)
                dialect, body, key = self._put(
                    request
                )  # in the dialect that its result may have led to
            if key in in_round or key in self._ended:
                continue
            price, most_usd = self._prices.get(request.model), 0.0
            if price is not None:
                tokens = estimate_prompt_tokens(body) * TOKEN_SAFETY
                most_usd = (
                    tokens * price.input + request.max_completion_tokens * price.output
                ) / 1_000_000
            held_usd = budget.spent_usd + reserved_usd + most_usd
            if self._n_held_back or (budget.limit_usd is not None and held_usd > budget.limit_usd):
                self._n_held_back += 1
                continue
            reserved_usd += most_usd
            in_round.add(key)
            self._sent[key] += 1
            self._results.pop(key, None)
            self._sender.counts["sent"] += 1
            yield Outgoing(request, dialect, key, body)

    def _put(self, request: Request) -> tuple[Dialect, dict[str, Any], str]:
        dialect = self._dialects.current(request.model)
        body = request.body(dialect)
        return dialect, body, request_key(body)

    def _ship(self, shipment: PendingBatch) -> None:
        """Upload, create, and write down each step before and after: whatever dies in between can be found again."""
        self._out.put(shipment)
        file_id = self._api().upload(self._out.path_of(shipment.tag), shipment.name)
        shipment = self._out.update(shipment, file_id=file_id)
        for attempt in range(self._config.max_retries + 1):
            metadata = {TAG: shipment.tag, CORPUS: self._sender.corpus}
            batch = self._api().create(file_id, metadata) or self._look_for(shipment)
            if batch is not None:
                self._out.update(shipment, batch_id=batch.id)
                return
            time.sleep(
                min(
                    self._retry_settings.longest_backoff_s,
                    self._retry_settings.first_backoff_s * 2**attempt,
                )
            )
        self._out.drop(shipment)
        raise TeacherError(
            f"the endpoint {self._name} does not create a batch. Run again later: nothing is lost."
        )

    def _look_for(self, shipment: PendingBatch) -> RemoteBatch | None:
        for look in range(_LOOKS):
            if look:
                time.sleep(self._retry_settings.first_poll_s)
            if (batch := self._api().find(shipment.tag)) is not None:
                return batch
        return None

    # back

    def _find(self, shipment: PendingBatch) -> RemoteBatch | None:
        """The batch as it is now; None, and forgotten, where it was never created."""
        if shipment.endpoint != self._name:
            raise TeacherError(
                f"a batch of corpus {self._sender.corpus!r} is out at {shipment.endpoint}, and teacher.base_url is "
                f"{self._name}. Set it back until the batch has come in, or delete {self._out.folder} to give it up."
            )
        if shipment.batch_id is not None:
            return self._api().get(shipment.batch_id)
        batch = self._look_for(shipment)
        if batch is None:
            self._out.drop(shipment)
        else:
            self._out.update(shipment, batch_id=batch.id)
        return batch

    def _take_results(self, shipment: PendingBatch, batch: RemoteBatch) -> None:
        keys, result = self._out.keys_of(shipment), ImportResult()
        for number, file_id in enumerate(batch.result_files):
            path = self._out.folder / f"{shipment.tag}.{number}.results"
            self._api().download(file_id, path)
            asked = asked_in(self._ledger, [path])

            def about_of(key: str) -> tuple[RequestMetadata, Price | None] | None:
                line = asked.get(key)  # noqa: B023 (called in the same turn)
                return (
                    None if line is None else (line.metadata, self._prices.get(line.metadata.model))
                )

            name = f"results of {batch.id}"
            take_responses(
                self._ledger,
                numbered(path),
                name,
                about_of,
                result,
                took=self._took,
                redact=self._api().redact,
            )
            path.unlink()
        self._sender.budget.spent_usd += result.usd
        if result.problems:
            self._sender.say(
                f"{len(result.problems):,} lines were kept out, the first: {result.problems[0]}"
            )
        self._end_rest(batch, keys)
        self._out.drop(shipment)

    def _took(self, line: Line) -> None:
        self._results[line.key] = replace(line, body=None) if line.is_answer else line
        dialect = dialect_named(line.metadata.dialect)
        if line.is_answer and dialect is not None:
            self._dialects.answered(line.metadata.model, dialect)

    def _end_rest(self, batch: RemoteBatch, keys: set[str]) -> None:
        """Say why requests of this run have no result, where asking again would not help."""
        codes, said = (
            {code for code, _ in batch.errors},
            "; ".join(filter(None, (text for _, text in batch.errors))),
        )
        reasons = {
            "cancelled": "the batch was cancelled",
            "failed": f"the batch failed: {self._api().redact(said)}",
        }
        if (
            batch.status not in reasons or "token_limit_exceeded" in codes
        ):  # too much at once: later there is room
            return
        for key in keys & set(self._sent) - set(self._results):
            self._ended[key] = ("failed", reasons[batch.status], None, None)

    def _settle(self, request: Request, dialect: Dialect, body: dict[str, Any], key: str) -> None:
        """What follows from the result of the last round: an end, another dialect, or nothing: ask again."""
        if key not in self._sent or key in self._ended:
            return
        line = self._results.get(key)
        verdict = Verdict("retry", "the batch ended without a result")
        if line is not None and line.is_answer:
            line = next(self._ledger.answers(key), line)
        if line is not None:
            verdict = judge(line.status_code, line.body, error=line.error_message)
        match verdict.action:
            case "use":
                reading = self._read(line.body if line else None)
                self._unreadable[key] += reading.status == "unparseable"
                if reading.status != "unparseable" or self._unreadable[key] > min(
                    REREADS, self._config.max_retries
                ):
                    self._ended[key] = (reading.status, reading.reason, line, reading)
            case "retry" if self._sent[key] <= self._config.max_retries:
                pass
            case "rejected" if (
                notice := self._dialects.concede(request.model, dialect, verdict.reason or "", body)
            ) is not None:
                self._sender.say(notice)
            case "refused":
                self._ended[key] = ("refused", verdict.reason, line, None)
            case _:
                self._ended[key] = (
                    "failed",
                    f"{verdict.reason} ({self._sent[key]} attempts)",
                    line,
                    None,
                )

    def _end(self, index: int, request: Request) -> Exchange:
        dialect, body, key = self._put(request)
        self._settle(request, dialect, body, key)
        reason = "not sent: the budget does not surely hold another request"
        ended: _Ended = self._ended.get(key) or ("over_budget", reason, None, None)
        history = self._ledger.history(key)
        return Exchange(
            index, request, key, *ended[:2], history.attempts, history.cost_usd, *ended[2:]
        )
