"""The teacher's endpoint: one POST and its response.

What belongs here: the openai client, the key and the address; only batch/endpoint.py uses openai
too. What does not: retries (attempts.py), limits (limits.py) and the ledger (ledger/).

The key comes from the environment when the client is made. It is redacted from all responses, after
they are decoded.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.intake.input_limits import MAX_ERROR_CHARACTERS
from relabel_assets.intake.json_text import TooDeep
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.intake.text import storable
from relabel_assets.teacher.http.connection_faults import (
    connection_fault,
    proxy_note,
    setup_fault,
)
from relabel_assets.teacher.http.credentials import (
    base_url_of,
    fault_in_address,
    read_key,
    redactor_of,
)
from relabel_assets.teacher.http.redactor import Redactor
from relabel_assets.teacher.http.response_body import body_text, parse_body
from relabel_assets.teacher.ledger.lines import Response
from relabel_assets.teacher.verdict import UNUSABLE_REPLY

_MAX_REQUEST_ID = 100  # characters: real ones have about 40
_MAX_WAIT_HEADERS, _MAX_HEADER = 32, 100  # headers about waits, and the characters of each
_OPENAI = "https://api.openai.com/v1"
_NO_ADDRESS = "teacher.base_url (or OPENAI_BASE_URL) is not an address. Write http://host:port/v1."


@dataclass(frozen=True)
class Received:
    """A response with its latency, and its headers about waits and rate limits, in lower case."""

    response: Response
    latency_s: float
    headers: Mapping[str, str] = field(default_factory=dict)


def endpoint_name(config: TeacherConfig) -> str:
    """Host and port, for the ledger and for people: the address may hold a password or a token.

    >>> endpoint_name(TeacherConfig(base_url="http://user:secret@127.0.0.1:8000/v1"))
    '127.0.0.1:8000'
    """
    try:
        address = base_url_of(config) or _OPENAI
        parts = urlsplit(address)  # it drops line breaks and tabs
        is_printable = address.isprintable() and " " not in address
        if is_printable and parts.scheme in ("http", "https") and parts.hostname:
            name = parts.hostname + (f":{parts.port}" if parts.port else "")
            fault = fault_in_address(address)
        else:
            name, fault = "", None
    except ValueError:  # its message may hold the password, and so may its context
        name, fault = "", None
    if fault:
        raise TeacherError(f"teacher.base_url (or OPENAI_BASE_URL) cannot be used: {fault}.")
    if not name:
        raise TeacherError(_NO_ADDRESS)
    return name


def address_of(config: TeacherConfig, path: str = "") -> str:
    """The address of `path` at the endpoint, for people: without user, password and query string.

    >>> address_of(TeacherConfig(base_url="http://user:secret@127.0.0.1:8000/v1?k=v"), "/chat/completions")
    'http://127.0.0.1:8000/v1/chat/completions'
    """
    parts = urlsplit(base_url_of(config) or _OPENAI)
    base = parts.path.rstrip("/")
    if config.api == "azure":
        base += f"/openai/deployments/{config.model}"
    return f"{parts.scheme}://{endpoint_name(config)}{base}{path}"


class Endpoint:
    """A connection pool to the endpoint of `config`. It belongs to one event loop."""

    def __init__(self, config: TeacherConfig) -> None:
        self._config = config
        self._client: Any = None  # made on first use: a run that sends nothing needs no key
        self._redactor = Redactor()

    def _open(self) -> Any:
        if self._client is None:
            key = read_key(self._config)
            self._redactor = redactor_of(self._config, key)
            self._client = _client(self._config, key)
        return self._client

    def address(self, url: str) -> str:
        """The address of `url` (TeacherRequest.url) and the proxy to it, for people."""
        address = address_of(self._config, url.removeprefix("/v1"))
        return self._redactor.text(address + proxy_note(address))

    async def post(self, body: Mapping[str, Any]) -> Received:
        """Send one request once, to chat.completions or Decisions. A failure is a Response too.

        Raises TeacherError without a key or an address.
        """
        client, timeout_s = self._open(), self._config.timeout_s
        import httpx2
        import openai

        from relabel_assets.teacher.http.bounded_http import UnusableResponse

        started = time.monotonic()

        def failed(code: str, message: str) -> Received:
            response = Response(error_code=code, error_message=self._redactor.text(message))
            return Received(response, round(time.monotonic() - started, 4))

        try:
            # The timeout is for the whole exchange: a body may arrive a byte at a time.
            async with asyncio.timeout(timeout_s):
                if self._config.api == "decisions":
                    raw = (await client.decisions.with_raw_response.create(**body)).http_response
                else:
                    raw = await client.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            raw = error.response
        except UnusableResponse as error:
            return failed(error.code, str(error))
        except (TimeoutError, openai.APITimeoutError):
            return failed("timeout", f"no complete response within {timeout_s:g} s")
        except INPUT_ERRORS as error:  # the libraries have many, for all that a server may do
            return failed(*connection_fault(error, address_of(self._config)))
        latency_s = round(time.monotonic() - started, 4)
        return Received(self._response(raw), latency_s, _wait_headers(raw.headers))

    def _response(self, raw: Any) -> Response:
        """The response without secrets. Text that is not JSON is cut."""
        request_id = raw.headers.get("x-request-id")
        if request_id is not None:
            request_id = self._redactor.text(storable(request_id))[:_MAX_REQUEST_ID]
        text = body_text(raw.content)
        try:
            body = self._redactor.value(parse_body(text))
        except TooDeep as error:
            if raw.is_success:
                message = f"the reply is {error}"
                return Response(None, None, UNUSABLE_REPLY, message, request_id)
            body = str(error)
        except ValueError:
            body = self._redactor.text(storable(text))[:MAX_ERROR_CHARACTERS]
        return Response(raw.status_code, body, request_id=request_id)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def _wait_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers about waits and rate limits: many servers have their own."""
    names = [name for name in headers if "retry-after" in name or "ratelimit" in name]
    return {name.lower(): headers[name][:_MAX_HEADER] for name in names[:_MAX_WAIT_HEADERS]}


def _client(config: TeacherConfig, key: str) -> Any:
    import openai

    from relabel_assets.teacher.http.bounded_http import BoundedAsyncClient

    http_client = made_http_client(
        BoundedAsyncClient,
        max_bytes=config.max_reply_bytes,
        limits=_limits(config.max_concurrency),
        timeout=config.timeout_s,
    )
    # No retries by the client: each attempt must be in the ledger, within limits and budget.
    settings: dict[str, Any] = {
        "api_key": key,
        "max_retries": 0,
        "timeout": config.timeout_s,
        "http_client": http_client,
    }
    if config.api != "azure":
        return made_client(openai.AsyncOpenAI, base_url=base_url_of(config), **settings)
    return made_client(openai.AsyncAzureOpenAI, **azure_settings(config), **settings)


def made_client(client: Callable[..., Any], **settings: Any) -> Any:
    """A client of openai with `settings`. Raises TeacherError for an address that it cannot use.

    >>> made_client(dict, base_url="http://127.0.0.1:8000/v1")
    {'base_url': 'http://127.0.0.1:8000/v1'}
    """
    import httpx2

    with suppress(httpx2.InvalidURL, ValueError):  # their messages may hold the password
        return client(**settings)
    raise TeacherError(_NO_ADDRESS)


def made_http_client(client: Callable[..., Any], **settings: Any) -> Any:
    """An HTTP client below openai's. Raises TeacherError for a proxy or certificates it cannot use.

    >>> made_http_client(dict, timeout=60)
    {'timeout': 60}
    """
    try:
        return client(**settings)
    except INPUT_ERRORS as error:
        fault = setup_fault(error)
        if fault is None:
            raise
    # Not in the block above: the library's error may hold the proxy's password.
    raise TeacherError(f"the teacher cannot be asked: {fault}.")


def azure_settings(config: TeacherConfig) -> dict[str, Any]:
    """The client's arguments for Azure. Raises TeacherError without an address or a version.

    >>> azure_settings(TeacherConfig(api="azure", base_url="https://a.azure.com", api_version="2024-10-21"))
    {'azure_endpoint': 'https://a.azure.com', 'api_version': '2024-10-21'}
    """
    address = base_url_of(config)
    if address is None:
        raise TeacherError(
            "teacher.api is azure, and there is no address: set teacher.base_url or "
            "AZURE_OPENAI_ENDPOINT."
        )
    if config.api_version is None and not os.environ.get("OPENAI_API_VERSION"):
        raise TeacherError(
            "teacher.api is azure, and there is no version: set teacher.api_version, "
            "such as 2024-10-21."
        )
    return {"azure_endpoint": address, "api_version": config.api_version}


def _limits(max_concurrency: int) -> Any:
    import httpx2

    # Four more than there are workers, not measured: a connection that is closing still counts.
    n = max_concurrency + 4
    return httpx2.Limits(max_connections=n, max_keepalive_connections=n)
