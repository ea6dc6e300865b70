"""Running a coroutine to its end from plain code, wherever that code runs.

What belongs here: which thread the loop lives in, and what Ctrl-C and SIGTERM do to it. What does not: the work.
"""

import asyncio
import contextvars
import signal
import threading
from collections.abc import Coroutine
from typing import Any


def run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` in this thread; in one of its own if this thread has an event loop running already.

    Ctrl-C and SIGTERM cancel `work`, so that its `finally` blocks run, and then do what they would have done without it.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _run_here(work)
        return
    _run_beside(work)


def _run_here(work: Coroutine[Any, Any, None]) -> None:
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
    """Who is told of a stop now. Only the main thread may say."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    return {signum: handler for signum, handler in found.items() if handler is not None}


def _deliver(signum: int) -> None:
    if signal.getsignal(signum) is signal.SIG_DFL:
        raise SystemExit(128 + signum)
    signal.raise_signal(signum)  # Dagster has a handler of its own, which raises
    raise KeyboardInterrupt


def _run_beside(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.new_event_loop()
    task: asyncio.Task[None] | None = None
    failure: list[BaseException] = []

    async def main() -> None:
        nonlocal task
        task = asyncio.current_task()
        await work

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(main())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="teacher")
    thread.start()
    try:
        thread.join()
    except BaseException:
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if failure:
        raise failure[0]
