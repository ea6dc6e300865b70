"""Errors of a Batch API: what the message says, and how often the endpoint is asked."""

from pathlib import Path
from typing import Any

import pytest

from relabel_assets.errors import TeacherError
from relabel_assets_tests.builders import make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import error_body
from relabel_assets_tests.teacher.batch.batch_grading import grade

pytestmark = pytest.mark.slow  # a server on the loopback


def server_that_answers(call: str, status: int, body: Any) -> BatchServer:
    """A Batch API that answers `call`, such as POST batches, with an error."""
    server = BatchServer()
    right = server.answer

    def answer(method: str, path: str, headers: Any, raw: bytes) -> Any:
        if f"{method} {path.split('/')[2].partition('?')[0]}" == call:
            server.paths.append(call)
            return status, body
        return right(method, path, headers, raw)

    server.answer = answer  # type: ignore[method-assign]
    return server


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, [{"error": {"code": 401, "message": "no"}}], "/v1 denies access: HTTP 401: no. Check OPENAI"),
        (400, error_body("not valid", "invalid_api_key"), "denies access: HTTP 400: not valid"),
        (403, error_body("not yours"), "denies access: HTTP 403: not yours"),
        (404, {"detail": "Not Found"}, "has no Batch API: HTTP 404: Not Found. Servers of your own"),
        (405, {"detail": "Method Not Allowed"}, "has no Batch API: HTTP 405: Method Not Allowed"),
        (402, error_body("no credit"), "quota or money is spent (HTTP 402: no credit)"),
        (400, error_body("no", "billing_hard_limit_reached"), "quota or money is spent (HTTP 400: no)"),
        (400, {"message": "bad"}, "does not answer as it should: HTTP 400: bad. Batches that are out"),
    ],
)  # fmt: skip
def test_each_error_of_an_upload_says_what_to_do(
    status: int, body: Any, words: str, tmp_path: Path
) -> None:
    server = server_that_answers("POST files", status, body)
    with server.running(), pytest.raises(TeacherError) as caught:
        grade(tmp_path, server, make_pairs(1), max_retries=0)
    assert words in str(caught.value)
    assert server.paths == ["POST files"]


def test_a_batch_is_created_once_where_the_quota_is_spent(tmp_path: Path) -> None:
    spent = error_body("You exceeded your current quota", "insufficient_quota")
    server = server_that_answers("POST batches", 429, spent)
    with server.running(), pytest.raises(TeacherError, match="quota or money is spent"):
        grade(tmp_path, server, make_pairs(1), max_retries=3)
    assert server.paths.count("POST batches") == 1


def test_a_batch_is_created_again_where_the_endpoint_is_busy(tmp_path: Path) -> None:
    server = server_that_answers("POST batches", 429, error_body("slow down"))
    with server.running(), pytest.raises(TeacherError, match="does not create a batch"):
        grade(tmp_path, server, make_pairs(1), max_retries=2)
    assert server.paths.count("POST batches") == 3
