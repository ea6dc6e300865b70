"""Live sending: a queue of requests and its workers, with lookups in the ledger first.

What belongs here: the queue, the workers, duplicates, and the order of lookups. What does not: the
attempts of one request (attempts.py) and sending in batches (batch/rounds.py).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from relabel_assets.errors import RelabelError
from relabel_assets.teacher.decisions.bundles import Asked, Bundler
from relabel_assets.teacher.decisions.decision_requests import DecisionRequest
from relabel_assets.teacher.exchange import Exchange, OnExchange
from relabel_assets.teacher.ledger.writer import LedgerWriter
from relabel_assets.teacher.requests import Outgoing, TeacherRequest
from relabel_assets.teacher.sending.attempts import SendingState, send_with_retries
from relabel_assets.teacher.sending.context import SendingContext
from relabel_assets.teacher.sending.endpoint import Endpoint
from relabel_assets.teacher.sending.together import BundleSender

_LOOKUPS_PER_TURN = 16  # not measured: lookups do not await, so the workers run after so many


async def send_live(
    context: SendingContext, requests: Iterable[TeacherRequest], on_exchange: OnExchange
) -> None:
    """Send `requests`, and call `on_exchange` once for each when it ends. Raises TeacherError.

    >>> run_to_end(send_live(context, requests, exchanges.append))  # doctest: +SKIP
    """
    endpoint = Endpoint(context.config)
    try:
        async with LedgerWriter(context.ledger, context.corpus) as writer:
            state = SendingState(context, endpoint, writer)
            await _Queue(state, on_exchange).drain(requests)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        await endpoint.close()


class _Queue:
    """The queue and the workers of one run. A job is a bundle: one question, or several of Decisions."""

    def __init__(self, state: SendingState, on_exchange: OnExchange) -> None:
        self._state, self._context, self._on_exchange = state, state.context, on_exchange
        config = state.context.config
        self._n_workers, self._max_questions = config.max_concurrency, config.max_questions
        self._jobs: asyncio.Queue[list[Asked] | None] = asyncio.Queue(2 * self._n_workers)
        self._bundles = BundleSender(state)
        self._waiting: dict[str, list[int]] = {}  # by key of a request in flight: its duplicates
        self._given_up: dict[str, Exchange] = {}  # requests without an answer, by key
        # The first request is sent alone, so that a wrong key or dialect costs one request.
        self._alone = asyncio.Lock()
        self._is_first_over = False

    async def drain(self, requests: Iterable[TeacherRequest]) -> None:
        """Look up or send every request."""
        bundler = Bundler(self._max_questions)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._n_workers):
                tasks.create_task(self._work())
            for index, request in enumerate(requests):
                match self._context.find(index, request):
                    case Outgoing() as outgoing:
                        for bundle in bundler.add(Asked(index, outgoing)):
                            await self._jobs.put(bundle)
                    case exchange:
                        self._end(exchange)
                if index % _LOOKUPS_PER_TURN == 0:
                    await asyncio.sleep(0)
            for bundle in bundler.rest():
                await self._jobs.put(bundle)
            for _ in range(self._n_workers):
                await self._jobs.put(None)

    async def _work(self) -> None:
        while (job := await self._jobs.get()) is not None:
            bundle = [asked for asked in map(self._claimed, job) if asked is not None]
            if not bundle:
                continue
            key_of = {index: outgoing.key for index, outgoing in bundle}
            for exchange in await self._send(bundle):
                self._settle(key_of[exchange.index], exchange)

    def _claimed(self, asked: Asked) -> Asked | None:
        """The question to send; None if it is in flight, or has ended since it was queued."""
        context, (index, outgoing) = self._context, asked
        # The current dialect may have changed since.
        outgoing = outgoing.in_dialect(context.dialects.current(outgoing.request.model))
        key = outgoing.key
        if key in self._waiting:
            self._waiting[key].append(index)
            return None
        self._waiting[key] = []
        exchange = self._given_up.get(key) or context.replay(index, outgoing)
        if exchange is None:
            return Asked(index, outgoing)
        self._settle(key, replace(exchange, index=index))
        return None

    def _settle(self, key: str, exchange: Exchange) -> None:
        """End the question with `key`, and its duplicates, as `exchange` ended."""
        if exchange.status != "ok":
            self._given_up[exchange.key] = replace(exchange, line=None)
        for index in (exchange.index, *self._waiting.pop(key)):
            self._end(replace(exchange, index=index))

    async def _send(self, bundle: list[Asked]) -> list[Exchange]:
        if not self._is_first_over:
            async with self._alone:
                if not self._is_first_over:
                    exchanges = await self._send_bundle(bundle)
                    self._is_first_over = True
                    return exchanges
        return await self._send_bundle(bundle)

    async def _send_bundle(self, bundle: list[Asked]) -> list[Exchange]:
        index, outgoing = bundle[0]
        if isinstance(outgoing.request, DecisionRequest):
            return await self._bundles.send(bundle)
        return [await send_with_retries(self._state, index, outgoing)]

    def _end(self, exchange: Exchange) -> None:
        self._context.count(exchange)
        self._on_exchange(exchange)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of `group` to raise: the first that a user can act on, else the first of all.

    >>> from relabel_assets.errors import TeacherError
    >>> _first(BaseExceptionGroup("two", [ValueError("bug"), TeacherError("denied")]))
    TeacherError('denied')
    """
    leaves = _leaves(group)
    return next((error for error in leaves if isinstance(error, RelabelError)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
