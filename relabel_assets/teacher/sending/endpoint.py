"""The teacher's endpoint: one POST and its response.

What belongs here: the openai client, the key and the address; only batch/endpoint.py uses openai
too. What does not: retries (attempts.py), limits (limits.py) and the ledger (ledger/).

The key comes from the environment when the client is made. It is redacted from all responses.
"""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from relabel_assets.corpus.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.teacher.ledger.lines import Response

# A shorter key, such as "none" or "EMPTY" for a local server, is no secret but a word of replies.
_SHORTEST_SECRET = 8
_RETRY_HEADERS = ("retry-after", "retry-after-ms")


@dataclass(frozen=True)
class Received:
    """A response with its latency and its _RETRY_HEADERS."""

    response: Response
    latency_s: float
    headers: Mapping[str, str] = field(default_factory=dict)


def base_url_of(config: TeacherConfig) -> str | None:
    """The address from corpus.yaml, else from the environment; None for the client's default.

    >>> base_url_of(TeacherConfig(base_url="http://127.0.0.1:8000/v1"))
    'http://127.0.0.1:8000/v1'
    """
    variable = "AZURE_OPENAI_ENDPOINT" if config.api == "azure" else "OPENAI_BASE_URL"
    return config.base_url or os.environ.get(variable) or None


def endpoint_name(config: TeacherConfig) -> str:
    """Host and port, for the ledger and for people: the address may hold a password or a token.

    >>> endpoint_name(TeacherConfig(base_url="http://user:secret@127.0.0.1:8000/v1"))
    '127.0.0.1:8000'
    """
    parts = urlsplit(base_url_of(config) or "https://api.openai.com/v1")
    try:
        return (parts.hostname or "unknown") + (f":{parts.port}" if parts.port else "")
    except ValueError as error:
        raise TeacherError(
            f"teacher.base_url is not an address: {error}. Write http://host:port/v1."
        ) from error


class Endpoint:
    """A connection pool to the endpoint of `config`. It belongs to one event loop."""

    def __init__(self, config: TeacherConfig) -> None:
        self._config = config
        self._client: Any = None  # made on first use: a run that sends nothing needs no key
        self._key = ""

    def _open(self) -> Any:
        if self._client is None:
            self._key = read_key(self._config)
            self._client = _client(self._config, self._key)
        return self._client

    def _redact(self, text: str) -> str:
        return redact(text, self._key)

    async def post(self, body: Mapping[str, Any]) -> Received:
        """Send one chat.completions request once. An error of endpoint or network is a Response.

        Raises TeacherError without a key or an address.
        """
        import httpx2
        import openai

        client, timeout_s = self._open(), self._config.timeout_s
        started = time.monotonic()

        def received(response: Response, headers: Mapping[str, str] = {}) -> Received:
            return Received(response, round(time.monotonic() - started, 4), headers)

        try:
            # The timeout is for the whole exchange: a body may arrive a byte at a time.
            async with asyncio.timeout(timeout_s):
                raw = await client.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            raw = error.response
        except (TimeoutError, openai.APITimeoutError):
            message = f"no complete response within {timeout_s:g} s"
            return received(Response(error_code="timeout", error_message=message))
        except (openai.APIError, httpx2.HTTPError, OSError) as error:
            message = f"connection failed ({type(error.__cause__ or error).__name__})"
            return received(Response(error_code="connection", error_message=message))
        text = self._redact(raw.content.decode("utf-8", "replace"))
        response = Response(
            raw.status_code, _parsed(text), request_id=raw.headers.get("x-request-id")
        )
        headers = {name: raw.headers[name] for name in _RETRY_HEADERS if name in raw.headers}
        return received(response, headers)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def _parsed(text: str) -> Any:
    """The JSON value of `text`; `text` itself if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def redact(text: str, key: str) -> str:
    """`text` without the key.

    >>> redact("Incorrect API key provided: sk-0123456789", "sk-0123456789")
    'Incorrect API key provided: [key]'
    """
    return text.replace(key, "[key]") if len(key) >= _SHORTEST_SECRET else text


def read_key(config: TeacherConfig) -> str:
    """The key from the environment; "none" for a server that needs none.

    >>> read_key(TeacherConfig(base_url="http://127.0.0.1:8000/v1"))  # doctest: +SKIP
    'none'
    """
    variables = (
        ("AZURE_OPENAI_API_KEY", "OPENAI_API_KEY") if config.api == "azure" else ("OPENAI_API_KEY",)
    )
    values = (os.environ.get(name, "").strip() for name in variables)
    key = next((value for value in values if value), None)
    if key is None and (config.api == "azure" or base_url_of(config) is None):
        raise TeacherError(
            f"the teacher {config.model!r} cannot be asked: {variables[0]} is not set. Set it in the "
            "environment (it is never written anywhere), or name a server that needs no key with "
            "teacher.base_url in corpus.yaml."
        )
    return key or "none"


def _client(config: TeacherConfig, key: str) -> Any:
    import openai

    http_client = openai.DefaultAsyncHttpxClient(
        limits=_limits(config.max_concurrency), timeout=config.timeout_s, follow_redirects=True
    )
    # No retries by the client: each attempt must be in the ledger, within limits and budget.
    settings: dict[str, Any] = {
        "api_key": key,
        "max_retries": 0,
        "timeout": config.timeout_s,
        "http_client": http_client,
    }
    if config.api == "openai":
        return openai.AsyncOpenAI(base_url=base_url_of(config), **settings)
    return openai.AsyncAzureOpenAI(**azure_settings(config), **settings)


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
