"""The teacher's endpoint: one POST, and the response as it came.

What belongs here: the openai client, the key and the address; with batch/endpoint.py the only user
of openai. What does not: retries (attempts.py), limits (limits.py) and the ledger. The key is read
from the environment when the client is made, is held by the client alone, and is redacted from
whatever the endpoint says.
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

# A shorter key, such as "none" or "EMPTY" for a local server, is no secret, and a word in many
# replies.
_SHORTEST_SECRET = 8
_RETRY_HEADERS = ("retry-after", "retry-after-ms")


@dataclass(frozen=True)
class Received:
    """A response, when it came and what it says about trying again."""

    response: Response
    latency_s: float
    headers: Mapping[str, str] = field(default_factory=dict)  # retry-after, retry-after-ms


def base_url_of(config: TeacherConfig) -> str | None:
    """The address from corpus.yaml, else from the environment, else None: the client's own default.

    >>> base_url_of(TeacherConfig(base_url="http://127.0.0.1:8000/v1"))
    'http://127.0.0.1:8000/v1'
    """
    variable = "AZURE_OPENAI_ENDPOINT" if config.api == "azure" else "OPENAI_BASE_URL"
    return config.base_url or os.environ.get(variable) or None


def endpoint_name(config: TeacherConfig) -> str:
    """Host and port, for the ledger and for people: an address may carry a password or a token.

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
    """An open connection pool to the endpoint of `config`. Close it in the event loop it was used
    in."""

    def __init__(self, config: TeacherConfig) -> None:
        self._config = config
        self._client: Any = None  # made on first use: what the ledger can answer needs no key
        self._key = ""

    def _open(self) -> Any:
        if self._client is None:
            self._key = read_key(self._config)
            self._client = _client(self._config, self._key)
        return self._client

    def _redact(self, text: str) -> str:
        return redact(text, self._key)

    async def post(self, body: Mapping[str, Any]) -> Received:
        """Send one chat.completions request, once. Never raises for what the endpoint or the
        network does; TeacherError if there is no key or address."""
        import httpx2
        import openai

        client, timeout_s = self._open(), self._config.timeout_s
        started = time.monotonic()

        def received(response: Response, headers: Mapping[str, str] = {}) -> Received:
            return Received(response, round(time.monotonic() - started, 4), headers)

        try:
            # The limit is on the whole exchange: a body may come a byte at a time.
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
    """`text` as JSON; as it is where it is not JSON."""
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
    """The key, from the environment alone; "none" for a server that needs none.

    >>> read_key(TeacherConfig(base_url="http://127.0.0.1:8000/v1"))  # doctest: +SKIP
    'none'
    """
    variables = (
        ("AZURE_OPENAI_API_KEY", "OPENAI_API_KEY") if config.api == "azure" else ("OPENAI_API_KEY",)
    )
    key = next(
        (os.environ[name].strip() for name in variables if os.environ.get(name, "").strip()), None
    )
    if key is None and (config.api == "azure" or base_url_of(config) is None):
        raise TeacherError(
            f"the teacher {config.model!r} cannot be asked: {variables[0]} is not set. "
            "Set it in the environment (it is "
            "never written anywhere), or name a server that needs no key with "
            "teacher.base_url in corpus.yaml."
        )
    return key or "none"


def _client(config: TeacherConfig, key: str) -> Any:
    import openai

    http_client = openai.DefaultAsyncHttpxClient(
        limits=_limits(config.max_concurrency), timeout=config.timeout_s, follow_redirects=True
    )
    # Our own retries: each attempt must be in the ledger, within the limits and within the budget.
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
    """Address and version. Raises TeacherError where one is missing.

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

    return httpx2.Limits(
        max_connections=max_concurrency + 4, max_keepalive_connections=max_concurrency + 4
    )
