"""llama.cpp as a real third-party server: it grades and writes queries.

It needs the extra `llama-cpp` (100 MB): `pip install -e ".[llama-cpp]"`, then pytest on this
folder.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import queries_prompt
from relabel_assets.teacher.ledger.report import report
from relabel_assets.teacher.queries.query_writer import write_queries
from relabel_assets.teacher.questions import QueryQuestions
from relabel_assets.teacher.teacher import Teacher

pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("llama")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "relabel_assets_tests.third_party.tiny_llama",
        str(folder),
        str(port),
    ]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until_healthy(port, process, folder / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def _wait_until_healthy(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def config(server: str, **changes: object) -> TeacherConfig:
    settings = {
        "kind": "openai",
        "model": "tiny.gguf",
        "base_url": server,
        "temperature": 1.0,
        "max_concurrency": 2,
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "max_completion_tokens": 1500,
    }
    return TeacherConfig.model_validate(settings | changes)


def documents(n: int) -> pl.DataFrame:
    body = (
        "The canteen opens at noon and closes at two. Visitors pay with a badge that the "
        "front desk hands out. "
    )
    rows = [
        dict.fromkeys(("author", "path", "updated_at", "doc_type"))
        | {"doc_id": f"d{number}", "title": f"Canteen {number}", "body": body * 2}
        for number in range(n)
    ]
    return pl.DataFrame(
        rows,
        schema_overrides=dict.fromkeys(("author", "path", "updated_at", "doc_type"), pl.String),
    )


def test_llama_cpp_grades_and_no_answer_is_requested_twice(server: str, tmp_path: Path) -> None:
    pairs = documents(12).with_columns(
        query_id=pl.lit("q"), text=pl.lit("when does the canteen open")
    )
    teacher = Teacher(tmp_path)
    both_labels = [
        teacher.grade(
            pairs, corpus="tiny", config=config(server, is_logprobs=True), rubric=default_rubric()
        )
        for _ in range(2)
    ]
    for labels in both_labels:
        assert set(labels["status"]) <= {"ok", "failed", "unparseable"}
        assert labels.filter(pl.col("status") == "ok")["grade"].is_between(0, 3).all()
        assert (
            labels.filter(pl.col("status") != "ok")["grade"].null_count()
            == (labels["status"] != "ok").sum()
        )
    assert (both_labels[0]["status"] == "ok").sum() >= 6
    first = both_labels[0].filter(pl.col("status") == "ok").select("doc_id", "grade", "request_key")
    assert first.join(both_labels[1], on=["doc_id", "grade", "request_key"], how="anti").is_empty()
    assert not report(teacher.ledger, is_thorough=True).problems


def test_llama_cpp_rejects_a_prompt_above_its_context_and_counts_all_tokens_of_others(
    server: str, tmp_path: Path
) -> None:
    pairs = documents(3).with_columns(query_id=pl.lit("q"), text=pl.lit("when is lunch"))
    n_words = [10, 1500, 4000]  # the model has a token for each byte, and a context of 16,384
    pairs = pairs.with_columns(body=pl.Series(["lunch " * n for n in n_words]))
    settings = config(server, max_document_tokens=10_000)
    labels = Teacher(tmp_path).grade(pairs, corpus="long", config=settings, rubric=default_rubric())
    assert labels["status"][2] == "failed"
    assert "exceeds the available context size" in labels["status_reason"][2]
    assert labels["attempts"][2] == 1
    assert labels["prompt_tokens"][1] > 6 * n_words[1]
    assert "tokens of the prompt" not in (labels["status_reason"][1] or "")


def test_llama_cpp_writes_queries_that_fit_the_schema(server: str, tmp_path: Path) -> None:
    questions = QueryQuestions(
        documents(3), config(server), QueriesConfig(per_document=1), queries_prompt()
    )
    written = write_queries(Teacher(tmp_path), questions, corpus="tiny")
    assert not written.failed, written.reasons
    assert written.queries.height + written.rejected.total() == 3
    lines = [
        json.loads(line)
        for file in tmp_path.rglob("*.jsonl")
        for line in file.read_text("utf-8").splitlines()
    ]
    assert lines
