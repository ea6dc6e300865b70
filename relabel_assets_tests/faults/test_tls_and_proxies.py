"""A real TLS server, a real proxy, and addresses where nobody is: each failure names its cause."""

import datetime as dt
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from relabel_assets.errors import TeacherError
from relabel_assets_tests.builders import grade, make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer, serving, serving_with
from relabel_assets_tests.faults.teacher_server import TeacherServer, error_body, good_reply
from relabel_assets_tests.teacher.batch import batch_grading

pytestmark = pytest.mark.slow  # servers on the loopback

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
DAY = dt.timedelta(days=1)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def certificate(
    folder: Path,
    *,
    host: x509.GeneralName = LOOPBACK,
    days: tuple[int, int] = (-1, 30),
    authority: tuple[Path, ec.EllipticCurvePrivateKey] | None = None,
) -> tuple[Path, ec.EllipticCurvePrivateKey]:
    """A file with a certificate for `host` and its key, valid from and to so many days from now.

    It is self-signed, or signed by `authority`.
    """
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    folder.mkdir()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    issuer = name
    if authority:
        issuer = x509.load_pem_x509_certificate(authority[0].read_bytes()).subject
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .add_extension(x509.BasicConstraints(authority is None, None), critical=True)
        .sign(authority[1] if authority else key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "server.pem"
    file.write_bytes(built.public_bytes(serialization.Encoding.PEM) + secret)
    return file, key


class Answering(BaseHTTPRequestHandler):
    """Gives every request the grade 2."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.reply(200, json.dumps(good_reply(2)).encode())

    def reply(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    """Says nothing about clients that do not trust it."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def tls_server(file: Path) -> Iterator[TeacherServer]:
    """A teacher that speaks https with the certificate in `file`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = QuietServer(("127.0.0.1", 0), Answering)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving_with(server) as port:
        yield teacher_at(port)


def teacher_at(port: int) -> TeacherServer:
    """The name of a teacher on `port`, which some other server is."""
    server = TeacherServer()
    server.port = port
    return server


def https(server: TeacherServer) -> str:
    return f"https://127.0.0.1:{server.port}/v1"


@pytest.fixture(autouse=True)
def no_retries_of_batch_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """openai's client waits 13 s in all before it gives up."""
    monkeypatch.setattr("relabel_assets.teacher.batch.endpoint._RETRIES", 0)


# Certificates


def test_a_certificate_that_is_trusted_by_ssl_cert_file_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = certificate(tmp_path / "own")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with tls_server(file) as server:
        labels = grade(tmp_path / "ledger", server, make_pairs(2), base_url=https(server))
    assert labels["grade"].to_list() == [2, 2]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            "self-signed",
            "the certificate is self-signed, and this machine does not trust it. Set SSL_CERT",
        ),
        ("authority", "the certificate's authority is unknown to this machine. Set SSL_CERT_FILE"),
        ("host", "the certificate is for another host"),
        ("expired", "the certificate has expired"),
        ("early", "the certificate is not valid yet. Check the clock"),
    ],
)
def test_a_certificate_that_is_not_trusted_stops_the_run_at_once_and_says_why(
    fault: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    match fault:
        case "host":
            file, _ = certificate(tmp_path / fault, host=x509.DNSName("example.org"))
        case "expired":
            file, _ = certificate(tmp_path / fault, days=(-30, -1))
        case "early":
            file, _ = certificate(tmp_path / fault, days=(1, 30))
        case "authority":
            file, _ = certificate(tmp_path / fault, authority=certificate(tmp_path / "ca"))
        case _:
            file, _ = certificate(tmp_path / fault)
    if fault not in ("self-signed", "authority"):
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with tls_server(file) as server:
        with pytest.raises(TeacherError, match=words) as caught:
            grade(tmp_path / "ledger", server, make_pairs(9), base_url=https(server))
        address = f"the endpoint {https(server)}/chat/completions cannot be used: "
        assert str(caught.value).startswith(address)
        lines = (tmp_path / "ledger").glob("demo/*.jsonl")
        assert "".join(file.read_text() for file in lines).count('"unreachable"') == 1
        with pytest.raises(TeacherError, match=words):
            batch_grading.grade(
                tmp_path / "b", BatchServer(), make_pairs(1), base_url=https(server)
            )


@pytest.mark.parametrize("value", ["missing.pem", "corpus.yaml"])
def test_a_file_of_certificates_that_is_none_is_named(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corpus.yaml").write_text("name: demo\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / value))
    for ask in (grade, batch_grading.grade):
        server = teacher_at(9)  # the discard port: nothing is sent
        with pytest.raises(TeacherError, match="SSL_CERT_FILE or SSL_CERT_DIR names no file"):
            ask(tmp_path / "ledger", server, make_pairs(1), base_url=https(server))  # type: ignore[operator]


# Scheme and address


def test_https_to_a_server_of_http_says_which_scheme_to_write(tmp_path: Path) -> None:
    with serving(Answering) as port:
        server = teacher_at(port)
        with pytest.raises(TeacherError, match=r"does not speak https there\. Write http://"):
            grade(tmp_path, server, make_pairs(9), base_url=https(server))


@pytest.mark.parametrize("answer", [b"", b"\x15\x03\x01\x00\x02\x02\x46", None])
def test_http_to_a_server_of_https_says_which_scheme_to_write(
    answer: bytes | None, tmp_path: Path
) -> None:
    """Some hang up, and some answer with an alert of TLS. A server of http may fail so, too."""
    own, _ = certificate(tmp_path / "own")
    with tls_server(own) if answer is None else one_answer(answer) as server:
        labels = grade(tmp_path / "ledger", server, make_pairs(1), max_retries=0)
    assert "If it speaks https there, write https://" in labels["status_reason"][0]


@contextmanager
def one_answer(data: bytes) -> Iterator[TeacherServer]:
    """A server that sends `data` to whoever writes to it."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.connection.recv(65_536)
            self.connection.sendall(data)

    with serving(Handler) as port:
        yield teacher_at(port)


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("http://127.0.0.1:{port}/v1", "connection refused: is the server running?"),
        ("http://no-such-host.invalid/v1", "its host name is unknown. Check teacher.base_url"),
    ],
)
def test_an_address_where_nobody_is_says_so(base_url: str, words: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = base_url.format(port=free.getsockname()[1])
    server = TeacherServer()
    labels = grade(tmp_path, server, make_pairs(1), base_url=address, max_retries=0)
    assert words in labels["status_reason"][0]
    with pytest.raises(TeacherError) as caught:
        batch_grading.grade(tmp_path / "b", BatchServer(), make_pairs(1), base_url=address)
    assert words in str(caught.value)


# Proxies


class Proxy(Answering):
    """A proxy that passes requests on, except to the loopback, which is another machine's to it."""

    def do_POST(self) -> None:
        place = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers["content-length"]))
        if place.hostname == "127.0.0.1":
            self.reply(502, b"<html>cannot reach 127.0.0.1</html>")
            return
        there = http.client.HTTPConnection("127.0.0.1", int(place.port or 80))
        there.request("POST", place.path, raw, {"content-type": "application/json"})
        self.reply(200, there.getresponse().read())

    def do_CONNECT(self) -> None:
        self.reply(403, json.dumps(error_body("not through me")).encode())


def test_a_proxy_is_used_where_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TeacherServer().running() as server, serving(Proxy) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        address = f"http://teacher.example:{server.port}/v1"
        labels = grade(tmp_path, server, make_pairs(2), base_url=address)
        assert set(labels["status"]) == {"ok"} and server.requests.total() == 2


def test_a_proxy_in_front_of_the_loopback_is_named_with_the_way_past_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TeacherServer().running() as server, serving(Proxy) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:proxy-password@127.0.0.1:{port}")
        labels = grade(tmp_path, server, make_pairs(30), max_concurrency=2, max_retries=1)
        reason = labels["status_reason"][-1]
        assert (
            f"(through the proxy 127.0.0.1:{port} of HTTP_PROXY. Set NO_PROXY=127.0.0.1" in reason
        )
        assert "proxy-password" not in reason and not server.requests
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert set(grade(tmp_path, server, make_pairs(30))["status"]) == {"ok"}


@pytest.mark.parametrize(
    ("variable", "value", "base_url", "words"),
    [
        (
            "HTTP_PROXY",
            "http://127.0.0.1:9",
            "http://teacher.example/v1",
            "refused: is the server running? (thr",
        ),
        (
            "HTTPS_PROXY",
            "http://{proxy}",
            "https://teacher.example/v1",
            "the proxy answered '403 Forbidden' (thr",
        ),
    ],
)
def test_a_proxy_that_fails_is_named(
    variable: str,
    value: str,
    base_url: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(Proxy) as port:
        monkeypatch.setenv(variable, value.format(proxy=f"127.0.0.1:{port}"))
        server = TeacherServer()
        labels = grade(tmp_path, server, make_pairs(1), base_url=base_url, max_retries=0)
    assert words in labels["status_reason"][0] and f"of {variable}" in labels["status_reason"][0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("socks5://user:proxy-password@127.0.0.1:1080", "names a SOCKS proxy: install socksio"),
        ("ftp://user:proxy-password@127.0.0.1", "is no http, https or socks5 address"),
    ],
)
def test_a_proxy_that_cannot_be_used_stops_the_run_before_anything_is_sent(
    value: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    with TeacherServer().running() as server, pytest.raises(TeacherError, match=words) as caught:
        grade(tmp_path, server, make_pairs(1))
    error: BaseException | None = caught.value
    while error is not None:
        assert "proxy-password" not in str(error)
        error = error.__cause__ or error.__context__
