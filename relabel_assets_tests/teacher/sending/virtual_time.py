"""An event loop on virtual time: its clock jumps to the next timer, so waits take no time."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._clock_s = 0.0

    def time(self) -> float:
        return self._clock_s

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._clock_s = max(self._clock_s, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of `work`; `clock_s()` in it starts at 0."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(work)


def clock_s() -> float:
    """Virtual seconds since the loop began."""
    return asyncio.get_running_loop().time()
