"""HTTP clients that read a response within a limit, and follow no redirect to another host.

What belongs here: the two clients, async and sync, below openai's. What does not: the requests, the
key and the meaning of a response (sending/endpoint.py, batch/endpoint.py).

Import this module only where something is sent: openai takes a second to load.
"""

import queue
import threading
import time
import zlib
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from relabel_assets.intake.input_limits import MAX_REPLY_BYTES
from relabel_assets.teacher.verdict import REDIRECTED, UNUSABLE_REPLY

# Of the answer to our Accept-Encoding, which asks for gzip alone. Nothing limits what other formats
# unpack to, or gzip in gzip.
_ENCODINGS = ("", "identity", "gzip", "x-gzip")
_HEADERS = {"accept-encoding": "gzip"}
LONGEST_UPLOAD_S = 3600.0  # of a file of requests, 200 MB at most. Not measured
_METHOD_KEPT = (301, 302)  # browsers, and clients that follow them, make them a GET
# Of the body as it was sent, not as it is kept.
_BODY_HEADERS = (b"content-encoding", b"content-length", b"transfer-encoding")


class UnusableResponse(openai.OpenAIError):
    """A response that is not read. `code` is the error's code in the ledger.

    openai's clients repeat no request after an OpenAIError.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class BoundedAsyncClient(openai.DefaultAsyncHttpxClient):
    """An async client whose responses have at most `max_bytes`, unpacked."""

    def __init__(self, *, max_bytes: int, **settings: Any) -> None:
        super().__init__(headers=_HEADERS, **settings)
        self._max_bytes = max_bytes

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **settings: Any
    ) -> httpx2.Response:
        """The response to `request`. A response with `stream` is not read, unless it is an error."""
        settings["follow_redirects"] = False
        response = await super().send(request, stream=True, **settings)
        try:
            for _ in range(self.max_redirects):
                if response.next_request is None:
                    break
                request = _redirected(response)
                await response.aclose()
                response = await super().send(request, stream=True, **settings)
            body = _Body(response, self._max_bytes)
            if stream and not response.is_error:
                return response
            async for raw in response.aiter_raw():
                body.add(raw)
        except BaseException:
            await response.aclose()
            raise
        await response.aclose()
        return body.as_response()


class BoundedClient(openai.DefaultHttpxClient):
    """The same for synchronous calls, with MAX_REPLY_BYTES.

    Headers, and then the body, arrive within `total_s` seconds each.

    A request with a body has LONGEST_UPLOAD_S until its headers arrive: a file of requests may be large.
    """

    def __init__(self, *, total_s: float, **settings: Any) -> None:
        super().__init__(headers=_HEADERS, **settings)
        self._total_s = total_s

    def send(
        self, request: httpx2.Request, *, stream: bool = False, **settings: Any
    ) -> httpx2.Response:
        """The response to `request`. A response with `stream` is not read, unless it is an error."""
        settings["follow_redirects"] = False
        response = self._opened(request, settings)
        try:
            for _ in range(self.max_redirects):
                if response.next_request is None:
                    break
                request = _redirected(response)
                response.close()
                response = self._opened(request, settings)
            last_moment = time.monotonic() + self._total_s
            body = _Body(response, MAX_REPLY_BYTES)
            if stream and not response.is_error:
                return response
            for raw in response.iter_raw():
                body.add(raw)
                if time.monotonic() > last_moment:
                    raise httpx2.ReadTimeout(f"no complete response within {self._total_s:g} s")
        except BaseException:
            response.close()
            raise
        response.close()
        return body.as_response()

    def _opened(self, request: httpx2.Request, settings: Mapping[str, Any]) -> httpx2.Response:
        """The response when its headers have arrived.

        The client's own timeouts are for each read: a server may send headers a byte at a time, or one
        early hint after the other. A thread that waits for such a server is left behind.
        """
        limit_s = self._total_s if request.method == "GET" else LONGEST_UPLOAD_S
        results: queue.Queue[httpx2.Response | BaseException] = queue.Queue()

        def open_it() -> None:
            try:
                results.put(super(BoundedClient, self).send(request, stream=True, **settings))
            except BaseException as error:
                results.put(error)

        threading.Thread(target=open_it, daemon=True).start()
        try:
            result = results.get(timeout=limit_s)
        except queue.Empty:
            raise httpx2.ReadTimeout(f"no headers within {limit_s:g} s") from None
        if isinstance(result, BaseException):
            raise result
        return result


class _Body:
    """The body of a response, unpacked piece by piece and never above the limit."""

    def __init__(self, response: httpx2.Response, max_bytes: int) -> None:
        self._response, self._pieces = response, list[bytes]()
        self._max_bytes = self._room = max_bytes
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            message = f"the reply is encoded as {encoding[:50]!r}, and gzip alone was asked for"
            raise UnusableResponse(UNUSABLE_REPLY, message)
        is_gzip = encoding.endswith("gzip")
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if is_gzip else None

    def add(self, raw: bytes) -> None:
        """Add a piece as it was sent. Raises UnusableResponse above the limit."""
        try:
            piece = raw if self._gzip is None else self._gzip.decompress(raw, self._room + 1)
        except zlib.error as error:
            raise httpx2.DecodingError(str(error)) from error
        self._room -= len(piece)
        if self._room < 0:
            message = f"the reply is longer than {self._max_bytes:,} bytes (unpacked)"
            raise UnusableResponse(UNUSABLE_REPLY, message)
        self._pieces.append(piece)

    def as_response(self) -> httpx2.Response:
        """The whole response. Raises DecodingError for a body that was cut."""
        if self._gzip is not None and self._pieces and not self._gzip.eof:
            raise httpx2.DecodingError("the gzip stream was cut")
        sent = self._response.headers.raw  # bytes: a server may send what is no text
        headers = [(name, value) for name, value in sent if name.lower() not in _BODY_HEADERS]
        return httpx2.Response(
            self._response.status_code,
            headers=headers,
            content=b"".join(self._pieces),
            request=self._response.request,
        )


def _redirected(response: httpx2.Response) -> httpx2.Request:
    """The request that follows a redirect on the same host.

    It stays a POST with its body after 301 and 302 too: a server that adds a slash answers so. Raises
    UnusableResponse for a redirect to another host, where the key would go, or to another user.
    """
    asked, following = response.request, response.next_request
    assert following is not None
    here, there = asked.url, following.url
    if _place(here) != _place(there):
        raise UnusableResponse(
            REDIRECTED,
            f"{_place(here)} redirects to {_place(there)}, which is not followed, because the key "
            "would go there. If that is the right address, write it in teacher.base_url",
        )
    if there.userinfo not in (b"", here.userinfo):
        raise UnusableResponse(
            REDIRECTED, f"{_place(here)} redirects to another user, which is not followed"
        )
    if response.status_code not in _METHOD_KEPT:
        return following
    return httpx2.Request(
        asked.method, there, headers=asked.headers, stream=asked.stream, extensions=asked.extensions
    )


def _place(url: httpx2.URL) -> str:
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme}://{url.host}{port}"
