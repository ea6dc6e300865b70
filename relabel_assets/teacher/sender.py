"""Sending many requests: each one once, and none that the ledger can answer.

What belongs here: the order of looking into the ledger, queueing and handing results over. What does not: what is
asked and what an answer means (the caller's `read`: grading and query writing use this alike), and the tries of one
request (resources/attempts.py).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from relabel_assets.corpus.config import TeacherConfig
from relabel_assets.errors import ConfigError, RelabelError, TeacherError
from relabel_assets.teacher.batch.pending import PendingBatches
from relabel_assets.teacher.batch.rounds import BatchRounds
from relabel_assets.teacher.exchange import Exchange, ParsedReply
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.writer import LedgerWriter
from relabel_assets.teacher.prices import Price, Usage, price_of
from relabel_assets.teacher.requests import Outgoing, Request, request_key
from relabel_assets.teacher.sending.attempts import SendingState, send_with_retries
from relabel_assets.teacher.sending.circuit import CircuitBreaker
from relabel_assets.teacher.sending.dialects import Dialects
from relabel_assets.teacher.sending.endpoint import Endpoint, base_url_of, endpoint_name
from relabel_assets.teacher.sending.event_loop import run_to_end
from relabel_assets.teacher.sending.retry_settings import RetrySettings
from relabel_assets.teacher.sending.spend import Budget
from relabel_assets.teacher.verdict import judge

Read = Callable[[Any], ParsedReply]
Take = Callable[[Exchange], None]


class Sender:
    """Sends for one corpus and one `purpose` (grading, queries).

    While it sends and after: `counts` by status, and of `sent` and `replayed`; `budget.spent_usd` of this run;
    `notices` for people, each said once.
    """

    def __init__(
        self,
        ledger: Ledger,
        config: TeacherConfig,
        *,
        corpus: str,
        purpose: str,
        retry_settings: RetrySettings | None = None,
    ) -> None:
        self.ledger, self.config, self.corpus, self.purpose = ledger, config, corpus, purpose
        self.retry_settings = retry_settings or RetrySettings()
        self.counts: Counter[str] = Counter()
        self.notices: list[str] = []
        self.budget = Budget(None)
        self.wait_note: Callable[[str], None] = lambda note: None  # told what a wait is for

    def send(self, requests: Iterable[Request], read: Read, take: Take) -> None:
        """Call `take` once for every request, in whatever order they end. `read` gets the body of a 2xx response.

        Raises ConfigError, before anything is sent, for a budget with a model whose price is unknown; TeacherError
        where the endpoint denies access or the ledger cannot be written. Whatever ends it, all that was received is
        in the ledger.
        """
        if self.config.mode == "offline":  # nothing is sent: another run may be sending meanwhile
            self.ledger.refresh()
            self._answer_offline(requests, read, take)
            return
        with self.ledger.sending_for(self.corpus):
            self.notices.extend(self.ledger.notices)
            self.ledger.notices.clear()
            prices = self.prices()
            self.budget = Budget(self._limit_usd(prices))
            if self.config.mode == "batch":
                again = list(requests) if isinstance(requests, Iterator) else requests
                BatchRounds(self, again, read, prices).run(take)
                return
            self._refuse_while_a_batch_is_out(read, prices)
            run_to_end(self._run(requests, read, take, prices))

    def replay(
        self, dialects: Dialects, index: int, request: Request, read: Read
    ) -> Exchange | None:
        """The exchange as the ledger has it; None if it has no answer that can be used."""
        for dialect in dialects.known(request.model):
            key = request_key(request.body(dialect))
            history = self.ledger.history(key)
            for line in self.ledger.answers(key):
                if (
                    judge(line.status_code, line.body).action == "use"
                    and (reading := read(line.body)).status == "ok"
                ):
                    cost = history.cost_usd
                    return Exchange(
                        index, request, key, "ok", None, history.attempts, cost, line, reading, True
                    )
        return None

    def _answer_offline(self, requests: Iterable[Request], read: Read, take: Take) -> None:
        dialects = Dialects(self.ledger, endpoint_name(self.config))
        reason = (
            "not sent: teacher.mode is offline. `relabel requests export` writes what is missing"
        )
        for index, request in enumerate(requests):
            exchange = self.replay(dialects, index, request, read)
            if exchange is None:
                key = request_key(request.body(dialects.current(request.model)))
                history = self.ledger.history(key)
                exchange = Exchange(
                    index, request, key, "failed", reason, history.attempts, history.cost_usd
                )
            self.count(exchange)
            take(exchange)

    def count(self, exchange: Exchange) -> None:
        self.counts[exchange.status] += 1
        self.counts["replayed"] += exchange.is_replayed

    def say(self, notice: str) -> None:
        """Tell people something, once."""
        if notice and notice not in self.notices:
            self.notices.append(notice)

    def _refuse_while_a_batch_is_out(self, read: Read, prices: dict[str, Price | None]) -> None:
        out = PendingBatches(self.ledger.folder, self.corpus)
        if out.all() and not BatchRounds(self, (), read, prices).collect(is_patient=False):
            raise TeacherError(
                f"a batch of corpus {self.corpus!r} is out, and asking live would pay for its requests again. Set "
                f"teacher.mode back to batch until it has come in, or delete {out.folder} to give it up."
            )

    def look_up(
        self, requests: Iterable[Request], read: Read
    ) -> Iterator[tuple[Request, Outgoing | None]]:
        """Every request with what would be sent for it now: None where the ledger answers it, where it is in a
        batch that is out, or the same as one before it. Sends nothing, waits for no other process."""
        self.ledger.refresh()
        dialects = Dialects(self.ledger, endpoint_name(self.config))
        found = PendingBatches(self.ledger.folder, self.corpus).keys()
        for index, request in enumerate(requests):
            if self.replay(dialects, index, request, read) is not None:
                yield request, None
                continue
            dialect = dialects.current(request.model)
            body = request.body(dialect)
            key = request_key(body)
            yield request, None if key in found else Outgoing(request, dialect, key, body)
            found.add(key)

    def prices(self) -> dict[str, Price | None]:
        """The price of every model of the corpus; None where it is unknown."""
        base_url = base_url_of(self.config)
        return {
            model: price_of(self.config, model, base_url)
            for model in (self.config.model, *self.config.panel)
        }

    def _limit_usd(self, prices: dict[str, Price | None]) -> float | None:
        """What this run may spend. Earlier spending without a price is counted at today's."""
        config = self.config
        if config.run_budget_usd is None and config.budget_usd is None:
            return None
        unknown = [model for model, price in prices.items() if price is None]
        if unknown:
            raise ConfigError(
                f"corpus {self.corpus!r} has a budget, and the price of {', '.join(unknown)} at "
                f"{endpoint_name(config)} is unknown, so it cannot be kept. Set teacher.price_usd_per_million_tokens: "
                "{input: ..., output: ...} in corpus.yaml (0 and 0 for a server of your own), or remove the budget."
            )
        before = self.ledger.spend(self.corpus)
        unpriced = (
            (prices.get(model), tokens) for model, tokens in (before.unpriced or {}).items()
        )
        before_usd = before.usd + sum(
            price.cost_usd(Usage(*tokens)) for price, tokens in unpriced if price
        )
        return Budget.limit(config.run_budget_usd, config.budget_usd, before_usd)

    async def _run(
        self, requests: Iterable[Request], read: Read, take: Take, prices: dict[str, Price | None]
    ) -> None:
        config, name = self.config, endpoint_name(self.config)
        endpoint = Endpoint(config)
        try:
            async with LedgerWriter(self.ledger, self.corpus) as writer:
                state = SendingState(
                    config, self.corpus, self.purpose, name, endpoint, self.ledger, writer,
                    Dialects(self.ledger, name), prices, self.budget,
                    CircuitBreaker(max(10, config.max_concurrency), self.retry_settings.probe_waits_s),
                    self.retry_settings, self.counts, self.notices,
                )  # fmt: skip
                await _Queue(self, state, read, take).drain(requests)
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            await endpoint.close()


class _Queue:
    """The requests of one run, on their way through the ledger and the workers."""

    def __init__(self, sender: Sender, state: SendingState, read: Read, take: Take) -> None:
        self._sender, self._state, self._read, self._take = sender, state, read, take
        self._jobs: asyncio.Queue[tuple[int, Request] | None] = asyncio.Queue(
            2 * state.config.max_concurrency
        )
        self._waiting: dict[
            str, list[int]
        ] = {}  # by key of a request under way: others that are the same
        self._given_up: dict[str, Exchange] = {}
        self._alone = (
            asyncio.Lock()
        )  # the first request goes alone: a wrong key or dialect shows at the cost of one
        self._is_first_over = False

    async def drain(self, requests: Iterable[Request]) -> None:
        async with asyncio.TaskGroup() as tasks:
            n_workers = self._state.config.max_concurrency
            for _ in range(n_workers):
                tasks.create_task(self._work())
            for index, request in enumerate(requests):
                exchange = self._sender.replay(self._state.dialects, index, request, self._read)
                if exchange is None:
                    await self._jobs.put((index, request))
                else:
                    self._end(exchange)
                if index % 16 == 0:
                    await asyncio.sleep(0)
            for _ in range(n_workers):
                await self._jobs.put(None)

    async def _work(self) -> None:
        while (job := await self._jobs.get()) is not None:
            index, request = job
            key = request_key(request.body(self._state.dialects.current(request.model)))
            if key in self._waiting:
                self._waiting[key].append(index)
                continue
            self._waiting[key] = []
            # The same request may have ended between being queued and now.
            exchange = self._given_up.get(key) or self._sender.replay(
                self._state.dialects, index, request, self._read
            )
            if exchange is None:
                exchange = await self._try(index, request)
            if exchange.status != "ok":
                self._given_up[exchange.key] = replace(exchange, line=None)
            for same in (index, *self._waiting.pop(key)):
                self._end(replace(exchange, index=same))

    async def _try(self, index: int, request: Request) -> Exchange:
        if not self._is_first_over:
            async with self._alone:
                if not self._is_first_over:
                    exchange = await send_with_retries(self._state, index, request, self._read)
                    self._is_first_over = True
                    return exchange
        return await send_with_retries(self._state, index, request, self._read)

    def _end(self, exchange: Exchange) -> None:
        self._sender.count(exchange)
        self._take(exchange)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What people should see of several things that went wrong at once: one they can act on, if there is one."""
    leaves = [leaf for error in group.exceptions for leaf in _leaves(error)]
    return next((error for error in leaves if isinstance(error, RelabelError)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
