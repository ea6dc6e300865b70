"""A Batch API over real HTTP on the loopback: /v1/files and /v1/batches, with their faults.

What belongs here: the server and its faults. What does not: assertions. Each batch ends after
`n_looks` looks at it, its results in any order; `fate` names the result of each line.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from relabel_assets.teacher.requests import request_key
from relabel_assets_tests.faults.teacher_server import ANSWERS, error_body, good_reply, true_grade

Fate = Callable[[dict[str, Any], str, int], str | None]


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler], port: int = 0) -> Iterator[int]:
    """Serve in a thread until the block ends, on a free port for 0; the port is the value."""
    with serving_with(ThreadingHTTPServer(("127.0.0.1", port), handler)) as its_port:
        yield its_port


@contextmanager
def serving_with(server: ThreadingHTTPServer) -> Iterator[int]:
    """Let `server` serve in a thread until the block ends; its port is the value."""
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class BatchServer:
    """`fate(body, key, nth)` is None for a good answer, expired, missing, or a name of ANSWERS."""

    def __init__(self, fate: Fate = lambda body, key, nth: None, n_looks: int = 2) -> None:
        self.fate, self.n_looks = fate, n_looks
        self.files: dict[str, tuple[str, bytes]] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.requests: Counter[str] = Counter()  # by key: what a batch has taken on
        self.bodies: dict[str, dict[str, Any]] = {}
        self.uploads: list[int] = []  # requests in each
        self.authorizations: set[str] = set()
        self.answers_with: Callable[[int], dict[str, Any]] = good_reply
        self.whole_batch_fails: Callable[[int], dict[str, str] | None] = lambda nth: None
        self.lose_answer_to_create = False
        self.paths: list[str] = []
        self._looks: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @contextmanager
    def running(self) -> Iterator["BatchServer"]:
        with serving(_handler(self), self.port) as self.port:
            yield self

    def answer(self, method: str, path: str, headers: Any, raw: bytes) -> tuple[int, Any] | None:
        """(status, JSON or bytes) of a request, or None to drop the connection."""
        with self._lock:
            self.authorizations.add(headers.get("authorization", ""))
            path = path.partition("?")[0].removeprefix("/v1")
            self.paths.append(f"{method} {path.split('/')[1]}")
            match method, path.strip("/").split("/"):
                case "POST", ["files"]:
                    body: Any = self._upload(headers, raw)
                case "GET", ["files", file_id, "content"]:
                    body = self.files[file_id][1]
                case "POST", ["batches"]:
                    body = self._create(json.loads(raw))
                case "GET", ["batches"]:
                    body = {
                        "object": "list",
                        "data": list(reversed(self.batches.values())),
                        "has_more": False,
                    }
                case "GET", ["batches", batch_id] if batch_id in self.batches:
                    body = self._look(batch_id)
                case _:
                    return 404, error_body(f"no {path}")
            if (method, path) == ("POST", "/batches") and self.lose_answer_to_create:
                self.lose_answer_to_create = False
                return None
            return 200, body

    def _upload(self, headers: Any, raw: bytes) -> dict[str, Any]:
        form = message_from_bytes(
            b"content-type: " + headers["content-type"].encode() + b"\r\n\r\n" + raw
        )
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in form.get_payload()
        }  # type: ignore[union-attr]
        assert parts["purpose"].get_payload() == "batch"
        content = parts["file"].get_payload(decode=True)
        assert isinstance(content, bytes)
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = (parts["file"].get_filename(), content)
        self.uploads.append(len(content.splitlines()))
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(content),
            "created_at": 0,
            "filename": "f",
            "purpose": "batch",
            "status": "processed",
        }

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        number = len(self.batches) + 1
        lines = [json.loads(line) for line in self.files[request["input_file_id"]][1].splitlines()]
        counts = {"total": len(lines), "completed": 0, "failed": 0}
        batch = {
            "id": f"batch_{number}",
            "object": "batch",
            "endpoint": request["endpoint"],
            "created_at": number,
            "completion_window": "24h",
            "status": "in_progress",
            "input_file_id": request["input_file_id"],
            "request_counts": counts,
            "metadata": request.get("metadata"),
        }
        self.batches[batch["id"]] = batch
        failure = self.whole_batch_fails(number)
        if failure is not None:
            batch |= {"status": "failed", "errors": {"object": "list", "data": [failure]}}
            return batch
        for line in lines:
            assert (
                line["custom_id"] == request_key(line["body"])
                and line["url"] == request["endpoint"]
            )
            self.requests[line["custom_id"]] += 1
            self.bodies[line["custom_id"]] = line["body"]
        return batch

    def _look(self, batch_id: str) -> dict[str, Any]:
        batch = self.batches[batch_id]
        self._looks[batch_id] += 1
        if batch["status"] == "in_progress" and self._looks[batch_id] >= self.n_looks:
            self._finish(batch)
        return batch

    def _finish(self, batch: dict[str, Any]) -> None:
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]][1].splitlines()]
        random.Random(batch["id"]).shuffle(lines)
        output, errors = [], []
        for number, line in enumerate(lines):
            key = line["custom_id"]
            result = {
                "id": f"{batch['id']}_{number}",
                "custom_id": key,
                "response": None,
                "error": None,
            }
            fate = self.fate(line["body"], key, self.requests[key])
            if fate == "expired":
                errors.append(
                    result | {"error": {"code": "batch_expired", "message": "not executed in time"}}
                )
            elif fate != "missing":
                good = self.answers_with(true_grade(line["body"]))
                status, _, body = (
                    ANSWERS[fate](true_grade(line["body"])) if fate else (200, {}, good)
                )
                if status == 200:
                    body = {**body, "id": f"chatcmpl-{batch['id']}-{number}"}
                result["response"] = {
                    "status_code": status,
                    "request_id": result["id"],
                    "body": body,
                }
                (output if status == 200 else errors).append(result)
        batch["status"] = "expired" if any(line["error"] for line in errors) else "completed"
        for name, results in (("output_file_id", output), ("error_file_id", errors)):
            if results:
                batch[name] = f"file-{len(self.files)}"
                content = "".join(json.dumps(result) + "\n" for result in results).encode()
                self.files[batch[name]] = (f"{name}.jsonl", content)
        batch["request_counts"] |= {"completed": len(output), "failed": len(errors)}


def _handler(server: BatchServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = server.answer(self.command, self.path, self.headers, raw)
            if answer is None:
                self.close_connection = True
                return
            status, body = answer
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
