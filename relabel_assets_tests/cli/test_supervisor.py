"""Ctrl-C and SIGTERM: one line, 130 and within seconds, whatever the command is doing."""

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import psutil
import pytest

from relabel_assets.cli.supervisor import STOPPED_LINE

pytestmark = pytest.mark.slow

COMMAND = """
import os, signal, subprocess, sys, threading, time
from relabel_assets import stopping
from relabel_assets.cli.supervisor import supervised

def work():
    print("ready", flush=True)
{work}
    return 0

sys.exit(supervised(work))
"""
# Each is what the command does when the signal comes.
MOMENTS = {
    "sleeping": "time.sleep(60)",
    "importing": "import slow_import",
    # One call of native code that never lets another thread run.
    "native": "sum(range(10**12))",
    "dropped by except": """
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass""",
    "dropped by a destructor": """
    class Slow:
        def __del__(self):
            time.sleep(1)
    while True:
        Slow()""",
    "other handler": """
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    time.sleep(60)""",
    "thread that does not end": "threading.Thread(target=time.sleep, args=[60]).start()",
    "slow finally": """
    try:
        time.sleep(60)
    finally:
        time.sleep(60)""",
}


def start(work: str, **options: object) -> "subprocess.Popen[bytes]":
    lines = work.strip("\n").splitlines()
    indented = "\n".join(line if line.startswith(" ") else f"    {line}" for line in lines)
    process = subprocess.Popen(  # type: ignore[call-overload]
        [sys.executable, "-c", COMMAND.format(work=indented)],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )
    assert isinstance(process, subprocess.Popen)
    if process.stdout:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)
    return process


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_at_any_moment_ends_the_command_with_one_line(
    tmp_path: Path, moment: str, stop: signal.Signals
) -> None:
    (tmp_path / "slow_import.py").write_text("import time\ntime.sleep(60)\n")
    process = start(MOMENTS[moment], env={**os.environ, "PYTHONPATH": str(tmp_path)})
    process.send_signal(stop)
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr.decode()) == (130, f"{STOPPED_LINE}\n")


def test_a_second_signal_changes_nothing() -> None:
    process = start(MOMENTS["slow finally"])
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr.decode()) == (130, f"{STOPPED_LINE}\n")


def test_the_work_unwinds_and_what_it_asked_for_is_done_first() -> None:
    process = start("""
    with stopping.before_interrupt(lambda: print("before", flush=True)):
        try:
            time.sleep(60)
        finally:
            print("unwound", flush=True)""")
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=20)
    assert stdout == b"before\nunwound\n"


def test_a_dropped_stop_is_obeyed_at_the_next_check() -> None:
    process = start("""
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
    try:
        stopping.check()
    except KeyboardInterrupt:
        print("checked", flush=True)
        raise""")
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=20)
    assert stdout == b"checked\n"


def test_work_that_ends_just_after_the_signal_is_still_stopped() -> None:
    process = start("""
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return 0""")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


def test_a_closed_terminal_stops_the_command_unless_nohup_says_otherwise() -> None:
    process = start("time.sleep(60)")
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 130
    ignoring = start(
        "time.sleep(2)", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    ignoring.send_signal(signal.SIGHUP)
    assert ignoring.wait(20) == 0


def test_a_parent_that_ignores_its_children_gets_the_exit_code() -> None:
    process = start("return 3", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert process.wait(20) == 3


@pytest.mark.parametrize(("work", "code"), [("return 3", 3), ("raise SystemExit(4)", 4)])
def test_the_code_of_the_work_is_that_of_the_command(work: str, code: int) -> None:
    process = start(work)
    assert process.communicate(timeout=20)[1] == b""
    assert process.returncode == code


def test_a_killed_work_is_said() -> None:
    process = start("os.kill(os.getpid(), signal.SIGKILL)")
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 137
    assert b"error: the process ended by SIGKILL" in stderr


def test_the_work_ends_with_a_killed_command() -> None:
    process = start("time.sleep(60)")
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=20)
    assert family and psutil.wait_procs(family, 20)[1] == []


def test_ctrl_c_in_a_terminal_reaches_no_helper_process() -> None:
    """Dagster and Ray start helpers, which would print a traceback each."""
    helper = (
        "import time, signal\n"
        "signal.signal(signal.SIGINT, lambda *_: print('helper interrupted', flush=True))\n"
        "time.sleep(60)"
    )
    work = f"subprocess.Popen([sys.executable, '-c', {helper!r}]); time.sleep(60)"
    master, process = in_terminal(work)
    os.write(master, b"\x03")
    assert process.wait(20) == 130
    printed = read_all(master).decode()
    assert "helper" not in printed and printed.count(STOPPED_LINE) == 1


def test_the_work_reads_from_the_terminal_and_ctrl_c_still_stops_it() -> None:
    master, process = in_terminal("print('got', input(), flush=True); time.sleep(60)")
    os.write(master, b"select 1\n")
    until = time.monotonic() + 20
    printed = b""
    while b"got select 1" not in printed and time.monotonic() < until:
        printed += os.read(master, 1000)
    # Typed again, as people do: nothing else would end the work if the first was lost.
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        os.write(master, b"\x03")
        time.sleep(0.5)
    assert process.wait(1) == 130
    assert STOPPED_LINE.encode() in read_all(master)


def test_ctrl_z_pauses_both_processes_until_the_shell_continues_them() -> None:
    master, process = in_terminal("time.sleep(60)")
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    os.write(master, b"\x1a")
    wait_until(lambda: {member.status() for member in family} == {psutil.STATUS_STOPPED})
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: psutil.STATUS_STOPPED not in {member.status() for member in family})
    os.write(master, b"\x03")
    assert process.wait(20) == 130
    read_all(master)


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def in_terminal(work: str) -> tuple[int, "subprocess.Popen[bytes]"]:
    """The command in a terminal of its own, of which it is the foreground; and the terminal's other end."""
    master, slave = os.openpty()
    process = start(
        work,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: ioctl(slave, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    printed = b""
    while b"ready" not in printed:
        printed += os.read(master, 1000)
    time.sleep(0.5)
    return master, process


def read_all(master: int) -> bytes:
    """What the terminal still has, after the last process has ended."""
    printed = b""
    try:
        while more := os.read(master, 1000):
            printed += more
    except OSError:
        pass
    os.close(master)
    return printed
