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

    Ctrl-C and SIGTERM cancel `work`, so that its `finally` blocks run, and then end the process as they would have.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _run_here(work)
        return
    _run_beside(work)


def _run_here(work: Coroutine[Any, Any, None]) -> None:
    is_main = threading.current_thread() is threading.main_thread()
    is_ours = is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    was_terminated = False

    async def main() -> None:
        nonlocal was_terminated
        task = asyncio.current_task()
        assert task is not None

        def terminate() -> None:
            nonlocal was_terminated
            was_terminated = True
            task.cancel()

        if is_ours:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        await work

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        if was_terminated:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
