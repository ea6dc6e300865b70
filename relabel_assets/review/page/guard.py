"""The guard before the review page: who may ask it, and what a browser may do with its answers.

What belongs here: checks of a request's headers, and headers of every response. What does not: what is
answered (server.py).

On this machine alone there is no token. There, another site that is open in the same browser is the danger.
It can send requests, and by DNS rebinding also read answers: then Host is a name that is not this machine's.
Elsewhere the token decides. A browser sends its cookie to this host's name alone, so rebinding gains nothing.
"""

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
# The page loads its own script and style, and nothing else; no text of data becomes markup.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """`app` behind the checks. `token` is None for a server that listens at this machine alone.

    `cookie` is the name of the cookie that holds the token. Cookies of a host are shared by its ports,
    so the name has the port.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, cookie: str) -> None:
        self._app, self._token, self._cookie = app, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        is_new = False

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if is_new:
                    headers.append("Set-Cookie", self._set_cookie())
            await send(message)

        connection = HTTPConnection(scope)
        refusal = self._refusal(scope["method"], connection)
        if refusal is not None:
            status, why = refusal
            await PlainTextResponse(f"{why}\n", status)(scope, receive, send_guarded)
            return
        # An earlier server at this port may have left a cookie of its own.
        is_new = self._token is not None and connection.cookies.get(self._cookie) != self._token
        await self._app(scope, receive, send_guarded)

    def _refusal(self, method: str, request: HTTPConnection) -> tuple[int, str] | None:
        """The status and the reason for a request that is not answered."""
        host = request.headers.get("host", "")
        if self._token is None and _name(host) not in LOCAL_NAMES:
            return 421, "This page is at 127.0.0.1 and localhost alone."
        if self._token is not None and not self._has_token(request):
            return (
                401,
                "Open the address that `relabel review serve` printed. It ends with a token.",
            )
        if method not in {"GET", "HEAD"} and not _is_own_page(request.headers, host):
            return 403, "Only this page itself may send grades."
        return None

    def _has_token(self, request: HTTPConnection) -> bool:
        given = [request.cookies.get(self._cookie, ""), request.query_params.get("token", "")]
        return any(is_same(self._token or "", text) for text in given)

    def _set_cookie(self) -> str:
        return f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"


def is_same(token: str, given: str) -> bool:
    """Whether `given` is the token, in a time that does not tell how much of it is right.

    >>> is_same("abc", "abc"), is_same("abc", "abd"), is_same("", "")
    (True, False, False)
    """
    return bool(token) and secrets.compare_digest(token.encode(), given.encode())


def _name(host: str) -> str | None:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # half of an IPv6 address
        return None


def _is_own_page(headers: Headers, host: str) -> bool:
    """Whether a page of this very server sends the request, as every browser says of a POST."""
    origin = headers.get("origin", "")
    return bool(host) and origin.split("://", 1)[-1] == host and "://" in origin
