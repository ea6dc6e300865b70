"""Redirects over real HTTP: followed on the same host with the whole request, and nowhere else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from relabel_assets.errors import TeacherError
from relabel_assets_tests.builders import grade, make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer, serving
from relabel_assets_tests.faults.teacher_server import TeacherServer, error_body, good_reply
from relabel_assets_tests.teacher.batch import batch_grading

pytestmark = pytest.mark.slow  # servers on the loopback


class SlashServer(TeacherServer):
    """Redirects each request without a slash at its end to the same path with one."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status, self.seen = status, list[tuple[str, str, bool]]()

    @contextmanager
    def running(self) -> Iterator["SlashServer"]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                body = json.loads(raw) if raw else {}
                server.seen.append((self.command, self.path, "messages" in body))
                if not self.path.endswith("/"):
                    self._answer(server.status, b"", self.path + "/")
                elif "messages" not in body:
                    self._answer(405, json.dumps(error_body("POST only")).encode())
                else:
                    self._answer(200, json.dumps(good_reply(2)).encode())

            do_GET = do_POST = _serve

            def _answer(self, status: int, data: bytes, location: str | None = None) -> None:
                self.send_response(status)
                if location:
                    self.send_header("location", location)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with serving(Handler) as self.port:
            yield self


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_a_slash_keeps_the_post_and_its_body(status: int, tmp_path: Path) -> None:
    with SlashServer(status).running() as server:
        labels = grade(tmp_path, server, make_pairs(2), max_concurrency=1)
    assert labels["grade"].to_list() == [2, 2]
    path = "/v1/chat/completions"
    assert server.seen == [("POST", path, True), ("POST", f"{path}/", True)] * 2


def test_see_other_asks_for_a_page_and_no_answer(tmp_path: Path) -> None:
    with SlashServer(303).running() as server, pytest.raises(TeacherError, match="POST only"):
        grade(tmp_path, server, make_pairs(1))
    assert [command for command, _, _ in server.seen] == ["POST", "GET"]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{other}/v1", "https://127.0.0.1:{port}/v1", "//[::1]:{port}/v1"]
)
def test_no_status_leads_to_another_scheme_host_or_port(
    status: int, location: str, tmp_path: Path
) -> None:
    server = TeacherServer(lambda body, key, nth: "moved")
    with TeacherServer().running() as elsewhere, server.running():
        place = location.format(other=elsewhere.port, port=server.port)
        server.answers["moved"] = lambda grade: (status, {"location": place}, "")
        if status == 300:  # a choice that nobody makes: no redirect
            assert grade(tmp_path, server, make_pairs(1))["status"].to_list() == ["failed"]
        else:
            with pytest.raises(TeacherError, match=r"not followed.*write it in teacher\.base_url"):
                grade(tmp_path, server, make_pairs(1))
        assert sum(server.requests.values()) == 1 and not elsewhere.authorizations


def test_a_redirect_to_another_user_is_not_followed(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "moved")
    with server.running():
        place = f"http://mallory:password@127.0.0.1:{server.port}/v1/chat/completions"
        server.answers["moved"] = lambda grade: (307, {"location": place}, "")
        with pytest.raises(TeacherError, match="redirects to another user") as caught:
            grade(tmp_path, server, make_pairs(1))
        assert sum(server.requests.values()) == 1 and "password" not in str(caught.value)


@pytest.mark.parametrize("call", ["POST files", "POST batches", "GET files"])
def test_a_batch_api_that_redirects_to_another_host_gets_no_key_there(
    call: str, tmp_path: Path
) -> None:
    """Uploads, batches and downloads of results."""
    server, elsewhere = RedirectingBatchServer(call), BatchServer()
    with elsewhere.running(), server.running():
        server.location = elsewhere.base_url
        with pytest.raises(TeacherError, match="is not followed"):
            batch_grading.grade(tmp_path, server, make_pairs(1), max_retries=0)
    assert not elsewhere.authorizations and not elsewhere.paths


class RedirectingBatchServer(BatchServer):
    """A Batch API one of whose calls leads to `location`."""

    def __init__(self, call: str) -> None:
        super().__init__(n_looks=1)
        self.call, self.location = call, ""

    @contextmanager
    def running(self) -> Iterator["RedirectingBatchServer"]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                if f"{self.command} {self.path.split('/')[2].partition('?')[0]}" == server.call:
                    status, data = 307, b""
                else:
                    answer = server.answer(self.command, self.path, self.headers, raw)
                    assert answer is not None
                    status, body = answer
                    data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if status == 307:
                    self.send_header("location", server.location + self.path.removeprefix("/v1"))
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _serve

            def log_message(self, format: str, *args: object) -> None:
                pass

        with serving(Handler) as self.port:
            yield self
