"""Builders that several test modules share: corpora, pairs, teachers, and the command in-process.

What belongs here: helpers that more than one test module uses. What does not: fixtures
(conftest.py), servers (faults/), and assertions about one room.
"""

import contextlib
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.ledger.lines import (
    RequestMetadata,
    Response,
    read_line,
    request_line,
    response_line,
)
from relabel_assets.teacher.requests import Outgoing, Request, request_key
from relabel_assets.teacher.sending.retry_settings import RetrySettings
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.faults.teacher_server import (
    TeacherServer,
    chat_body,
    good_reply,
    true_grade,
)

if TYPE_CHECKING:  # unit tests use this module too, and do without loading Dagster or openai
    from relabel_assets.running.runner import Outcome
    from relabel_assets_tests.faults.decisions_server import DecisionsServer

# A corpus with recorded labels: `tiny`

SUBJECTS = (
    "parental leave",
    "travel expenses",
    "laptop repair",
    "visitor badges",
    "salary dates",
    "bicycle parking",
    "lunch canteen",
    "fire drill",
)
UP_TO_CANDIDATES = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates"]
# Every query with every document: the reference labels add those that BM25 does not retrieve.
N_PAIRS = 16 * 8


def jsonl(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write_corpus(folder: Path) -> Path:
    """Write eight documents with two queries each; those of the last two are for the benchmark."""
    folder.mkdir(parents=True)
    documents, queries, labels, qrels = [], [], [], []
    for number, subject in enumerate(SUBJECTS):
        documents.append(
            {
                "doc_id": f"d{number}",
                "title": subject.title(),
                "body": f"All that there is to know about {subject}.",
                "author": "Ana",
            }
        )
        for words in (f"how does {subject} work", f"{subject.split()[0]} rules please"):
            query_id, split = f"q{len(queries):02}", "benchmark" if number >= 6 else "train"
            queries.append(
                {
                    "query_id": query_id,
                    "text": words,
                    "intent": "question",
                    "seed_doc_id": f"d{number}",
                    "split": split,
                }
            )
            for document in range(len(SUBJECTS)):
                grade = 3 if document == number else int(document == (number + 1) % 8)
                labels.append({"query_id": query_id, "doc_id": f"d{document}", "grade": grade})
                if split == "benchmark":
                    qrels.append(f"{query_id} 0 d{document} {grade}")
    (folder / "documents.jsonl").write_text(jsonl(documents))
    (folder / "queries.jsonl").write_text(jsonl(queries))
    (folder / "teacher_labels.jsonl").write_text(jsonl(labels))
    (folder / "reference_labels.qrels").write_text("\n".join(qrels) + "\n")
    (folder / "corpus.yaml").write_text("student: {epochs: 1}\nreference: {kind: adjudicated}\n")
    return folder


def write_runs(folder: Path) -> Path:
    """Write runs of two systems for the queries of `tiny`: good finds the best document, weak the next."""
    folder.mkdir(parents=True)
    for system, offset in (("good", 0), ("weak", 1)):
        lines = [
            f"q{query:02} Q0 d{(query // 2 + offset + place) % 8} {place + 1} {-place} {system}"
            for query in range(16)
            for place in range(3)
        ]
        (folder / f"{system}.run").write_text("\n".join(lines) + "\n")
    return folder


# A corpus of documents alone: `bare`

DOCUMENT_SUBJECTS = (
    "travel expenses",
    "parental leave",
    "office keys",
    "laptop repair",
    "visitor badges",
    "server outages",
    "sales targets",
    "lunch menus",
    "press contacts",
    "lab safety",
    "parking permits",
    "invoice approval",
)


def write_documents(home: Path, subjects: tuple[str, ...] = DOCUMENT_SUBJECTS) -> None:
    folder = home / "data" / "bare" / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    for subject in subjects:
        body = f"The rules on {subject} changed this year. " * 5
        (folder / f"{subject.replace(' ', '-')}.md").write_text(
            f"---\ntitle: {subject.title()}\n---\n{body}"
        )


def configure(home: Path, server: TeacherServer, **teacher: object) -> None:
    settings = {
        "kind": "openai",
        "model": "fake",
        "base_url": server.base_url,
        "requests_per_minute": None,
    }
    settings |= {"tokens_per_minute": None, **teacher}
    candidates = {"bm25_top_k": 3, "random": 1}
    (home / "data" / "bare" / "corpus.yaml").write_text(
        json.dumps({"teacher": settings, "candidates": candidates})
    )


def writes_queries(body: dict[str, Any]) -> dict[str, Any]:
    """A reply of the server: a grade, or for a queries request the wanted queries about the title."""
    if body.get("response_format", {}).get("json_schema", {}).get("name") != "search_queries":
        return good_reply(true_grade(body))
    prompt = body["messages"][-1]["content"]
    title = re.search(r"<title>(.*)</title>", prompt)[1].lower()  # type: ignore[index]
    intents = re.findall(r"^\d+\. (\w+)", prompt, re.MULTILINE)
    texts = [f"{title} approval steps", f"who handles {title} on fridays", title]
    return chat_body(
        json.dumps(
            {"queries": [{"intent": i, "text": t} for i, t in zip(intents, texts, strict=False)]}
        )
    )


# The command, and runs of the graph


def relabel(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, which has loaded Dagster; return its code and output."""
    from relabel_assets.cli.app import run_command

    out, err = io.StringIO(), io.StringIO()
    with patch_argv(arguments), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_command()
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def patch_argv(arguments: tuple[str, ...]) -> Iterator[None]:
    argv, sys.argv = sys.argv, ["relabel", *arguments]
    try:
        yield
    finally:
        sys.argv = argv


def ask_live(home: Path, **teacher: object) -> None:
    """Give `tiny` a live teacher in place of the recorded one."""
    folder = home / "data" / "tiny"
    (folder / "teacher_labels.jsonl").unlink(missing_ok=True)
    settings = {
        "kind": "openai",
        "model": "fake",
        "requests_per_minute": None,
        "tokens_per_minute": None,
        **teacher,
    }
    (folder / "corpus.yaml").write_text(
        json.dumps(
            {
                "teacher": settings,
                "candidates": {"bm25_top_k": 10, "random": 8},
                "student": {"epochs": 1},
                "reference": {"kind": "adjudicated"},
            }
        )
    )


def make(*tables: str) -> "Outcome | None":
    """Bring `tables` of the corpus `tiny` up to date."""
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    return runner.bring_up_to_date(project, warehouse, "tiny", list(tables))


def statuses() -> dict[str, int]:
    """The number of the teacher's labels by status."""
    from relabel_assets.running import runner

    _, warehouse = runner.from_environment()
    rows = warehouse.query("select status, count(*) as n from teacher_labels group by all").rows()
    return dict(rows)


# A teacher behind a local server

KEY = "sk-test-0123456789abcdef"
IMPATIENT = RetrySettings(
    first_backoff_s=0.002, longest_backoff_s=0.01, probe_waits_s=(0.001, 0.002, 0.004)
)


def make_pairs(n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "query_id": [f"q{i // 10}" for i in range(n)],
            "text": [f"query number {i // 10}" for i in range(n)],
            "doc_id": [f"d{i}" for i in range(n)],
            "title": [f"Title {i}" for i in range(n)],
            "body": [f"Body of document {i}." for i in range(n)],
            "author": ["Ana"] * n,
            "path": [None] * n,
            "updated_at": [None] * n,
            "doc_type": ["policy"] * n,
        },
        schema_overrides={"path": pl.String, "updated_at": pl.String},
    )


def make_config(server: TeacherServer, **settings: object) -> TeacherConfig:
    limits = {
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "max_concurrency": 32,
        "timeout_s": 10.0,
    }
    defaults = {"kind": "openai", "model": "fake", "base_url": server.base_url, **limits}
    return TeacherConfig(**{**defaults, **settings})


def grade(
    folder: Path, server: TeacherServer, pairs: pl.DataFrame, **settings: object
) -> pl.DataFrame:
    """The teacher's labels of `pairs`, asked of `server`; the ledger is in `folder`."""
    teacher = Teacher(folder, retry_settings=IMPATIENT)
    labels = teacher.grade(
        pairs, corpus="demo", config=make_config(server, **settings), rubric=default_rubric()
    )
    TABLES["teacher_labels"].validate(labels.with_columns(corpus=pl.lit("demo")))
    return labels


def assert_no_wrong_grade(labels: pl.DataFrame, server: TeacherServer) -> None:
    for row in labels.filter(pl.col("status") == "ok").iter_rows(named=True):
        assert row["grade"] == true_grade(server.bodies[row["request_key"]]), row


def crossed_pairs(n_documents: int, n_queries: int) -> pl.DataFrame:
    """Each of `n_queries` with each of `n_documents`, query by query as candidates come."""
    documents = make_pairs(n_documents).drop("query_id", "text")
    numbers = range(n_queries)
    queries = pl.DataFrame(
        {"query_id": [f"q{i}" for i in numbers], "text": [f"query number {i}" for i in numbers]}
    )
    return queries.join(documents, how="cross")


def assert_no_wrong_decision(labels: pl.DataFrame, server: "DecisionsServer") -> None:
    """As assert_no_wrong_grade, with probabilities, which some servers round to two decimals."""
    from relabel_assets_tests.faults.decisions_server import true_grade, true_probs

    for row in labels.filter(pl.col("status") == "ok").iter_rows(named=True):
        alone = server.alone[row["request_key"]]
        assert row["grade"] == true_grade(alone), row
        pairs = zip(row["grade_probs"], true_probs(alone), strict=True)
        assert all(abs(prob - right) < 0.02 for prob, right in pairs), row
        assert sum(row["grade_probs"]) == pytest.approx(1)


def numbered_request(number: int, length: int = 10) -> Outgoing:
    """A request about the text `number`, `length` characters longer."""
    content = f"{number} " + "x" * length
    return Outgoing.of(
        Request("m", ({"role": "user", "content": content},), "s", {}, 0.0, None, 50)
    )


def exchange_lines(number: int, *, usd: float | None = 0.25) -> tuple[str, bytes]:
    """(key, request and response) of one exchange."""
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": f"{number} \u2028 é " + "x" * (number % 5000)}],
    }
    key = request_key(body)
    metadata = RequestMetadata(
        "demo",
        "grading",
        "m",
        "host",
        "text max_tokens",
        "2026-01-01T00:00:00+00:00",
        0.5,
        700,
        20,
        usd,
    )
    response = Response(200, good_reply(2))
    return key, request_line(key, body, metadata) + response_line(key, response, metadata)


def answers_in(folder: Path) -> Counter[str]:
    """The number of answers by key of a question, parsed line by line from the files in `folder`."""
    lines = (
        read_line(raw)
        for file in folder.glob("**/*.jsonl")
        for raw in file.read_bytes().splitlines(keepends=True)
    )
    answers = (line for line in lines if line is not None and line.is_answer)
    return Counter(key for line in answers for key in line.question_keys)
