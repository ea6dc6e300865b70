"""The process that waits for a command, stops it at Ctrl-C or SIGTERM, and prints the one line.

What belongs here: the two processes of a command, their signals, and the limit of seconds. What does not:
what the working process does when it is asked to stop (stopping.py). It imports next to nothing, so that
no moment of the command is without it.

Why two processes: Python delivers a signal between two bytecodes. Loading a library or one call of native
code may take longer than anybody waits, and only another process is then awake. The working process has a
process group of its own. So the terminal sends Ctrl-C to the supervisor alone, and not to the helpers
of Dagster, Ray or a query, which would print tracebacks.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from relabel_assets.cli.standard_streams import fill_closed_streams

STOPPED = 130  # 128 + SIGINT
STOPPED_LINE = "Stopped. What was finished is kept; run this again to go on."
# Ctrl-C ends within 5 s: a killed process with gigabytes, or one swapped out, takes up to two to be gone.
# Killing is safe at any moment: see benchmarks/kills.py.
_SECONDS_TO_STOP = 2.8
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last: the terminal was closed
_CLEAR_LINE, _SHOW_CURSOR = "\r\x1b[K", "\x1b[?25h"


def supervised(work: Callable[[], int]) -> int:
    """Run `work` in a process of its own, and return its exit code; 130 after Ctrl-C or SIGTERM.

    In the working process it does not return: that one exits with the code of `work`.
    """
    fill_closed_streams()
    supervisor = _Supervisor()
    worker = os.fork()
    if not worker:
        with suppress(OSError):  # the supervisor may have done it already
            os.setpgid(0, 0)  # first: from here on Ctrl-C goes to the supervisor alone
        supervisor.leave()
        _work(supervisor.control_read, work)
    return supervisor.wait_for(worker)


def _work(control: int, work: Callable[[], int]) -> NoReturn:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # this group may write to the terminal
    signal.signal(signal.SIGTTIN, _take_terminal)
    from relabel_assets import stopping

    stopping.obey(control)
    try:
        code = work()
    except KeyboardInterrupt:
        code = STOPPED
    if stopping.is_requested():
        os._exit(code)  # nothing is left to do, and libraries take seconds to take leave
    sys.exit(code)


def _take_terminal(signum: int, frame: Any) -> None:
    """Read from the terminal, as `relabel sql -` does. From then on Ctrl-C comes to this group."""
    if os.tcgetpgrp(0) == os.getpgid(os.getppid()):
        os.tcsetpgrp(0, os.getpgrp())
    else:  # the command is in the background: wait for `fg`
        os.kill(os.getpid(), signal.SIGSTOP)


class _Supervisor:
    """Signals as bytes of a pipe, and a pipe on which the working process is asked to stop."""

    def __init__(self) -> None:
        self.control_read, self._control_write = os.pipe()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._signals: list[int] = []
        self._handlers: dict[int, Any] = {}
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for signum in (*_STOPS, signal.SIGTSTP, signal.SIGCHLD, signal.SIGCONT):
            # A shell ignores Ctrl-C for what it starts in the background, and nohup a closed terminal.
            # The end of a child that is ignored would lose its exit code.
            is_ignored = signal.getsignal(signum) is signal.SIG_IGN
            if not is_ignored or signum == signal.SIGCHLD:
                self._handlers[signum] = signal.signal(signum, self._note)

    def _note(self, signum: int, frame: Any) -> None:
        self._signals.append(signum)

    def leave(self) -> None:
        """In the working process: undo all of this."""
        signal.set_wakeup_fd(-1)
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)
        for pipe in (self._control_write, self._wake_read, self._wake_write):
            os.close(pipe)

    def wait_for(self, worker: int) -> int:
        """Wait for the end of `worker`; pass on what the terminal asks for."""
        with suppress(OSError):  # it may have done it already, or have ended
            os.setpgid(worker, worker)
        os.close(self.control_read)
        is_stopped, deadline = False, float("inf")
        while True:
            ended, status = os.waitpid(worker, os.WNOHANG)
            if ended:
                break
            while self._signals:
                signum = self._signals.pop(0)
                if signum in _STOPS and not is_stopped:
                    is_stopped, deadline = True, time.monotonic() + _SECONDS_TO_STOP
                    with suppress(OSError):
                        os.write(self._control_write, b"\n")
                elif signum == signal.SIGTSTP:  # Ctrl-Z
                    _signal_group(worker, signal.SIGSTOP)
                    os.kill(os.getpid(), signal.SIGSTOP)
                elif signum == signal.SIGCONT:
                    _signal_group(worker, signal.SIGCONT)
            if time.monotonic() > deadline:
                _signal_group(worker, signal.SIGKILL)
                _note_stopped(worker)
                deadline = float("inf")
            self._sleep(deadline)
        is_stopped = is_stopped or any(signum in _STOPS for signum in self._signals)
        return self._end(os.waitstatus_to_exitcode(status), worker, is_stopped)

    def _sleep(self, deadline: float) -> None:
        """Until a signal arrives, or the deadline."""
        left = min(60.0, max(0.0, deadline - time.monotonic()))
        if select.select([self._wake_read], [], [], left)[0]:
            with suppress(BlockingIOError):
                os.read(self._wake_read, 4096)

    def _end(self, code: int, worker: int, is_stopped: bool) -> int:
        _give_terminal_back()
        if is_stopped or code in {STOPPED, -signal.SIGINT, -signal.SIGTERM}:
            _signal_group(worker, signal.SIGKILL)  # a helper that outlived it
            _print(STOPPED_LINE)
            return STOPPED
        if code < 0:
            _print(
                f"error: the process ended by {signal.Signals(-code).name}, as when memory is full. "
                "What was finished is kept; run this again to go on."
            )
            return 128 - code
        return code


def _signal_group(worker: int, signum: int) -> None:
    with suppress(OSError):  # nobody is left in it
        os.killpg(worker, signum)


def _give_terminal_back() -> None:
    with suppress(OSError):
        if os.isatty(0) and os.tcgetpgrp(0) != os.getpgrp():
            before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpgrp())
            signal.signal(signal.SIGTTOU, before)


def _note_stopped(worker: int) -> None:
    """Tell the next command that the run of `worker` was stopped, and did not fail."""
    from relabel_assets.home import Home

    with suppress(Exception):  # without the mark the run is shown as failed, and nothing else
        marks = Home.from_environment().stopped
        if marks.parent.exists():
            marks.mkdir(exist_ok=True)
            (marks / str(worker)).touch()


def _print(line: str) -> None:
    """Print `line` on stderr, below what the working process left: half a line, a hidden cursor."""
    with suppress(OSError):
        before = _CLEAR_LINE + _SHOW_CURSOR if os.isatty(2) else ""
        os.write(2, f"{before}{line}\n".encode())
