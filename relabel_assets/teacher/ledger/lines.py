"""The lines of the ledger: OpenAI's Batch format, with our own metadata under "relabel".

What belongs here: writing and parsing a line. What does not: files (ledger.py), and parsing the
reply in it (teacher/replies.py).

    {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "relabel": {...}, "body": {...}}
    {"custom_id": key, "id": "...", "relabel": {...}, "error": null | {...},
     "response": null | {"status_code", "request_id", "body"}}

The long member comes last, so that the index is built without parsing it. The lines of a request that
asked several questions together name the keys of all of them (shares.py).
"""

import datetime as dt
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from relabel_assets.intake.input_limits import MAX_ERROR_CHARACTERS, MAX_JSON_DEPTH, MAX_TOKENS
from relabel_assets.intake.json_text import Pairs, TooDeep, members_that_occur_once, parse_json
from relabel_assets.teacher.prices import Price, read_usage
from relabel_assets.teacher.requests import URL

_KEY = re.compile(r"[0-9a-f]{64}")
_LONG_MEMBERS = (b',"response":', b',"body":')
_MAX_DEPTH = MAX_JSON_DEPTH + 2  # a body stands two deep in its line
_BOM = b"\xef\xbb\xbf"  # some tools begin a file with it
_MAX_CODE = 100  # characters of an error's code or a request's id, which are words


@dataclass(frozen=True)
class RequestMetadata:
    """The members of a line under "relabel". The names of the fields are the keys on disk."""

    corpus: str = ""
    purpose: str = ""  # grading | queries
    model: str = ""
    endpoint: str = ""  # host and port only: an address may carry a secret
    dialect: str = ""
    at: str = ""  # ISO 8601, UTC: when the request was sent, when the response arrived
    latency_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None  # None where the price is unknown
    # The keys of the questions that a Decisions request asked together, also of a single one.
    asked_together: tuple[str, ...] = ()
    token_limit: int | None = None  # of the reply, as the request set it
    # Why the prompt was taken for cut when the answer came (cut_prompts.py). Later the answer alone may not
    # tell: longer prompts may have been read since, and a question that was asked with others is looked up
    # alone.
    cut: str = ""

    @property
    def n_asked_together(self) -> int:
        """The number of questions in the request; 1 for a question asked alone."""
        return len(self.asked_together) or 1

    def of_response(
        self, body: Any, price: Price | None, latency_s: float | None = None
    ) -> "RequestMetadata":
        """The metadata of a response with `body` that arrived now, with its tokens and their cost."""
        usage = read_usage(body)
        return replace(
            self,
            at=now(),
            latency_s=latency_s,
            prompt_tokens=None if usage is None else usage.prompt_tokens,
            completion_tokens=None if usage is None else usage.completion_tokens,
            cost_usd=None if usage is None or price is None else _amount(price.cost_usd(usage)),
        )


@dataclass(frozen=True)
class Response:
    """The response to a request. Without one, `status_code` is None and the error has the reason.

    >>> Response(200, {"choices": []}).is_answer, Response(503).is_answer
    (True, False)
    >>> Response(error_code="timeout").outcome
    'timeout'
    """

    status_code: int | None = None
    body: Any = field(default=None, repr=False)  # parsed JSON, or the text if it is not JSON
    error_code: str | None = None
    error_message: str | None = None
    request_id: str | None = None  # the endpoint's own, for asking its support

    @property
    def is_answer(self) -> bool:
        """Whether the status is a 2xx: then `body` may have a reply."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def outcome(self) -> str:
        """The HTTP status as text, or the code of the error: timeout, connection, ..."""
        if self.status_code is not None:
            return str(self.status_code)
        return self.error_code or "none"


@dataclass(frozen=True)
class Line:
    """One line of the ledger: a request with its body, or a `response`."""

    key: str
    metadata: RequestMetadata
    response: Response | None = None  # None: this is a request
    request_body: Any = field(default=None, repr=False)

    @property
    def is_request(self) -> bool:
        return self.response is None

    @property
    def question_keys(self) -> tuple[str, ...]:
        """The keys of the questions that the request asked: its own key, or those asked together."""
        return self.metadata.asked_together or (self.key,)

    @property
    def is_answer(self) -> bool:
        """Whether this is a response with a 2xx."""
        return self.response is not None and self.response.is_answer


def now() -> str:
    """This moment in UTC, ISO 8601.

    >>> now()
    '20...T...+00:00'
    """
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def request_line(
    key: str, body: Mapping[str, Any], metadata: RequestMetadata, url: str = URL
) -> bytes:
    """The line of a request, with its newline.

    >>> line = request_line("0f" * 32, {"model": "m"}, RequestMetadata("demo", "grading"))
    >>> json.loads(line)["relabel"]
    {'corpus': 'demo', 'purpose': 'grading'}
    """
    return _dump(
        {
            "custom_id": key,
            "method": "POST",
            "url": url,
            "relabel": _present(metadata),
            "body": body,
        }
    )


def response_line(key: str, response: Response, metadata: RequestMetadata) -> bytes:
    """The line of a response or of a failure to get one, with its newline.

    >>> json.loads(response_line("0f" * 32, Response(503, "busy"), RequestMetadata()))["response"]
    {'status_code': 503, 'request_id': '', 'body': 'busy'}
    """
    answer = error = None
    if response.status_code is not None:
        answer = {
            "status_code": response.status_code,
            "request_id": response.request_id or "",
            "body": response.body,
        }
    if response.error_code is not None:
        error = {"code": response.error_code, "message": response.error_message or ""}
    # The status is written twice: the index parses only the start of a line, and `response` is last.
    relabel = {"status_code": response.status_code, **_present(metadata)}
    return _dump(
        {
            "custom_id": key,
            "id": uuid.uuid4().hex,
            "relabel": relabel,
            "error": error,
            "response": answer,
        }
    )


def _present(metadata: RequestMetadata) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in asdict(metadata).items() if value not in (None, "", ())}


def _dump(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    # A server may send lone surrogates as escapes; UTF-8 cannot encode them.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def read_line(raw: bytes, *, is_strict: bool = False) -> Line | None:
    """The parsed line; None if it is torn or foreign.

    With `is_strict`, for lines that another program wrote: raises TooDeep for a line that is nested too
    deep, and keeps none of two members with the same name.

    >>> read_line(response_line("0f" * 32, Response(503, "busy"), RequestMetadata())).response.body
    'busy'
    >>> read_line(b"hello") is None
    True
    """
    try:
        object_of = members_that_occur_once if is_strict else None
        return _line(_parsed(raw.removeprefix(_BOM), object_of))
    except TooDeep:
        if is_strict:
            raise
        return None


def _parsed(raw: bytes, object_of: Callable[[Pairs], Any] | None = None) -> Any:
    """The value of `raw`; None if it is not JSON. Raises TooDeep."""
    try:
        return parse_json(raw, object_of=object_of, max_depth=_MAX_DEPTH)
    except TooDeep:
        raise
    except ValueError:
        return None


def read_start(raw: bytes) -> Line | None:
    """The line parsed without its body, many times faster; None if its start is torn or foreign.

    >>> line = read_start(response_line("0f" * 32, Response(503, "busy"), RequestMetadata()))
    >>> line.response.status_code, line.response.body
    (503, None)
    """
    if not raw.endswith(b"}\n"):
        return None
    raw = raw.removeprefix(_BOM)
    for member in _LONG_MEMBERS:
        start, separator, _ = raw.partition(member)
        if separator and b'"relabel":' in start:
            try:
                return _line(_parsed(start + b"}"), is_start=True)
            except TooDeep:
                return None
    return read_line(raw)  # another tool's line, with its members in another order


def _line(value: Any, is_start: bool = False) -> Line | None:
    """`value` as a Line; None if it is foreign. `is_start`: its long member was cut off."""
    if not isinstance(value, dict):
        return None
    key = value.get("custom_id")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return None
    relabel = value.get("relabel")
    relabel = relabel if isinstance(relabel, dict) else {}
    metadata = _metadata(relabel)
    if "method" in value:
        body = value.get("body")
        is_whole = is_start or isinstance(body, dict)
        return Line(key, metadata, request_body=body) if is_whole else None
    if not is_start and "response" not in value and "error" not in value:
        return None
    return Line(key, metadata, _response(value, relabel))


def _response(value: Mapping[str, Any], relabel: Mapping[str, Any]) -> Response:
    answer, error = value.get("response"), value.get("error")
    answer = answer if isinstance(answer, dict) else {"status_code": relabel.get("status_code")}
    error = error if isinstance(error, dict) else {}
    return Response(
        _status_code(answer.get("status_code")),
        answer.get("body"),
        _text(error.get("code"), _MAX_CODE),
        _text(error.get("message"), MAX_ERROR_CHARACTERS),
        _text(answer.get("request_id"), _MAX_CODE),
    )


def _status_code(value: Any) -> int | None:
    is_status = isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 999
    return value if is_status else None


def _text(value: Any, max_characters: int) -> str | None:
    """`value` as a text, cut to a length. None stays None."""
    return None if value is None else str(value)[:max_characters]


def _metadata(relabel: Mapping[str, Any]) -> RequestMetadata:
    """The members of "relabel" that can be used: another tool may have written the file."""
    members: dict[str, Any] = {}
    for name, declared in RequestMetadata.__dataclass_fields__.items():
        value = relabel.get(name)
        if name == "asked_together":
            members[name] = _keys(value)
        elif declared.type is not str:
            members[name] = _amount(value)
        elif isinstance(value, str):
            members[name] = value
    for name in ("prompt_tokens", "completion_tokens", "token_limit"):
        if not isinstance(members[name], int):
            members[name] = None
    return RequestMetadata(**members)


def _keys(value: Any) -> tuple[str, ...]:
    """`value` if it is a list of different keys; else none."""
    if not isinstance(value, list):
        return ()
    keys = tuple(key for key in value if isinstance(key, str) and _KEY.fullmatch(key))
    return keys if len(set(keys)) == len(value) else ()


def _amount(value: Any) -> float | None:
    """`value` if it is a number from 0 to MAX_TOKENS, which no honest amount exceeds; else None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_TOKENS else None


def moment_of(at: str) -> dt.datetime | None:
    """The moment `at`, ISO 8601, in UTC; None if it is no such moment. Without a zone it is UTC.

    >>> moment_of("2026-01-02T01:00:00+01:00")
    datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
    >>> moment_of("yesterday") is None
    True
    """
    try:
        moment = dt.datetime.fromisoformat(at)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
