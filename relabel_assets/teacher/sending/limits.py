"""Requests and tokens a minute.

What belongs here: waiting for a turn. What does not: retries (resources/sending.py), how many tokens a request has
(core/requests.py).
"""

import asyncio

_CATCH_UP_S = (
    1.0  # what a late timer may make up for; there is no other burst, not even at the start
)


class RateLimiter:
    """At most `per_minute` units a minute, evenly spread; None is no limit. Belongs to one event loop."""

    def __init__(self, per_minute: float | None) -> None:
        self._seconds_per_unit = 60 / per_minute if per_minute else 0.0
        self._next_turn: float | None = None
        self._turn = asyncio.Lock()

    async def wait(self, units: float) -> None:
        """Wait until `units` more may be sent. Those who wait are served in order."""
        if not self._seconds_per_unit:
            return
        now = asyncio.get_running_loop().time
        async with self._turn:
            if self._next_turn is None:
                self._next_turn = now()
            while (wait_s := self._next_turn - now()) > 0:
                await asyncio.sleep(
                    min(wait_s, 0.25)
                )  # in steps: `correct` may bring the turn forward
            self._next_turn = (
                max(self._next_turn, now() - _CATCH_UP_S) + units * self._seconds_per_unit
            )

    def correct(self, units: float) -> None:
        """Count `units` more (or, negative, fewer) than were announced to `wait`."""
        if self._next_turn is not None:
            self._next_turn += units * self._seconds_per_unit
