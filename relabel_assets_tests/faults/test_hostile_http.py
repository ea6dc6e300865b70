"""A server that breaks HTTP and every limit: each request ends soon, with a status and a reason."""

import gzip
import json
import socket
import socketserver
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from relabel_assets.errors import TeacherError
from relabel_assets.intake.input_limits import MAX_ERROR_CHARACTERS, MAX_REPLY_BYTES
from relabel_assets.teacher.http.bounded_http import BoundedClient, UnusableResponse
from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets_tests.builders import grade, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer, chat_body, good_reply

GOOD = json.dumps(good_reply(2)).encode()
DEEP = "[" * 200_000 + "]" * 200_000
CONTENT = good_reply(2)["choices"][0]["message"]["content"]
STREAM = b"".join(
    b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": piece}}]}).encode() + b"\n\n"
    for piece in CONTENT
) + b"data: [DONE]\n\n"  # fmt: skip
STREAM_ERROR = b'\n\ndata: {"error": {"code": 502, "message": "provider down"}}\n\n'


class RawServer(TeacherServer):
    """Answers every request with the same bytes; `pieces` may have no end."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self.pieces, self.n_requests = pieces, 0

    @contextmanager
    def running(self) -> Iterator["RawServer"]:
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                server.n_requests += 1
                self.request.settimeout(20)
                _read_request(self.request)
                try:
                    for piece in server.pieces:
                        self.request.sendall(piece)
                except OSError:
                    pass  # the client has seen enough

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
            listening.daemon_threads = True
            self.port = listening.server_address[1]
            thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                listening.shutdown()
                thread.join(10)


def _read_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
    while len(body) < length:
        body += connection.recv(65536)


def http(body: bytes, *headers: str, status: str = "200 OK") -> list[bytes]:
    lines = [f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "connection: close"]
    return ["\r\n".join(lines).encode("latin-1") + b"\r\n\r\n", body]


def drip(start: bytes, piece: bytes) -> Iterable[bytes]:
    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            yield start
            while True:
                yield piece
                time.sleep(0.05)

    return Endless()


BOMB = gzip.compress(b" " * (64 * 1024 * 1024))  # 64 kB that unpack to 64 MiB
TOO_BIG = {
    "too long": http(GOOD + b" " * MAX_REPLY_BYTES),
    "chunks without an end": drip(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"100000\r\n" + b" " * 2**20 + b"\r\n",
    ),
    "packed": http(BOMB, "content-encoding: gzip"),
    "packed twice": http(gzip.compress(BOMB), "content-encoding: gzip, gzip"),
    "packed otherwise": http(zlib.compress(BOMB), "content-encoding: deflate"),
    "packed as br": http(BOMB, "content-encoding: br"),
    "nested": http(DEEP.encode()),
    "nested in a member": http(b'{"choices": ' + DEEP.encode() + b"}"),
}
LIMITS = ("8,388,608 bytes", "encoded as", "64 deep")
BROKEN = {
    "nothing": [b""],
    "garbage": [b"\x00\xff" * 50],
    "no headers": [b"HTTP/1.1 200 OK\r\n\r\n"],
    "no headers, and a body": [b"HTTP/1.1 200 OK\r\n\r\n<html>"],
    "two status lines": [b"HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n\r\n" + GOOD],
    "bytes in a status line": [b"HTTP/1.1 200 \xff\xfe\r\ncontent-length: 0\r\n\r\n"],
    "a status of 999": http(GOOD, status="999 Beyond"),
    "a body too short": [b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + GOOD],
    "a negative length": [b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n" + GOOD],
    "two lengths": [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n" + GOOD],
    "a length of 300 digits": [b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 300 + b"\r\n\r\n"],
    "a wrong chunk": [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n"],
    "a redirect to nowhere": http(b"", status="302 Found"),
    "a redirect to itself": http(b"", "location: /v1/chat/completions", status="307 Moved"),
    "a redirect to no address": http(b"", "location: http://[::1", status="307 Moved"),
    "a redirect to a file": http(b"", "location: file:///etc/passwd", status="307 Moved"),
    "headers without an end": drip(b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 9000 + b"\r\n"),
    "no gzip": http(b"hello", "content-encoding: gzip"),
    "gzip that was cut": http(gzip.compress(GOOD)[:-9], "content-encoding: gzip"),
    "a long page": http(b"<p>\x1b[2J\x00</p>" * 20_000, status="502 Bad Gateway"),
    "a long page as an answer": http(b"<p>" * 20_000),
    "bytes that are no text": http(b"\xff\xfe\x00" * 100),
    "an empty body": http(b""),
    "no content": [b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"],
    "a stream that was cut": http(STREAM[: len(STREAM) // 2], "content-type: text/event-stream"),
    "a stream with an error": http(STREAM[: len(STREAM) // 2] + STREAM_ERROR),
}
SLOW = {
    "a byte at a time": drip(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", b" "),
    "early hints without an end": drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9),
    "a header a byte at a time": drip(b"HTTP/1.1 200 OK\r\nx: ", b"y"),
}
TAKEN = {
    "gzip": http(gzip.compress(GOOD), "content-encoding: gzip"),
    "bytes in a header": http(GOOD, "x-request-id: \xff\xfe\x80"),
    "a long header": http(GOOD, "x-request-id: " + "r" * 20_000),
    "an unknown charset": http(GOOD, "content-type: application/json; charset=klingon"),
    "a body until the end": [b"HTTP/1.0 200 OK\r\n\r\n" + GOOD],
    "spaces around": http(b" " * 1_000_000 + GOOD),
    "a byte order mark": http(b"\xef\xbb\xbf" + GOOD),
    "UTF-16": http(
        GOOD.decode().encode("utf-16"), "content-type: application/json; charset=utf-16"
    ),
    "a stream that nobody asked for": http(STREAM, "content-type: text/event-stream"),
    "a status of 299": http(GOOD, status="299 Odd"),
    "an early hint": [b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", *http(GOOD)],
}


def asked(folder: Path, pieces: Iterable[bytes], **settings: object) -> tuple[dict, int]:
    """(the row of one pair, the number of requests); the ledger is sound and short."""
    with RawServer(pieces).running() as server:
        labels = grade(folder, server, make_pairs(1), **settings)
    counted = ledger_report.report(Ledger(folder), is_thorough=True)
    assert counted.problems == [] and counted.n_bytes < 150 * MAX_ERROR_CHARACTERS
    return labels.row(0, named=True), server.n_requests


@pytest.mark.parametrize("name", TOO_BIG)
def test_a_reply_above_a_limit_is_unparseable_and_is_asked_once(name: str, tmp_path: Path) -> None:
    row, n_requests = asked(tmp_path, TOO_BIG[name], max_retries=3)
    assert (row["status"], row["grade"], n_requests) == ("unparseable", None, 1)
    assert any(limit in row["status_reason"] for limit in LIMITS), row["status_reason"]


def test_the_longest_reply_is_a_setting(tmp_path: Path) -> None:
    pieces = http(GOOD.ljust(200_000))
    row, n_requests = asked(tmp_path / "low", pieces, max_reply_mib=0.1)
    assert (row["status"], n_requests) == ("unparseable", 1)
    assert "longer than 104,857 bytes" in row["status_reason"]
    row, _ = asked(tmp_path / "high", pieces, max_reply_mib=0.2)
    assert row["status"] == "ok"


@pytest.mark.parametrize("content", [DEEP, '{"grade": ' + "[" * 90 + "]" * 90 + "}", "9" * 5000])
def test_nonsense_as_the_text_of_a_reply_is_asked_again_once(content: str, tmp_path: Path) -> None:
    row, n_requests = asked(tmp_path, http(json.dumps(chat_body(content)).encode()), max_retries=3)
    assert (row["status"], n_requests) == ("unparseable", 2)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_http_ends_with_a_reason(name: str, tmp_path: Path) -> None:
    try:
        row, _ = asked(tmp_path, BROKEN[name], max_retries=1, timeout_s=5)
    except TeacherError as error:
        assert "redirects to" in str(error)
        return
    assert row["grade"] is None and row["status"] in ("failed", "unparseable")
    assert row["status_reason"].isprintable() and len(row["status_reason"]) < 2_000


@pytest.mark.parametrize("name", SLOW)
def test_a_response_without_an_end_is_a_timeout(name: str, tmp_path: Path) -> None:
    row, n_requests = asked(tmp_path, SLOW[name], max_retries=0, timeout_s=0.5)
    assert "no complete response within 0.5 s" in row["status_reason"] and n_requests == 1


@pytest.mark.parametrize("name", TAKEN)
def test_odd_responses_with_a_whole_reply_are_read(name: str, tmp_path: Path) -> None:
    row, n_requests = asked(tmp_path, TAKEN[name], max_retries=0)
    assert (row["status"], row["grade"], n_requests) == ("ok", 2, 1)


@pytest.mark.parametrize("name", SLOW)
def test_a_synchronous_call_has_an_end_too(name: str) -> None:
    with (
        RawServer(SLOW[name]).running() as server,
        BoundedClient(total_s=0.3) as client,
        pytest.raises(httpx2.ReadTimeout),
    ):
        client.get(server.base_url)


@pytest.mark.parametrize("name", [name for name in TOO_BIG if not name.startswith("nested")])
def test_a_synchronous_call_has_the_same_limits(name: str) -> None:
    with (
        RawServer(TOO_BIG[name]).running() as server,
        BoundedClient(total_s=10) as client,
        pytest.raises(UnusableResponse),
    ):
        client.get(server.base_url)


def test_the_memory_for_a_packed_reply_is_bounded_while_it_is_unpacked() -> None:
    with RawServer(TOO_BIG["packed"]).running() as server, BoundedClient(total_s=10) as client:
        tracemalloc.start()
        try:
            with pytest.raises(UnusableResponse):
                client.get(server.base_url)
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most_bytes < 4 * MAX_REPLY_BYTES  # it unpacks to 8 times the limit
