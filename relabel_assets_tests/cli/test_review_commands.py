"""`relabel review serve` and `relabel review status` as people type them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel
from relabel_assets_tests.review.page_server import call, draw, grade_of, write_texts

pytestmark = pytest.mark.slow
COMMAND = (sys.executable, "-c", "from relabel_assets.cli.main import main; main()")


def test_without_a_sample_both_commands_say_what_makes_one(home: Path) -> None:
    served, status = relabel("review", "serve", "-c", "tiny"), relabel("review", "status")
    assert (served.returncode, status.returncode) == (3, 0)
    for done in (served, status):
        assert "relabel review sample" in done.stdout + done.stderr
    wrong = relabel("review", "serve", "-c", "tiny", "--assessor", "../ana")
    assert (wrong.returncode, "Allowed: 1 to 40 letters" in wrong.stderr) == (4, True)


def test_a_page_is_served_until_ctrl_c_and_then_says_who_graded_what(home: Path) -> None:
    write_texts(Warehouse.at(home / "home" / "warehouse.duckdb"))
    draw(home / "data" / "tiny" / "reviews", ("q1", "d1"), ("q1", "gone"))
    assert "nobody has graded any of 1 pair yet" in relabel("review", "status").stdout
    server = subprocess.Popen(
        [*COMMAND, "review", "serve", "-c", "tiny", "--assessor", "Ana"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    port = int(server.stdout.readline().split(":")[-1].strip("/\n"))
    start = call(port, "/api/start")[1]
    assert (start["assessor"], start["corpus"]) == ("ana", "tiny")
    shown = call(port, "/api/pair?assessor=ana")[1]
    assert call(port, "/api/review", grade_of(shown, 3, "r", assessor="ana"))[1]["pair"] is None
    server.send_signal(signal.SIGINT)
    out, err = server.communicate(timeout=30)
    assert server.returncode == 130
    assert out.splitlines()[-1].split()[:4] == ["ana", "1", "0", "0"]
    assert "1 sampled pair without a query" in out
    assert "Traceback" not in err
    assert relabel("review", "status", "-c", "tiny").stdout == out
