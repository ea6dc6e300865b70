"""An event loop for a coroutine that synchronous code calls, with Ctrl-C and SIGTERM handled.

What belongs here: the thread of the loop, and cancelling. What does not: the coroutine (live.py).
"""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any

from anyio.from_thread import start_blocking_portal

Work = Coroutine[Any, Any, None]


def run_to_end(work: Work) -> None:
    """Run `work` in this thread, or in its own thread if an event loop is running in this one.

    Ctrl-C and SIGTERM first cancel `work`, so that its `finally` blocks run.

    >>> async def grade():
    ...     print("graded")
    >>> run_to_end(grade())
    graded
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _run_here(work)
        return
    _run_in_thread(work)


def _run_here(work: Work) -> None:
    """Run `work` in this thread, with handlers of its own for Ctrl-C and SIGTERM."""
    received: list[int] = []

    async def main() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def stop(signum: int) -> None:
            if not received:
                task.cancel()
            received.append(signum)

        handlers = _handlers()
        for signum in handlers:
            loop.add_signal_handler(signum, stop, signum)
        try:
            await work
        finally:
            for signum, handler in handlers.items():
                loop.remove_signal_handler(signum)
                signal.signal(signum, handler)

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        if not received:
            raise
    if received:
        _deliver(received[0])


def _handlers() -> dict[int, Any]:
    """The present handlers of Ctrl-C and SIGTERM. Empty outside the main thread: they are fixed."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    return {signum: handler for signum, handler in handlers.items() if handler is not None}


def _deliver(signum: int) -> None:
    """Give a signal that arrived during the work its usual effect."""
    if signal.getsignal(signum) is signal.SIG_DFL:
        raise SystemExit(128 + signum)
    signal.raise_signal(signum)  # Dagster has a handler of its own, which raises
    raise KeyboardInterrupt


def _run_in_thread(work: Work) -> None:
    with start_blocking_portal(name="teacher") as portal:
        # A plain asyncio task, because anyio would cancel it again at every await, and `finally`
        # blocks of the work await the ledger. After Ctrl-C the portal closes its loop, which cancels
        # the task once and waits for it.
        task = portal.call(_start, work)
        portal.call(asyncio.wait, [task])
    task.result()


async def _start(work: Work) -> asyncio.Task[None]:
    return asyncio.create_task(work)
