"""`relabel ui`: its port, its address, no greeting, and its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from relabel_assets.cli.supervisor import STOPPED_LINE
from relabel_assets_tests.builders import relabel

pytestmark = pytest.mark.slow


def test_a_port_in_use_is_an_error_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = relabel("ui", "--port", str(port))
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert f"relabel ui --port {port % 65535 + 1}" in done.stderr
    assert not (tmp_path / "home").exists()


def test_it_prints_its_address_greets_nobody_and_ends_with_all_its_processes(home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ui = subprocess.Popen(
        [sys.executable, "-m", "relabel_assets.cli.main", "ui", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )
    assert ui.stdout and ui.stderr
    try:
        address = ui.stdout.readline()
        assert address == f"http://127.0.0.1:{port}\n"
        request = urllib.request.Request(
            f"{address.strip()}/graphql",
            json.dumps({"query": "{ shouldShowNux }"}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            assert json.load(response) == {"data": {"shouldShowNux": False}}
        family = psutil.Process(ui.pid).children(recursive=True)
        assert len(family) > 3  # the work, the web server, the daemon, the code servers
        ui.send_signal(signal.SIGINT)
        _, stderr = ui.communicate(timeout=30)
    finally:
        ui.kill()
    assert ui.returncode == 130
    assert stderr.splitlines()[-1] == STOPPED_LINE
    assert "Traceback" not in stderr
    _, alive = psutil.wait_procs(family, 5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
