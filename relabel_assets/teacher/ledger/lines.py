"""The lines of the ledger: OpenAI's Batch format, with what else is known about an exchange under "relabel".

What belongs here: making a line and reading one back. What does not: files (resources/ledger.py), and what a reply
means (core/replies.py).

    {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "relabel": {...}, "body": {...}}
    {"custom_id": key, "id": "...", "relabel": {...}, "error": null | {...}, "response": null | {"status_code", "request_id", "body"}}

The long member comes last, so that an index can be built from the short ones before it without parsing the rest.
"""

import datetime as dt
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from relabel_assets.teacher.requests import URL

_KEY = re.compile(r"[0-9a-f]{64}")
_LONG_MEMBERS = (b',"response":', b',"body":')


@dataclass(frozen=True)
class RequestMetadata:
    """What a line says under "relabel". Money in US dollars, NULL where the price is unknown; times in UTC."""

    corpus: str = ""
    purpose: str = ""  # grading | queries
    model: str = ""
    endpoint: str = ""  # host and port only: an address may carry a secret
    dialect: str = ""
    at: str = ""  # ISO 8601: when the request was sent, when the response arrived
    latency_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True)
class Line:
    """One line of the ledger. `body` is the request's body, or the response's: parsed JSON, or text that is not JSON."""

    kind: Literal["request", "response"]
    key: str
    metadata: RequestMetadata
    status_code: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    request_id: str | None = None
    body: Any = field(default=None, repr=False)

    @property
    def is_answer(self) -> bool:
        """Whether an endpoint answered the request with a 2xx: then `body` is worth reading."""
        return (
            self.kind == "response"
            and self.status_code is not None
            and 200 <= self.status_code < 300
        )

    @property
    def outcome(self) -> str:
        """The HTTP status, or what kept a response from coming: timeout, connection, ..."""
        return (
            str(self.status_code) if self.status_code is not None else (self.error_code or "none")
        )


def now() -> str:
    """This moment in UTC, ISO 8601."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def request_line(key: str, body: Mapping[str, Any], metadata: RequestMetadata) -> bytes:
    """The line, with its newline."""
    return _dump(
        {"custom_id": key, "method": "POST", "url": URL, "relabel": _known(metadata), "body": body}
    )


def response_line(line: Line) -> bytes:
    """The line of a response or of a failure to get one, with its newline."""
    response = None
    if line.status_code is not None:
        response = {
            "status_code": line.status_code,
            "request_id": line.request_id or "",
            "body": line.body,
        }
    error = (
        None
        if line.error_code is None
        else {"code": line.error_code, "message": line.error_message or ""}
    )
    # status_code is said twice: the second is far into the line, out of an index's sight.
    relabel = {"status_code": line.status_code, **_known(line.metadata)}
    return _dump(
        {
            "custom_id": line.key,
            "id": uuid.uuid4().hex,
            "relabel": relabel,
            "error": error,
            "response": response,
        }
    )


def _known(metadata: RequestMetadata) -> dict[str, Any]:
    return {name: value for name, value in asdict(metadata).items() if value not in (None, "")}


def _dump(value: Mapping[str, Any]) -> bytes:
    # Lone surrogates, which a server may send as escapes, have no UTF-8.
    return (
        json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
            "utf-8", "backslashreplace"
        )
        + b"\n"
    )


def read_line(raw: bytes) -> Line | None:
    """The whole line; None if it is not a line of the ledger (torn, foreign)."""
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return _line(value)


def read_start(raw: bytes) -> Line | None:
    """The line without its body, many times faster; None if it is torn or foreign as far as can be seen."""
    if not raw.endswith(b"}\n"):
        return None
    for member in _LONG_MEMBERS:
        start, found, _ = raw.partition(member)
        if found and b'"relabel":' in start:
            try:
                return _line(json.loads(start + b"}"), is_start=True)
            except ValueError:
                return None
    return read_line(raw)  # a line from elsewhere, with its members in another order


def _line(value: Any, is_start: bool = False) -> Line | None:
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("custom_id"), str)
        or not _KEY.fullmatch(value["custom_id"])
    ):
        return None
    key, relabel = value["custom_id"], value.get("relabel")
    relabel = relabel if isinstance(relabel, dict) else {}
    metadata = _metadata(relabel)
    if "method" in value:
        return (
            Line("request", key, metadata, body=value.get("body"))
            if is_start or isinstance(value.get("body"), dict)
            else None
        )
    response, error = value.get("response"), value.get("error")
    if not is_start and "response" not in value and "error" not in value:
        return None
    response = (
        response if isinstance(response, dict) else {"status_code": relabel.get("status_code")}
    )
    error = error if isinstance(error, dict) else {}
    status_code = response.get("status_code")
    return Line(
        "response",
        key,
        metadata,
        status_code=status_code if isinstance(status_code, int) else None,
        error_code=None if error.get("code") is None else str(error["code"]),
        error_message=None if error.get("message") is None else str(error["message"]),
        request_id=response.get("request_id"),
        body=response.get("body"),
    )


def _metadata(relabel: Mapping[str, Any]) -> RequestMetadata:
    known: dict[str, Any] = {}
    for name, declared in RequestMetadata.__dataclass_fields__.items():
        value = relabel.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(value, str) if declared.type is str else is_number:
            known[name] = value
    return RequestMetadata(**known)
