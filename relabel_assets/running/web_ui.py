"""The Dagster UI as processes of one command: `relabel ui`.

What belongs here: starting its web server, daemon and code servers, and ending them in time. What does not:
what the UI shows (graph/), and the command (cli/commands/run.py).
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import dagster as dg
import psutil
from dagster._core.nux import set_nux_seen

from relabel_assets.errors import WarehouseError
from relabel_assets.graph.project import Project
from relabel_assets.running.dagster_state import (
    UNFINISHED,
    close_dead_runs,
    process_of,
    usable_instance,
)

_HOST = "127.0.0.1"
_SERVER = "relabel_assets.running.web_server"  # serves the reports too
# Before the supervisor of the command kills what is left (cli/supervisor.py).
_SECONDS_TO_END = 1.5
_SECONDS_BETWEEN_LOOKS = 0.25


def is_free(port: int) -> bool:
    """Whether a server can listen at `port` of this machine.

    >>> with socket.socket() as other:
    ...     other.bind(("127.0.0.1", 0))
    ...     is_free(other.getsockname()[1])
    False
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web server does
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def serve(project: Project, port: int, announce: Callable[[str], object]) -> None:
    """Serve the UI until Ctrl-C; call `announce` with its address once it can be opened.

    Raises WarehouseError where a process of the UI ends by itself.
    """
    os.environ.update(
        RELABEL_HOME=project.home_path,
        RELABEL_DATA=project.data_path,
        DAGSTER_HOME=str(project.home.dagster),
    )
    # Create Dagster's state before several of its processes open it at once.
    with usable_instance(project.home) as instance:
        close_dead_runs(instance, project.home)
    set_nux_seen()  # no dialog that asks for an address for Dagster's newsletter
    services = _start(project, port)
    threading.Thread(target=_pass_on_lines, args=(services,), daemon=True).start()
    try:
        address = f"http://{_HOST}:{port}"
        while services.poll() is None and not _answers(address):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        if services.poll() is None:
            announce(address)
        code = services.wait()
    finally:
        _end(project, services)
    raise WarehouseError(
        f"the Dagster UI ended by itself, with exit code {code}. Its last lines are above."
    )


def _start(project: Project, port: int) -> "subprocess.Popen[bytes]":
    ignore = ["-W", "ignore"]
    module = ["-m", "relabel_assets.definitions", "-h", _HOST, "-p", str(port)]
    return subprocess.Popen(
        [sys.executable, *ignore, "-m", _SERVER, "dev", *module, "--log-level", "warning"],
        cwd=project.home_path,  # it writes sockets and logs to a folder of the working directory
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _pass_on_lines(services: "subprocess.Popen[bytes]") -> None:
    """Print what the processes print, on this process' stderr: after Ctrl-C that is silent."""
    assert services.stdout is not None
    for line in services.stdout:
        with suppress(OSError, ValueError):
            sys.stderr.write(line.decode("utf-8", "replace"))
            sys.stderr.flush()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/server_info", timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _end(project: Project, services: "subprocess.Popen[bytes]") -> None:
    """End all processes: runs in progress are canceled, then the services end, then all is killed."""
    try:
        family = psutil.Process(services.pid).children(recursive=True)
    except psutil.Error:
        return
    with suppress(Exception):  # runs without the note are shown as failed, and nothing else
        _cancel_runs(project, {process.pid for process in family})
    for process in family:
        if "spawn_main" in _command_line(process):  # a run, or a step of one
            with suppress(psutil.Error):
                process.send_signal(signal.SIGTERM)
    services.terminate()
    _, alive = psutil.wait_procs([psutil.Process(services.pid), *family], _SECONDS_TO_END)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()


def _cancel_runs(project: Project, processes: set[int]) -> None:
    """Note for each run of `processes` that it is stopped, so that it ends as canceled."""
    with usable_instance(project.home) as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
            if process_of(instance, run) in processes:
                instance.report_run_canceling(run, "The UI was stopped.")


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
