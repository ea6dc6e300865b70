"""Limits on sending: a rate limiter, a circuit breaker, a budget.

What belongs here: waiting for a turn, and reserving money before a request is sent. What does not:
retries (attempts.py), which responses mean that the endpoint is down (verdict.py), prices
(prices.py) and earlier spending (ledger/ledger.py).
"""

import asyncio

from relabel_assets.teacher.prices import Price
from relabel_assets.teacher.requests import Outgoing

# Tokens are estimated from bytes. Code and tables have up to a third more tokens per byte than prose.
# A request must never cost more than was reserved for it, or the spend could exceed the budget.
TOKEN_SAFETY = 1.4
# After a late timer, this much time may be made up in a burst. There is no other burst. Not measured.
_CATCH_UP_S = 1.0
_LONGEST_SLEEP_S = 0.25  # while waiting for a turn, because `correct` may bring it forward
_ROUNDING_USD = 1e-12  # what sums of reservations may differ from 0


def max_cost_usd(outgoing: Outgoing, price: Price | None) -> float:
    """The most that a request can cost. 0 if its price is unknown: then there is no budget.

    >>> from relabel_assets.teacher.requests import Request
    >>> request = Request("m", ({"role": "user", "content": "x" * 384},), "s", {}, 0.0, None, 1000)
    >>> outgoing = Outgoing.of(request)
    >>> outgoing.prompt_tokens
    111
    >>> max_cost_usd(outgoing, Price(10.0, 20.0, 0.0))  # 111 x 1.4 x 10 + 1000 x 20, in millionths
    0.021554
    """
    if price is None:
        return 0.0
    input_usd = outgoing.prompt_tokens * TOKEN_SAFETY * price.input
    output_usd = outgoing.request.max_completion_tokens * price.output
    return (input_usd + output_usd) / 1_000_000


class RateLimiter:
    """At most `per_minute` units a minute, evenly spread. None: no limit.

    Belongs to one event loop.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._seconds_per_unit = 60 / per_minute if per_minute else 0.0
        self._next_turn: float | None = None
        self._turn = asyncio.Lock()

    async def wait(self, units: float) -> None:
        """Wait until `units` more may be sent. Waiting requests are served in order."""
        if not self._seconds_per_unit:
            return
        now = asyncio.get_running_loop().time
        async with self._turn:
            if self._next_turn is None:
                self._next_turn = now()
            while (wait_s := self._next_turn - now()) > 0:
                await asyncio.sleep(min(wait_s, _LONGEST_SLEEP_S))
            earliest = max(self._next_turn, now() - _CATCH_UP_S)
            self._next_turn = earliest + units * self._seconds_per_unit

    def correct(self, units: float) -> None:
        """Add `units`, possibly negative, to those that were announced to `wait`."""
        if self._next_turn is not None:
            self._next_turn += units * self._seconds_per_unit


class CircuitBreaker:
    """Stops sending to an endpoint that is down.

    While it is closed, every request may be sent. `threshold` failures in a row open it. Then one
    request at a time probes the endpoint, after each wait of `probe_waits_s`. A success closes it.
    If the last probe fails, the endpoint is down. Belongs to one event loop.
    """

    def __init__(self, threshold: int, probe_waits_s: tuple[float, ...]) -> None:
        self._threshold = threshold
        self._waits_s = probe_waits_s
        self._failures = 0
        self._failed_probes = 0
        self._probe = asyncio.Lock()
        self.is_down = False

    @property
    def is_open(self) -> bool:
        return self._failures >= self._threshold

    async def enter(self) -> bool:
        """Wait until a request may be sent, and return whether it is a probe.

        `leave` must be called after a probe, even after an error.
        """
        if not self.is_open or self.is_down:
            return False
        await self._probe.acquire()
        if self.is_open and not self.is_down:  # no other probe closed it during the wait
            try:
                await asyncio.sleep(self._waits_s[self._failed_probes])
            except BaseException:
                self._probe.release()
                raise
            return True
        self._probe.release()
        return False

    def leave(self, is_probe: bool, is_success: bool | None) -> None:
        """Count the result of a request that entered. None (a busy endpoint) counts as neither."""
        if is_success:
            self._failures = self._failed_probes = 0
        elif is_success is False:
            self._failures += 1
            if is_probe:
                self._failed_probes += 1
                self.is_down = self._failed_probes >= len(self._waits_s)
        if is_probe:
            self._probe.release()


class Budget:
    """The budget of a run in US dollars; no limit if `limit_usd` is None.

    Requests in flight cannot exceed it, because each reserves the most it can cost before it is
    sent. Belongs to one event loop.
    """

    def __init__(self, limit_usd: float | None) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = 0.0
        self.is_empty = False
        self._reserved_usd = 0.0
        self._settled = asyncio.Condition()

    @staticmethod
    def limit(
        run_budget_usd: float | None, budget_usd: float | None, spent_before_usd: float
    ) -> float | None:
        """The limit of this run: the smaller of its own budget and the rest of the corpus' budget.

        >>> Budget.limit(run_budget_usd=2.0, budget_usd=5.0, spent_before_usd=4.0)
        1.0
        >>> Budget.limit(run_budget_usd=None, budget_usd=5.0, spent_before_usd=6.0)
        0.0
        """
        left_usd = None if budget_usd is None else max(0.0, budget_usd - spent_before_usd)
        limits = [amount for amount in (run_budget_usd, left_usd) if amount is not None]
        return min(limits, default=None)

    def holds(self, usd: float) -> bool:
        """Whether the budget holds `usd` beside the spend and all reservations."""
        if self.limit_usd is None:
            return True
        return self.spent_usd + self._reserved_usd + usd <= self.limit_usd

    def could_hold(self, usd: float) -> bool:
        """Whether the budget holds `usd` beside the spend, once all reservations are released.

        >>> Budget(1.0).could_hold(1.0), Budget(1.0).could_hold(1.1)
        (True, False)
        """
        return self.limit_usd is None or self.spent_usd + usd <= self.limit_usd

    async def reserve(self, max_cost_usd: float) -> bool:
        """Reserve the most that a request can cost. False if the budget does not hold it.

        Waits for requests in flight, which mostly cost less than their reservation.
        """
        if self.limit_usd is None:
            return True
        async with self._settled:
            while not self.is_empty and not self.holds(max_cost_usd):
                if self._reserved_usd <= _ROUNDING_USD:  # nothing in flight will release money
                    self.is_empty = True
                    self._settled.notify_all()
                else:
                    await self._settled.wait()
            if not self.is_empty:
                self._reserved_usd += max_cost_usd
            return not self.is_empty

    async def settle(self, reserved_usd: float, cost_usd: float | None) -> None:
        """Release the reservation of a request, and count its cost."""
        self.spent_usd += cost_usd or 0.0
        if self.limit_usd is not None:
            async with self._settled:
                self._reserved_usd = max(0.0, self._reserved_usd - reserved_usd)
                self._settled.notify_all()
