"""Throughput of the live teacher, as a share of what latency and concurrency allow.

    python -m relabel_assets_tests.benchmarks.teacher_throughput
        [--pairs 3000] [--concurrency 64] [--latency-s 0.2]

The server runs in a process of its own on the same machine and shares its cores. The ideal is
concurrency over latency.
"""

import argparse
import atexit
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.teacher import Teacher

# About 250 tokens.
BODY = "The quarterly review covers staffing, tooling and the on-call rota for the region. " * 12


def pairs_of(n: int) -> pl.DataFrame:
    columns = {
        "query_id": "q",
        "text": "who owns the on-call rota",
        "title": "Review",
        "author": "Ana",
    }
    columns |= {"path": "wiki/reviews", "updated_at": "2026-03-01", "doc_type": "report"}
    return pl.DataFrame({"doc_id": [f"d{i}" for i in range(n)]}).with_columns(
        *(pl.lit(value).alias(name) for name, value in columns.items()),
        body=pl.format("{} Number {}.", pl.lit(BODY), pl.col("doc_id")),
    )


def cpu_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-s", type=float, default=0.2)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "relabel_assets_tests.faults.teacher_server",
            str(arguments.latency_s),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.kill)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    os.environ["OPENAI_API_KEY"] = "none"
    config = TeacherConfig(
        kind="openai",
        model="fake",
        base_url=f"http://127.0.0.1:{port}/v1",
        requests_per_minute=None,
        tokens_per_minute=None,
        max_concurrency=arguments.concurrency,
    )
    disk_s, flushes = 0.0, 0
    write = Ledger._write

    def timed_write(file: Path, data: bytes) -> None:
        nonlocal disk_s, flushes
        started = time.perf_counter()
        write(file, data)
        disk_s, flushes = disk_s + time.perf_counter() - started, flushes + 1

    Ledger._write = staticmethod(timed_write)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        teacher = Teacher(Path(folder))
        # Imports and the first connection are not measured.
        teacher.grade(pairs_of(1), corpus="warm", config=config, rubric=default_rubric())
        disk_s, flushes = 0.0, 0
        before_s, started = cpu_s(resource.RUSAGE_SELF), time.perf_counter()
        if arguments.profile:
            import cProfile
            import pstats

            profile = cProfile.Profile()
            profile.enable()
        labels = teacher.grade(
            pairs_of(arguments.pairs), corpus="demo", config=config, rubric=default_rubric()
        )
        took_s, client_s = time.perf_counter() - started, cpu_s(resource.RUSAGE_SELF) - before_s
        if arguments.profile:
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        replay_started = time.perf_counter()
        replayed = Teacher(Path(folder)).grade(
            pairs_of(arguments.pairs), corpus="demo", config=config, rubric=default_rubric()
        )
        replay_s = time.perf_counter() - replay_started
        assert (labels["status"] == "ok").sum() >= arguments.pairs - 1 and replayed.equals(labels)
    server.terminate()
    server.wait()
    ideal, speed = arguments.concurrency / arguments.latency_s, arguments.pairs / took_s
    figures = {
        "requests_per_s": round(speed, 1),
        "share_of_ideal": round(speed / ideal, 3),
        "ideal_requests_per_s": ideal,
        "took_s": round(took_s, 2),
        "client_cpu_ms_per_request": round(1000 * client_s / arguments.pairs, 2),
        "client_share_of_one_core": round(client_s / took_s, 2),
        "server_cpu_ms_per_request": round(
            1000 * cpu_s(resource.RUSAGE_CHILDREN) / arguments.pairs, 2
        ),
        "ledger_flushes": flushes,
        "ledger_ms_per_flush": round(1000 * disk_s / max(1, flushes), 2),
        "replayed_pairs_per_s": round(arguments.pairs / replay_s),
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
