"""Progress on stderr: a bar in a terminal of 80 columns, lines elsewhere, never mixed with other lines."""

import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios

import pytest

from relabel_assets.progress import TimeLeft
from relabel_assets_tests.benchmarks.interruptions import screen

pytestmark = pytest.mark.slow

WORK = """
import logging, os, sys, time
from relabel_assets.cli import progress_display
from relabel_assets.cli.options import OutputFormat
from relabel_assets.cli.progress_display import show_progress
from relabel_assets.progress import working_on

log = logging.getLogger("relabel_assets.progress")
progress_display._SECONDS_BETWEEN_LINES = float(os.environ.get("BETWEEN_S", 10))
show_progress(OutputFormat(os.environ.get("FORMAT", "text")))
with working_on("people_handbook / student_model") as progress:
    log.info("people_handbook / student_model ...")
    progress("indexing documents", 500, 0)
    for done in range(3):
        progress("training, epochs", done, 12)
        progress("training, epoch 10 of 12, steps", 1_000 * done, 10_000, "loss 0.2177")
        time.sleep(0.8)
        log.info("a line in between %d", done)
log.info("people_handbook / student_model: 1 row in 2.4 s")
"""


def in_terminal() -> str:
    """What WORK writes to a terminal of 80 columns."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen([sys.executable, "-c", WORK], stderr=slave, env=environment)
    os.close(slave)
    written = b""
    try:
        while more := os.read(master, 1000):
            written += more
    except OSError:  # the process has closed it
        pass
    os.close(master)
    assert process.wait(20) == 0
    return written.decode()


def test_a_terminal_of_80_columns_has_a_bar_and_its_time_left_below_the_lines() -> None:
    written = in_terminal()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r", "\n")
    rows = [row for row in plain.split("\n") if row]
    assert max(map(len, rows)) <= 80
    assert any(row.endswith("people_handbook / student_model, 2 s") for row in rows)
    bar = re.compile(r"  training, epoch 10 of 12, steps .*━.* 1,000/10,000")
    assert any(bar.fullmatch(row) for row in rows)
    assert any(re.fullmatch(r"    \d+ s left, loss 0.2177", row) for row in rows)
    # Outer steps come first, and one without an end makes way for the next.
    assert not any("indexing documents" in row for row in rows)
    lines = [line[10:] for line in screen(written) if line]
    between = [f"a line in between {number}" for number in range(3)]
    assert lines == [*between, "people_handbook / student_model: 1 row in 2.4 s"]
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is back


def piped(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", WORK],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr.splitlines()


def test_a_pipe_has_lines_and_no_bar() -> None:
    lines = piped(BETWEEN_S="0")
    last = [line for line in lines if "training, epoch 10 of 12, steps" in line][-1]
    assert re.fullmatch(
        r"..:..:..    people_handbook / student_model: training, epochs 2/12 \d+ s left; training, "
        r"epoch 10 of 12, steps 2,000/10,000 \d+ s left, loss 0.2177",
        last,
    ), last
    assert not [line for line in lines if "\x1b" in line or "━" in line]


def test_a_pipe_has_a_line_at_most_every_ten_seconds() -> None:
    assert not [line for line in piped() if "training" in line]


def test_lines_of_json_name_corpus_and_table() -> None:
    records = [json.loads(line) for line in piped(BETWEEN_S="0", FORMAT="json")]
    (record, *_) = [record for record in records if "epoch 10 of 12" in record["message"]]
    assert (record["corpus"], record["asset"]) == ("people_handbook", "student_model")


def test_a_step_that_begins_again_has_its_own_speed() -> None:
    now = iter([0.0, 100.0, 100.0, 110.0])
    left = TimeLeft(clock=lambda: next(now))
    assert [left("scoring pairs", done, 10) for done in (0, 10, 0, 5)] == [None, 0.0, None, 10.0]
