"""Live sending: a queue of requests and its workers, with lookups in the ledger first.

What belongs here: the queue, the workers, duplicates, and the order of lookups. What does not: the
attempts of one request (attempts.py) and sending in batches (batch/rounds.py).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from relabel_assets.errors import RelabelError
from relabel_assets.teacher.exchange import Exchange, OnExchange
from relabel_assets.teacher.ledger.writer import LedgerWriter
from relabel_assets.teacher.requests import Outgoing, TeacherRequest
from relabel_assets.teacher.sending.attempts import SendingState, send_with_retries
from relabel_assets.teacher.sending.context import SendingContext
from relabel_assets.teacher.sending.endpoint import Endpoint

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
    """The queue and the workers of one run."""

    def __init__(self, state: SendingState, on_exchange: OnExchange) -> None:
        self._state, self._context, self._on_exchange = state, state.context, on_exchange
        self._n_workers = state.context.config.max_concurrency
        self._jobs: asyncio.Queue[tuple[int, Outgoing] | None] = asyncio.Queue(2 * self._n_workers)
        self._waiting: dict[str, list[int]] = {}  # by key of a request in flight: its duplicates
        self._given_up: dict[str, Exchange] = {}  # requests without an answer, by key
        # The first request is sent alone, so that a wrong key or dialect costs one request.
        self._alone = asyncio.Lock()
        self._is_first_over = False

    async def drain(self, requests: Iterable[TeacherRequest]) -> None:
        """Look up or send every request."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._n_workers):
                tasks.create_task(self._work())
            for index, request in enumerate(requests):
                match self._context.find(index, request):
                    case Outgoing() as outgoing:
                        await self._jobs.put((index, outgoing))
                    case exchange:
                        self._end(exchange)
                if index % _LOOKUPS_PER_TURN == 0:
                    await asyncio.sleep(0)
            for _ in range(self._n_workers):
                await self._jobs.put(None)

    async def _work(self) -> None:
        context = self._context
        while (job := await self._jobs.get()) is not None:
            index, outgoing = job
            # The current dialect may have changed since the request was queued.
            outgoing = outgoing.in_dialect(context.dialects.current(outgoing.request.model))
            key = outgoing.key
            if key in self._waiting:
                self._waiting[key].append(index)
                continue
            self._waiting[key] = []
            # A duplicate may have ended since the request was queued.
            exchange = self._given_up.get(key) or context.replay(index, outgoing)
            if exchange is None:
                exchange = await self._send(index, outgoing)
            if exchange.status != "ok":
                self._given_up[exchange.key] = replace(exchange, line=None)
            for duplicate in (index, *self._waiting.pop(key)):
                self._end(replace(exchange, index=duplicate))

    async def _send(self, index: int, outgoing: Outgoing) -> Exchange:
        if not self._is_first_over:
            async with self._alone:
                if not self._is_first_over:
                    exchange = await send_with_retries(self._state, index, outgoing)
                    self._is_first_over = True
                    return exchange
        return await send_with_retries(self._state, index, outgoing)

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
