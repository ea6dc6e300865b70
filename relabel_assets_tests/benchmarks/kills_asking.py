"""SIGKILL of `relabel label --ask` at many moments: nothing is paid twice, and the file is the same.

    python -m relabel_assets_tests.benchmarks.kills_asking [KILLS] [--seed 1]

A small corpus in a temporary home, its trained student, and a teacher on the loopback with a log of its
requests. The command grades 1,200 pairs of 40 queries and asks about a third, in buckets of some 100 rows
in place of 5,000, so that kills meet several, and each bucket in two rounds.

First the command runs undisturbed. Then it is begun anew, with an empty ledger, and killed 20 times: at
random moments of each start, from loading the student to writing the file. Each start continues what the
last one left. The last one ends. It must write the same bytes as the undisturbed one. An answer that was
in the ledger at a kill must not be asked for again. What was in flight may be.
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import polars as pl

from relabel_assets_tests.builders import answers_in, ask_live, write_corpus
from relabel_assets_tests.faults.teacher_server import TeacherServer

CONCURRENCY = 8
LATENCY_S = 0.05
N_QUERIES, N_DOCUMENTS = 40, 30
RUN = [sys.executable, "-W", "ignore", "-m", "relabel_assets.cli.main", "run", "-c", "tiny"]
# The command as it is, but for the size of its buckets.
LABEL = """
import sys
from relabel_assets.labeling import current_student, label_file
label_file.label_file.__kwdefaults__["rows_per_chunk"] = 100
print("begun", flush=True)
from relabel_assets.cli.app import run_command
sys.exit(run_command())
"""


class Workspace:
    """A folder with the corpus tiny, a home with its student, and pairs to label."""

    def __init__(self, folder: Path, server: TeacherServer) -> None:
        self.home, self.pairs, self.server = folder / "home", folder / "pairs.jsonl", server
        self.ledger = self.home / "ledger"
        os.environ.update(
            RELABEL_HOME=str(self.home),
            RELABEL_DATA=str(folder / "data"),
            OPENAI_API_KEY="none",
            HF_HUB_OFFLINE="1",
        )
        write_corpus(folder / "data" / "tiny")
        subprocess.run([*RUN, "-s", "+student_model"], check=True, capture_output=True)
        price = {"input": 10.0, "output": 10.0}
        ask_live(
            folder,
            base_url=server.base_url,
            max_concurrency=CONCURRENCY,
            price_usd_per_million_tokens=price,
        )
        rows = [
            {"query": f"rules about subject {query}", "body": f"Rule {document} about leave. " * 3}
            for document in range(N_DOCUMENTS)
            for query in range(N_QUERIES)
        ]
        pl.DataFrame(rows).write_ndjson(self.pairs)

    def command(self, out: Path) -> list[str]:
        label = [sys.executable, "-W", "ignore", "-c", LABEL, "label", str(self.pairs)]
        return [*label, "-c", "tiny", "-o", str(out), "--ask", "33%", "--rounds", "2"]

    def finished(self, out: Path) -> tuple[bytes, float]:
        """What the command writes into `out`, and the seconds to its first request."""
        began_at, first_s, n_before = time.monotonic(), 0.0, self.server.requests.total()
        process = subprocess.Popen(self.command(out), stdout=subprocess.DEVNULL)
        while process.poll() is None:
            if not first_s and self.server.requests.total() > n_before:
                first_s = time.monotonic() - began_at
            time.sleep(0.01)
        if process.returncode:
            sys.exit("the command failed")
        return out.read_bytes(), first_s

    def paid(self) -> set[str]:
        return set(answers_in(self.ledger))


def kill_after(command: list[str], wait_s: float, server: TeacherServer, n_requests: int) -> bool:
    """Kill the command `wait_s` after its next `n_requests`; return whether it was still running."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None and process.stdout.readline() == b"begun\n"
    until = server.requests.total() + n_requests
    while process.poll() is None and server.requests.total() < until:
        time.sleep(0.002)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait_s)
    is_running = process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()
    return is_running


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kills", nargs="?", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw, problems, met = random.Random(arguments.seed), list[str](), Counter[str]()
    server = TeacherServer(latency_s=LATENCY_S)
    with tempfile.TemporaryDirectory() as folder, server.running():
        workspace = Workspace(Path(folder), server)
        expected, first_s = workspace.finished(Path(folder) / "undisturbed.parquet")
        n_expected = len(workspace.paid())
        print(f"undisturbed: {n_expected} answers, the first after {first_s:.1f} s", flush=True)
        shutil.rmtree(workspace.ledger)
        server.requests.clear()
        out = Path(folder) / "labels.parquet"
        paid, before = set[str](), Counter[str]()
        for number in range(1, arguments.kills + 1):
            # Every fourth is killed before a request, the others while answers come.
            n_left, kills_left = n_expected - len(paid), arguments.kills - number + 1
            most = max(1, 2 * n_left // kills_left)
            n_requests = draw.randint(1, most) if number % 4 and n_left else 0
            wait_s = draw.uniform(0, 2 * LATENCY_S if n_requests else first_s)
            was_running = kill_after(workspace.command(out), wait_s, server, n_requests)
            met["running" if was_running else "ended"] += 1
            problems += [key for key in paid if server.requests[key] > before[key]]
            paid, before = workspace.paid(), server.requests.copy()
            print(f"kill {number}: {len(paid)} of {n_expected} answers are paid", flush=True)
        is_same = (
            workspace.finished(out)[0] == expected
            if not out.exists()
            else out.read_bytes() == expected
        )
        problems += [key for key in paid if server.requests[key] > before[key]]
        n_again = server.requests.total() - len(server.requests)
    print(
        f"{arguments.kills} SIGKILLs ({met['running']} of a running command): the file is "
        f"{'the same' if is_same else 'ANOTHER'}; of {n_expected} answers {len(problems)} were paid "
        f"twice; {n_again} requests in flight at a kill were sent again"
    )
    sys.exit(bool(problems) or not is_same)


if __name__ == "__main__":
    main()
