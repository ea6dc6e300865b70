"""Azure requests and the token rate limit, each over real HTTP."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, make_pairs
from relabel_assets_tests.faults.batch_server import serving
from relabel_assets_tests.faults.teacher_server import error_body, good_reply

pytestmark = pytest.mark.slow  # a server on the loopback


class Recorder:
    """Answers every request and records its time, path, headers and body."""

    def __init__(self, refuses: tuple[str, ...] = ()) -> None:
        self.seen: list[tuple[float, str, dict[str, str], dict]] = []
        self.refuses = refuses
        self.port = 0

    @contextmanager
    def running(self) -> Iterator["Recorder"]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorder.seen.append((time.monotonic(), self.path, headers, body))
                wrong = next((field for field in recorder.refuses if field in body), None)
                status, answer = (
                    (400, error_body(f"Unrecognized request argument: {wrong}"))
                    if wrong
                    else (200, good_reply(2))
                )
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with serving(Handler) as self.port:
            yield self


def grade(folder: Path, n: int, **settings: object) -> pl.DataFrame:
    config = TeacherConfig.model_validate(
        {"kind": "openai", "requests_per_minute": None, "tokens_per_minute": None, **settings}
    )
    teacher = Teacher(folder, retry_settings=IMPATIENT)
    return teacher.grade(make_pairs(n), corpus="demo", config=config, rubric=default_rubric())


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OPENAI_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
        "OPENAI_API_VERSION",
    ):
        monkeypatch.delenv(name, raising=False)


def test_an_azure_request_has_a_deployment_a_version_and_an_api_key_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key-0123456789")
    with Recorder(refuses=("max_completion_tokens",)).running() as server:
        settings = {
            "model": "my-gpt-4o",
            "api": "azure",
            "base_url": f"http://127.0.0.1:{server.port}",
        }
        labels = grade(tmp_path, 3, api_version="2024-10-21", **settings)
        assert labels["status"].to_list() == ["ok"] * 3 and set(labels["grade"]) == {2}
        paths = {path for _, path, _, _ in server.seen}
        assert paths == {"/openai/deployments/my-gpt-4o/chat/completions?api-version=2024-10-21"}
        assert all(headers["api-key"] == "azure-key-0123456789" for _, _, headers, _ in server.seen)
        # The first request is refused, and all later ones have the older field.
        assert all("max_tokens" in body for *_, body in server.seen[1:])
        assert (
            grade(tmp_path, 3, api_version="2024-10-21", **settings).equals(labels)
            and len(server.seen) == 4
        )
        with pytest.raises(TeacherError, match="there is no version"):
            grade(tmp_path / "other", 1, **settings)


def test_azure_without_a_key_or_an_address_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TeacherError, match="AZURE_OPENAI_API_KEY is not set"):
        grade(
            tmp_path,
            1,
            model="m",
            api="azure",
            base_url="http://127.0.0.1:9",
            api_version="2024-10-21",
        )
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key-0123456789")
    with pytest.raises(TeacherError, match="AZURE_OPENAI_ENDPOINT"):
        grade(tmp_path, 1, model="m", api="azure", api_version="2024-10-21")


def test_the_token_rate_limit_holds_at_any_concurrency(tmp_path: Path) -> None:
    """The server bills 720 tokens a reply: 720 x 20 tokens a second allow 20 replies."""
    per_second, n = 20, 30
    with Recorder().running() as server:
        before_s = time.monotonic()
        labels = grade(
            tmp_path, n, model="m", base_url=f"http://127.0.0.1:{server.port}/v1",
            tokens_per_minute=720 * per_second * 60, max_concurrency=16,
        )  # fmt: skip
        assert set(labels["status"]) == {"ok"}
        # Measured from before the first request is sent: a busy machine may deliver it late, but
        # the last one is never early.
        assert server.seen[-1][0] - before_s >= 0.8 * (n - 1) / per_second
