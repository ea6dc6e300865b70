"""Why there was no HTTP response: the cause in the exception of a client, with the way out.

What belongs here: certificates, names, ports and proxies. What does not: statuses (verdict.py), and
sending (endpoint.py).

The clients pass on their libraries' exceptions, one inside the other; the innermost has the cause.
"""

import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from relabel_assets.intake.text import one_line
from relabel_assets.teacher.verdict import UNREACHABLE

CONNECTION = "connection"  # the code of a failure that may pass
_SET_CA = "Set SSL_CERT_FILE to a file with the certificate of its authority"
# By OpenSSL's number (X509_V_ERR_...).
_CERTIFICATE_FAULTS = {
    9: "the certificate is not valid yet. Check the clock of this machine",
    10: "the certificate has expired. Renew it, or check the clock of this machine",
    18: f"the certificate is self-signed, and this machine does not trust it. {_SET_CA}",
    19: f"the certificate's authority is not trusted by this machine. {_SET_CA}",
    20: f"the certificate's authority is unknown to this machine. {_SET_CA}",
    21: f"the certificate's authority is unknown to this machine. {_SET_CA}",
    62: "the certificate is for another host name. Write the name that it has in teacher.base_url",
    64: "the certificate is for another host. Write the name that it has in teacher.base_url",
}
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
_MAX_DEPTH = 16
_MAX_WORDS = 100  # characters of a proxy's answer
_NO_SOCKS = (
    "ALL_PROXY (or HTTP_PROXY, HTTPS_PROXY) names a SOCKS proxy: install socksio, or unset it"
)


def connection_fault(error: BaseException, address: str) -> tuple[str, str]:
    """(code, message) of `error`, which a request to `address` raised.

    The code is UNREACHABLE if it would not differ the next time.

    >>> connection_fault(ConnectionRefusedError(), "http://127.0.0.1:8000/v1")
    ('connection', 'connection refused: is the server running?')
    """
    causes = list(_causes(error))
    code, message = _fault(causes, address)
    return code, message + proxy_note(address)


def _fault(causes: list[BaseException], address: str) -> tuple[str, str]:
    known = next((fault for cause in causes if (fault := _known_fault(cause))), None)
    if known:
        return known
    outermost, kind = causes[0], type(causes[0]).__name__
    if kind == "ProxyError":
        return CONNECTION, f"the proxy answered {one_line(str(outermost))[:_MAX_WORDS]!r}"
    # A server of https hangs up, or answers with what is no HTTP.
    is_no_http = kind == "RemoteProtocolError" or any(
        isinstance(cause, ConnectionResetError) for cause in causes
    )
    hint = ". If it speaks https there, write https:// in teacher.base_url"
    is_https_likely = is_no_http and urlsplit(address).scheme == "http"
    return CONNECTION, f"connection failed ({kind})" + hint * is_https_likely


def _known_fault(cause: BaseException) -> tuple[str, str] | None:
    fault = None
    match cause:
        case ssl.SSLCertVerificationError():
            words = f"the certificate is not trusted: {one_line(cause.verify_message)}"
            fault = UNREACHABLE, _CERTIFICATE_FAULTS.get(cause.verify_code, words)
        case ssl.SSLError() if cause.reason in _NO_TLS:
            fault = UNREACHABLE, "it does not speak https there. Write http:// in teacher.base_url"
        case ssl.SSLError():
            fault = CONNECTION, f"TLS failed ({one_line(str(cause.reason))})"
        case socket.gaierror():
            fault = CONNECTION, "its host name is unknown. Check teacher.base_url and the network"
        case ConnectionRefusedError():
            fault = CONNECTION, "connection refused: is the server running?"
    return fault


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in `error`, from the one below the openai client's own to the innermost."""
    cause: BaseException | None = error.__cause__ or error
    for _ in range(_MAX_DEPTH):
        if cause is None:
            return
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__


def proxy_note(address: str) -> str:
    """The proxy to `address` by the environment, in brackets; empty without one.

    >>> proxy_note("http://127.0.0.1:8000/v1")
    ''
    """
    parts, proxies = urlsplit(address), getproxies()
    scheme = next((name for name in (parts.scheme, "all") if proxies.get(name)), None)
    host = parts.hostname or ""
    if scheme is None or proxy_bypass(host):
        return ""
    place = proxies[scheme].rpartition("@")[2].rpartition("//")[2].partition("/")[0]
    way_out = f". Set NO_PROXY={host}, because a proxy cannot reach this machine's own address"
    note = f" (through the proxy {one_line(place)} of {scheme.upper()}_PROXY"
    return note + (way_out if _is_loopback(host) else "") + ")"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def setup_fault(error: BaseException) -> str | None:
    """Why no client could be made: a proxy's or a certificate's variable. None for anything else.

    >>> setup_fault(ImportError("socksio"))
    'ALL_PROXY (or HTTP_PROXY, HTTPS_PROXY) names a SOCKS proxy: install socksio, or unset it'
    """
    match error:
        case ImportError() if "socks" in str(error).lower():
            return _NO_SOCKS
        case ssl.SSLError() | OSError():
            return (
                "SSL_CERT_FILE or SSL_CERT_DIR names no file of certificates: correct or unset it"
            )
        case ValueError() if "proxy" in str(error).lower():
            return "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is no http, https or socks5 address"
    return None
