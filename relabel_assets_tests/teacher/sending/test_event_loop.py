"""Coroutines run to completion from synchronous code, also through Ctrl-C and SIGTERM."""

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relabel_assets.teacher.sending.event_loop import run_to_end

pytestmark = pytest.mark.slow  # servers and processes

NAME = contextvars.ContextVar("name", default="nobody")


def inside_a_running_loop(work: Coroutine[Any, Any, None]) -> None:
    async def main() -> None:
        run_to_end(work)

    loop = asyncio.new_event_loop()  # not asyncio.run: its own handler of Ctrl-C would come first
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.parametrize("run", [run_to_end, inside_a_running_loop])
def test_work_completes_with_the_callers_context(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    contexts = []

    async def work() -> None:
        await asyncio.sleep(0.001)
        contexts.append((NAME.get(), threading.current_thread() is threading.main_thread()))

    token = NAME.set("teacher")
    try:
        run(work())
    finally:
        NAME.reset(token)
    assert contexts == [("teacher", run is run_to_end)]


@pytest.mark.parametrize("run", [run_to_end, inside_a_running_loop])
def test_an_error_of_the_work_is_raised(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        run(work())


def test_ctrl_c_inside_a_running_loop_lets_the_work_finish_writing() -> None:
    written = []

    async def work() -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            await asyncio.sleep(60)
        finally:
            for number in range(3):  # each await here must not be cancelled again
                await asyncio.sleep(0.01)
                written.append(number)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            inside_a_running_loop(work())
    finally:
        signal.signal(signal.SIGINT, handler)
    assert written == [0, 1, 2]


STOPPED = """
import asyncio, sys
from relabel_assets.teacher.sending.event_loop import run_to_end

async def work():
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.01)
        print("written", flush=True)

run_to_end(work())
"""


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_signal_ends_the_process_after_the_work_has_finished_writing(
    signum: signal.Signals, code: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    child.send_signal(signum)
    output, _ = child.communicate(timeout=30)
    assert output == b"written\n"
    assert child.returncode == code
