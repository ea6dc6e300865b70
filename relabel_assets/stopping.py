"""Stopping this process: the request to stop, which is never lost, and what to do about it first.

What belongs here: the request, as the process that works sees it. What does not: Ctrl-C and SIGTERM
themselves, and the time that is left (cli/supervisor.py); and Dagster's record of the run
(running/dagster_state.py).

An exception alone is not enough: a callback, a destructor or Dagster may drop a KeyboardInterrupt. So the
request is kept, and raised again until the process ends.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Not measured: time to unwind before the next exception, which hits code that dropped the first.
_SECONDS_BETWEEN_INTERRUPTS = 1.2
# Dagster's record of the run is a small SQLite file, but another process may be writing to it.
_SECONDS_BEFORE_INTERRUPT = 1.0

_requested = threading.Event()
_before_interrupt: list[Callable[[], object]] = []


def is_requested() -> bool:
    """Whether this process was asked to stop.

    >>> is_requested()
    False
    """
    return _requested.is_set()


def check() -> None:
    """Raise KeyboardInterrupt if this process was asked to stop. Long work calls it now and then.

    >>> check()
    """
    if _requested.is_set():
        raise KeyboardInterrupt


@contextmanager
def before_interrupt(callback: Callable[[], object]) -> Iterator[None]:
    """Within the block, call `callback` before the work is interrupted, in another thread."""
    _before_interrupt.append(callback)
    try:
        yield
    finally:
        _before_interrupt.remove(callback)


def obey(control: int) -> None:
    """Stop the main thread when a byte arrives at the pipe `control`; end the process when it closes.

    Call it first thing in a process that cli/supervisor.py began. After the request nothing more is
    written to stderr: the supervisor prints the one line.
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    sys.excepthook = _unless_stopping(sys.excepthook)
    sys.unraisablehook = _unless_stopping(sys.unraisablehook)
    threading.excepthook = _unless_stopping(threading.excepthook)
    threading.Thread(target=_listen, args=(control,), name="stopping", daemon=True).start()


def _listen(control: int) -> None:
    # A signal that this thread got would not wake the main thread from a system call.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGTTIN))
    with suppress(OSError):
        if os.read(control, 1):
            _requested.set()
            _silence_stderr()
            threading.Thread(target=_interrupt, daemon=True).start()
            os.read(control, 1)
    # The supervisor was killed, and so are we and our helpers, unless the group is somebody else's.
    (os.killpg if os.getpgrp() == os.getpid() else os.kill)(os.getpid(), signal.SIGKILL)


def _silence_stderr() -> None:
    """Lead stderr nowhere: helpers, threads and native code complain when they are interrupted."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _interrupt() -> None:
    calls = threading.Thread(target=_call_all, args=(list(_before_interrupt),), daemon=True)
    calls.start()
    calls.join(_SECONDS_BEFORE_INTERRUPT)
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    pause = threading.Event()
    while True:
        # To the main thread: there it also ends a system call that waits.
        signal.pthread_kill(main_thread, signal.SIGINT)
        pause.wait(_SECONDS_BETWEEN_INTERRUPTS)


def _call_all(callbacks: list[Callable[[], object]]) -> None:
    for callback in callbacks:
        with suppress(Exception):
            callback()


def _unless_stopping(hook: Callable[..., Any]) -> Callable[..., Any]:
    """`hook`, silent for what a stop caused."""

    def quiet(*arguments: Any) -> None:
        kind = getattr(arguments[0], "exc_type", arguments[0])
        if not _requested.is_set() and kind is not KeyboardInterrupt:
            hook(*arguments)

    return quiet
