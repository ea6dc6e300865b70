"""Requests to a teacher: bodies, dialects, ledger keys and estimated tokens.

What belongs here: chat.completions requests of any kind, and what all requests have. What does not:
requests of the Decisions API (decisions/), the text of messages (grading/, queries/) and sending
(sender.py).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.corpus.excerpts.excerpt import BYTES_PER_TOKEN

URL = "/v1/chat/completions"
DECISIONS = "decisions"  # the name in the ledger of the only form of a Decisions request
_MESSAGE_OVERHEAD_TOKENS = 4  # role and separators around each message, as OpenAI counts them

ResponseFormat = Literal["json_schema", "json_object", "text"]
_OPTIONAL = ("temperature", "seed", "logprobs", "system")


@dataclass(frozen=True)
class Dialect:
    """The request fields that a server accepts. The default is OpenAI's."""

    response_format: ResponseFormat = "json_schema"
    token_limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    is_temperature: bool = True
    is_seed: bool = True
    is_logprobs: bool = True
    is_system: bool = True  # if not, the system's text stands at the head of the user's message

    @property
    def name(self) -> str:
        """The name in the ledger, which dialect_named parses."""
        dropped = [f"no_{word}" for word in _OPTIONAL if not getattr(self, f"is_{word}")]
        return " ".join([self.response_format, self.token_limit, *dropped])


def dialect_named(name: str) -> Dialect | None:
    """The dialect with this `name`; None for any other text.

    >>> dialect_named("text max_tokens no_seed")
    Dialect(response_format='text', token_limit='max_tokens', is_temperature=True, is_seed=False,
            is_logprobs=True, is_system=True)
    """
    match name.split():
        case [
            ("json_schema" | "json_object" | "text") as form,
            ("max_completion_tokens" | "max_tokens") as limit,
            *rest,
        ]:
            flags = {f"is_{word.removeprefix('no_')}": False for word in rest}
            if set(flags) <= {f"is_{word}" for word in _OPTIONAL}:
                return Dialect(form, limit, **flags)
    return None


class TeacherRequest(Protocol):
    """A request of any API, as sending it needs it."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def max_completion_tokens(self) -> int:
        """The most tokens of a reply."""

    @property
    def url(self) -> str:
        """The path of its API, as in the Batch format."""

    def body(self, dialect: Dialect = Dialect()) -> dict[str, Any]:
        """The whole body of the request in `dialect`."""

    def dialect_name(self, dialect: Dialect) -> str:
        """The name of `dialect` in the ledger."""


@dataclass(frozen=True)
class Request:
    """One question to a chat model. `schema` is the JSON schema of the reply's content."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    schema_name: str
    schema: Mapping[str, Any]
    temperature: float | None
    seed: int | None
    max_completion_tokens: int
    is_logprobs: bool = False
    url: str = URL

    def dialect_name(self, dialect: Dialect) -> str:
        """The name of `dialect` in the ledger."""
        return dialect.name

    def body(self, dialect: Dialect = Dialect()) -> dict[str, Any]:
        """The whole body of the request in `dialect`."""
        messages = [dict(message) for message in self.messages]
        if not dialect.is_system:
            messages = _folded(messages)
        body: dict[str, Any] = {"model": self.model, "messages": messages}
        if dialect.response_format == "json_schema":
            schema = {"name": self.schema_name, "strict": True, "schema": dict(self.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        else:
            instruction = (
                "Reply with one JSON object and nothing else. It must fit this JSON schema:\n"
            )
            messages[-1]["content"] += (
                f"\n\n{instruction}{json.dumps(dict(self.schema), ensure_ascii=False)}"
            )
            if dialect.response_format == "json_object":
                body["response_format"] = {"type": "json_object"}
        if self.temperature is not None and dialect.is_temperature:
            body["temperature"] = self.temperature
        if self.seed is not None and dialect.is_seed:
            body["seed"] = self.seed
        body[dialect.token_limit] = self.max_completion_tokens
        if self.is_logprobs and dialect.is_logprobs:
            # Not measured: room for ten grades. The key of a request depends on this number.
            body |= {"logprobs": True, "top_logprobs": 10}
        return body


def _folded(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """`messages` with the system's text at the head of the first other message."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    first, *others = [message for message in messages if message["role"] != "system"]
    return [first | {"content": "\n\n".join([*system, first["content"]])}, *others]


@dataclass(frozen=True)
class Outgoing:
    """A request in one dialect, with its body and key. Whatever is sent or exported is one of these.

    >>> request = Request("m", ({"role": "user", "content": "grade"},), "s", {}, 0.0, None, 50)
    >>> outgoing = Outgoing.of(request)
    >>> outgoing.in_dialect(Dialect(token_limit="max_tokens")).body["max_tokens"]
    50
    >>> outgoing.in_dialect(outgoing.dialect) is outgoing
    True
    """

    request: TeacherRequest
    dialect: Dialect
    key: str
    body: dict[str, Any] = field(repr=False)
    # The keys of the questions in it, where each has a key of its own (ledger/shares.py).
    asked_together: tuple[str, ...] = ()
    # The same request in every dialect that was needed so far.
    _versions: dict[Dialect, "Outgoing"] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        request: TeacherRequest,
        dialect: Dialect = Dialect(),
        asked_together: tuple[str, ...] = (),
    ) -> "Outgoing":
        """`request` in `dialect`."""
        body = request.body(dialect)
        outgoing = cls(request, dialect, request_key(body), body, asked_together)
        outgoing._versions[dialect] = outgoing
        return outgoing

    def in_dialect(self, dialect: Dialect) -> "Outgoing":
        """The same request in `dialect`, computed once."""
        if dialect not in self._versions:
            other = self.of(self.request, dialect)
            self._versions[dialect] = other
            object.__setattr__(other, "_versions", self._versions)
        return self._versions[dialect]

    @property
    def token_limit(self) -> int | None:
        """The limit on the tokens of its reply; None for an API without one."""
        return self.request.max_completion_tokens if isinstance(self.request, Request) else None

    def with_token_limit(self, limit: int) -> "Outgoing":
        """The same chat request with another limit on the tokens of its reply."""
        assert isinstance(self.request, Request)
        return self.of(replace(self.request, max_completion_tokens=limit), self.dialect)

    @property
    def dialect_name(self) -> str:
        """The name of its dialect in the ledger."""
        return self.request.dialect_name(self.dialect)

    @cached_property
    def prompt_tokens(self) -> int:
        """Estimated tokens of the prompt."""
        return estimate_prompt_tokens(self.body)


def request_from_config(
    config: TeacherConfig,
    messages: Sequence[Mapping[str, str]],
    *,
    schema_name: str,
    schema: Mapping[str, Any],
    model: str | None = None,
    seed_offset: int = 0,
    max_completion_tokens: int | None = None,
    temperature: float | None = None,
    is_logprobs: bool = False,
) -> Request:
    """A request with the corpus' model, temperature and token limit, unless other ones are given.

    >>> config = TeacherConfig(model="m", seed=13)
    >>> message = {"role": "user", "content": "grade"}
    >>> request_from_config(config, [message], schema_name="s", schema={}, seed_offset=1).seed
    14
    """
    return Request(
        model=model or config.model,
        messages=tuple(messages),
        schema_name=schema_name,
        schema=schema,
        temperature=config.temperature if temperature is None else temperature,
        seed=None if config.seed is None else config.seed + seed_offset,
        max_completion_tokens=max_completion_tokens or config.max_completion_tokens,
        is_logprobs=is_logprobs,
    )


def canonical_json(value: Any) -> bytes:
    """JSON in UTF-8 that is the same for equal values: sorted keys, no spaces.

    >>> canonical_json({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def request_key(body: Mapping[str, Any]) -> str:
    """The custom_id of a request in the ledger: SHA-256 of its body's canonical JSON, in hex.

    >>> request_key({"model": "m", "seed": 1}) == request_key({"seed": 1, "model": "m"})
    True
    """
    return hashlib.sha256(canonical_json(body)).hexdigest()


def estimate_tokens(text: str) -> int:
    """Estimated tokens of `text`: UTF-8 bytes over BYTES_PER_TOKEN, rounded up.

    >>> estimate_tokens("annual leave")
    3
    """
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def estimate_prompt_tokens(body: Mapping[str, Any]) -> int:
    """Estimated prompt tokens of a request body. The schema counts, because endpoints bill it.

    >>> estimate_prompt_tokens({"messages": [{"role": "user", "content": "annual leave"}]})
    7
    >>> estimate_prompt_tokens({"input": "annual leave", "questions": [{"type": "score"}]})
    8
    """
    if "questions" in body:
        return estimate_tokens(body["input"]) + sum(map(estimate_json_tokens, body["questions"]))
    total = sum(
        estimate_tokens(message["content"]) + _MESSAGE_OVERHEAD_TOKENS
        for message in body["messages"]
    )
    schema = body.get("response_format", {}).get("json_schema")
    return total + (estimate_json_tokens(schema) if schema else 0)


def estimate_json_tokens(value: Any) -> int:
    """Estimated tokens of `value` as JSON.

    >>> estimate_json_tokens({"type": "score"})
    5
    """
    return estimate_tokens(json.dumps(value, ensure_ascii=False))
