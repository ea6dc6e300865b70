"""The circuit breaker: stop sending to an endpoint that is down.

What belongs here: when to hold requests back, when to try one, when to give up. What does not: which responses speak
for a dead endpoint (core/verdict.py).
"""

import asyncio


class CircuitBreaker:
    """After `threshold` failures in a row, with no success between, one request at a time tries the endpoint again,
    after each wait of `probe_waits_s`; when the last one fails too, the endpoint is down. Belongs to one event loop.
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
        """Wait until a request may be sent. True if it is a probe: then `leave` must be called whatever happens."""
        if not self.is_open or self.is_down:
            return False
        await self._probe.acquire()
        if self.is_open and not self.is_down:
            try:
                await asyncio.sleep(self._waits_s[self._failed_probes])
            except BaseException:
                self._probe.release()
                raise
            return True
        self._probe.release()
        return False

    def leave(self, is_probe: bool, is_success: bool | None) -> None:
        """Say how it went; None counts as neither."""
        if is_success:
            self._failures = self._failed_probes = 0
        elif is_success is False:
            self._failures += 1
            if is_probe:
                self._failed_probes += 1
                self.is_down = self._failed_probes >= len(self._waits_s)
        if is_probe:
            self._probe.release()
