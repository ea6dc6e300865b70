"""The teacher's endpoint: one POST and its response.

What belongs here: the openai client, the key and the address; only batch/endpoint.py uses openai
too. What does not: retries (attempts.py), limits (limits.py) and the ledger (ledger/).

The key comes from the environment when the client is made. It is redacted from all responses, after
they are decoded.
"""

import asyncio
import os
import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from relabel_assets.corpus.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.intake.input_limits import MAX_ERROR_CHARACTERS
from relabel_assets.intake.json_text import TooDeep, parse_json
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.intake.text import storable
from relabel_assets.teacher.ledger.lines import Response
from relabel_assets.teacher.sending.redactor import SHORTEST_SECRET, Redactor
from relabel_assets.teacher.verdict import UNUSABLE_REPLY

_RETRY_HEADERS = ("retry-after", "retry-after-ms")
_MAX_REQUEST_ID = 100  # characters: real ones have about 40
_SENDABLE_KEY = re.compile(r"[!-~]+")  # in a header
_NO_ADDRESS = "teacher.base_url (or OPENAI_BASE_URL) is not an address. Write http://host:port/v1."


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
    try:
        address = base_url_of(config) or "https://api.openai.com/v1"
        parts = urlsplit(address)  # it drops line breaks and tabs
        is_printable = address.isprintable() and " " not in address
        if is_printable and parts.scheme in ("http", "https") and parts.hostname:
            return parts.hostname + (f":{parts.port}" if parts.port else "")
    except ValueError:  # its message may hold the password, and so may its context
        pass
    raise TeacherError(_NO_ADDRESS)


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

    async def post(self, body: Mapping[str, Any]) -> Received:
        """Send one chat.completions request once. An error of endpoint or network is a Response.

        Raises TeacherError without a key or an address.
        """
        client, timeout_s = self._open(), self._config.timeout_s
        import httpx2
        import openai

        from relabel_assets.teacher.sending.bounded_http import UnusableResponse

        started = time.monotonic()

        def failed(code: str, message: str) -> Received:
            response = Response(error_code=code, error_message=self._redactor.text(message))
            return Received(response, round(time.monotonic() - started, 4))

        try:
            # The timeout is for the whole exchange: a body may arrive a byte at a time.
            async with asyncio.timeout(timeout_s):
                raw = await client.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            raw = error.response
        except UnusableResponse as error:
            return failed(error.code, str(error))
        except (TimeoutError, openai.APITimeoutError):
            return failed("timeout", f"no complete response within {timeout_s:g} s")
        except (
            INPUT_ERRORS
        ) as error:  # the libraries have many, for everything that a server may do
            return failed(
                "connection", f"connection failed ({type(error.__cause__ or error).__name__})"
            )
        latency_s = round(time.monotonic() - started, 4)
        headers = {name: raw.headers[name] for name in _RETRY_HEADERS if name in raw.headers}
        return Received(self._response(raw), latency_s, headers)

    def _response(self, raw: Any) -> Response:
        """The response without secrets. Text that is not JSON is cut."""
        request_id = raw.headers.get("x-request-id")
        if request_id is not None:
            request_id = self._redactor.text(storable(request_id))[:_MAX_REQUEST_ID]
        text = raw.content.decode("utf-8", "replace")
        try:
            body = self._redactor.value(parse_json(text))
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


def redactor_of(config: TeacherConfig, key: str) -> Redactor:
    """The redactor of the key, and of user, password and query string of the address.

    It knows each in Base64 too: HTTP sends user and password so, and a server may echo its headers.

    >>> config = TeacherConfig(base_url="http://user:password1@127.0.0.1:8000/v1?token=0123456789")
    >>> redactor_of(config, "sk-0123456789").text("sk-0123456789 password1 0123456789")
    '[key] [key] [key]'
    """
    secrets = [key]
    try:
        parts = urlsplit(base_url_of(config) or "")
    except ValueError:
        return Redactor(_with_base64(secrets))
    userinfo = parts.netloc.rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    raw = [userinfo, f"{user}:{password}", password, parts.query]  # HTTP sends a colon in any case
    raw += [value for _, value in parse_qsl(parts.query)]
    return Redactor(_with_base64([*secrets, *raw, *map(unquote, raw)]))


def _with_base64(secrets: list[str]) -> list[str]:
    """`secrets`, and each of them in Base64, without the padding at its end."""
    return secrets + [
        encode(secret.encode("utf-8", "replace")).decode().rstrip("=")
        for secret in secrets
        if len(secret) >= SHORTEST_SECRET
        for encode in (b64encode, urlsafe_b64encode)
    ]


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
    if key is not None and not _SENDABLE_KEY.fullmatch(key):
        raise TeacherError(
            f"the key for {config.model!r} cannot be sent: it has a space, a line break or another "
            "character that no key has. Set it again; it is not shown here."
        )
    return key or "none"


def _client(config: TeacherConfig, key: str) -> Any:
    import openai

    from relabel_assets.teacher.sending.bounded_http import BoundedAsyncClient

    http_client = BoundedAsyncClient(
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
    if config.api == "openai":
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
