"""Writing queries with a live teacher: document order, and documents without an answer."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.teacher_prompts import queries_prompt
from relabel_assets.teacher.queries.query_writer import write_queries
from relabel_assets.teacher.questions import QueryQuestions
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, KEY, make_config, writes_queries
from relabel_assets_tests.faults.teacher_server import TeacherServer

pytestmark = pytest.mark.slow  # a server on the loopback

SUBJECTS = ("travel expenses", "office keys", "laptop repair", "server outages")


def questions(config: TeacherConfig) -> QueryQuestions:
    documents = pl.DataFrame(
        [
            {
                "doc_id": f"d{n}",
                "title": subject.title(),
                "body": "The rules of this year. " * 5,
                "path": "hr/x.md",
            }
            for n, subject in enumerate(SUBJECTS)
        ]
    )
    documents = documents.with_columns(doc_type=pl.lit(None, pl.String))
    return QueryQuestions(documents, config, QueriesConfig(per_document=2), queries_prompt())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> TeacherServer:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = TeacherServer()
    server.behave = writes_queries
    return server


def test_queries_are_in_document_order_and_a_rerun_sends_no_request(
    server: TeacherServer, tmp_path: Path
) -> None:
    reports: list[tuple[int, int]] = []

    def progress(step: str, done: int, total: int, note: str = "") -> None:
        reports.append((done, total))

    with server.running():
        config = make_config(server)
        teacher = Teacher(tmp_path, retry_settings=IMPATIENT)
        estimate = teacher.estimate(questions(config), corpus="demo")
        assert (estimate.n_to_send, estimate.completion_tokens) == (4, 4 * 2 * 30)
        written = write_queries(teacher, questions(config), corpus="demo", progress=progress)
        rerun = write_queries(teacher, questions(config), corpus="demo")
        assert sum(server.requests.values()) == 4
        assert teacher.estimate(questions(config), corpus="demo").n_answered == 4
    assert written.queries["seed_doc_id"].to_list() == [
        "d0",
        "d0",
        "d1",
        "d1",
        "d2",
        "d2",
        "d3",
        "d3",
    ]
    assert written.queries["text"][0] == "travel expenses approval steps"
    assert rerun.queries.equals(written.queries)
    assert reports == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_document_without_an_answer_is_counted_and_named(
    server: TeacherServer, tmp_path: Path
) -> None:
    server.choose = lambda body, key, nth: "refusal" if "Office Keys" in str(body) else None
    with server.running():
        teacher = Teacher(tmp_path, retry_settings=IMPATIENT)
        written = write_queries(teacher, questions(make_config(server)), corpus="demo")
    assert written.failed == {"refused": 1}
    assert "cannot help" in written.reasons["refused"]
    assert set(written.queries["seed_doc_id"]) == {"d0", "d2", "d3"}
