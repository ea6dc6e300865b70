"""Several processes on one vector store: written at once, killed at any moment, and with room for few."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relabel_assets.student.vectors.segment import Segment
from relabel_assets.student.vectors.store import VectorStore, stored_files

pytestmark = pytest.mark.slow

N_KILLS = 6
# Keeps entry after entry, a megabyte each, and prints the number of those that are on the disk.
WRITER = """
import sys
from pathlib import Path
from relabel_assets.student.vectors.store import VectorStore

folder, first, n, max_bytes = Path(sys.argv[1]), *map(int, sys.argv[2:5])
store = VectorStore(folder, max_bytes)
for number in range(first, first + n):
    key = number.to_bytes(32, "big")
    store.get("base", [key])
    store.put("base", {key: key * 32_000})
    store.flush()
    print(number, flush=True)
"""


def writer(folder: Path, first: int, n: int, max_bytes: int = 10**10) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(folder), str(first), str(n), str(max_bytes)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def found(folder: Path, numbers: range) -> list[int]:
    """The numbers whose entries are there, each as it was written."""
    keys = {number.to_bytes(32, "big"): number for number in numbers}
    entries = VectorStore(folder).get("base", keys)
    assert all(content == key * 32_000 for key, content in entries.items())
    return sorted(keys[key] for key in entries)


def test_processes_that_write_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    processes = [writer(tmp_path / "vectors", first, 30) for first in (0, 20, 100)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert errors == ["", "", ""]
    assert found(tmp_path / "vectors", range(130)) == [*range(50), *range(100, 130)]


def test_a_killed_writer_loses_only_what_it_was_writing(tmp_path: Path) -> None:
    chance, folder = random.Random(7), tmp_path / "vectors"
    for kill in range(N_KILLS):
        first = kill * 10_000
        process = writer(folder, first, 10_000)
        assert process.stdout is not None and process.stderr is not None
        written = [int(process.stdout.readline()) for _ in range(chance.randint(1, 5))]
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        # Not communicate(), which passes over the lines that readline() has buffered.
        lines = process.stdout.read().splitlines(keepends=True)
        written += [int(line) for line in lines if line.endswith("\n")]
        assert process.stderr.read() == ""
        process.wait()
        assert written == list(range(first, first + len(written)))
        there = found(folder, range(first, first + len(written) + 2))
        assert there[: len(written)] == written
    for file in stored_files(folder):
        segment = Segment.open(file.path)
        list(segment.read(range(len(segment.keys))))  # no checksum fails


def test_processes_share_a_small_limit_and_none_fails(tmp_path: Path) -> None:
    folder, limit = tmp_path / "vectors", 12_000_000
    found(folder, range(0))
    for first in (0, 100):  # the first one's entries are old when the second one starts
        assert writer(folder, first, 8, limit).communicate(timeout=60)[1] == ""
    processes = [writer(folder, first, 20, limit) for first in (200, 300)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert all(error == "" or "it is full" in error for error in errors)
    n_bytes = sum(file.n_bytes for file in stored_files(folder))
    # Each of two processes may have measured before the other one wrote its segment.
    assert n_bytes <= limit + 1_100_000
    assert found(folder, range(400))
