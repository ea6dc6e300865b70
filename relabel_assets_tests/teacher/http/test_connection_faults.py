"""Failures to connect: the cause in an exception, and whether it may pass. Real ones: faults/."""

import socket
import ssl

import pytest

from relabel_assets.teacher.http.connection_faults import (
    CONNECTION,
    connection_fault,
    proxy_note,
    setup_fault,
)
from relabel_assets.teacher.verdict import UNREACHABLE

HTTP, HTTPS = "http://host.example/v1", "https://host.example/v1"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def caused_by(*causes: BaseException) -> BaseException:
    """A client's exception with `causes`, one inside the other."""
    outer: BaseException = RuntimeError("Connection error.")
    first = outer
    for cause in causes:
        outer.__cause__ = cause
        outer = cause
    return first


def untrusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "words of OpenSSL"
    return error


def of_tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError()
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("cause", "code", "words"),
    [
        (untrusted(10), UNREACHABLE, "the certificate has expired"),
        (untrusted(62), UNREACHABLE, "the certificate is for another host name"),
        (untrusted(99), UNREACHABLE, "the certificate is not trusted: words of OpenSSL"),
        (of_tls("WRONG_VERSION_NUMBER"), UNREACHABLE, "does not speak https"),
        (of_tls("TLSV1_ALERT_INTERNAL_ERROR"), CONNECTION, "TLS failed (TLSV1_ALERT_INTERNAL"),
        (socket.gaierror(-2, "unknown"), CONNECTION, "its host name is unknown"),
        (ConnectionRefusedError(111, "no"), CONNECTION, "connection refused"),
    ],
)
@pytest.mark.parametrize("depth", [1, 3])
def test_the_innermost_cause_is_named(
    cause: BaseException, code: str, words: str, depth: int
) -> None:
    wrapped = caused_by(*(OSError("wrapped") for _ in range(depth)), cause)
    found, message = connection_fault(wrapped, HTTPS)
    assert found == code and words in message


def test_causes_in_a_group_are_found() -> None:
    group = BaseExceptionGroup("all attempts", [ConnectionRefusedError(111, "no")])
    assert "refused" in connection_fault(caused_by(OSError("failed"), group), HTTP)[1]


@pytest.mark.parametrize(("address", "is_hinted"), [(HTTP, True), (HTTPS, False)])
def test_a_reset_hints_at_https_where_http_was_spoken(address: str, is_hinted: bool) -> None:
    _, message = connection_fault(caused_by(OSError("read"), ConnectionResetError()), address)
    assert ("write https://" in message) is is_hinted


def test_a_chain_of_causes_without_an_end_is_read_up_to_a_depth() -> None:
    one, other = OSError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    assert connection_fault(one, HTTP) == (CONNECTION, "connection failed (OSError)")


@pytest.mark.parametrize(
    ("environment", "address", "note"),
    [
        ({}, HTTP, ""),
        (
            {"HTTP_PROXY": "http://u:p@proxy:3128/"},
            HTTP,
            " (through the proxy proxy:3128 of HTTP_PROXY)",
        ),
        ({"HTTP_PROXY": "proxy:3128"}, HTTP, " (through the proxy proxy:3128 of HTTP_PROXY)"),
        ({"HTTP_PROXY": "http://proxy"}, HTTPS, ""),  # of the other scheme
        ({"ALL_PROXY": "http://proxy"}, HTTPS, " (through the proxy proxy of ALL_PROXY)"),
        ({"HTTP_PROXY": "http://proxy", "NO_PROXY": "host.example"}, HTTP, ""),
        (
            {"HTTP_PROXY": "http://proxy"},
            "http://localhost:8000/v1",
            " (through the proxy proxy of HTTP_PROXY. Set NO_PROXY=localhost, because a proxy cannot "
            "reach this machine's own address)",
        ),
    ],
)
def test_a_proxy_of_the_environment_is_named_without_its_password(
    environment: dict[str, str], address: str, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_note(address) == note
    assert connection_fault(OSError("x"), address)[1] == f"connection failed (OSError){note}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("the 'socksio' package is not installed"), "SOCKS"),
        (FileNotFoundError(2, "no file"), "SSL_CERT_FILE"),
        (of_tls("NO_CERTIFICATE_OR_CRL_FOUND"), "SSL_CERT_FILE"),
        (ValueError("Unknown scheme for proxy URL"), "HTTP_PROXY"),
        (ImportError("no module named x"), None),
        (ValueError("another"), None),
        (TypeError("a fault of ours"), None),
    ],
)
def test_only_faults_of_the_environment_are_explained(
    error: BaseException, words: str | None
) -> None:
    fault = setup_fault(error)
    assert fault is None if words is None else words in (fault or "")
