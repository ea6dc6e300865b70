"""Requests to a teacher: what is asked, the body that is sent, and the key it has in the ledger.

What belongs here: bodies of chat.completions requests, their dialects, their key and the estimate
of their tokens. What does not: what the messages say (grading/, queries/) and sending them
(sender.py).
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from relabel_assets.corpus.teacher_config import TeacherConfig

URL = "/v1/chat/completions"
BYTES_PER_TOKEN = (
    4  # of UTF-8: close for English prose; high by a third for code, low for some other languages
)
_MESSAGE_OVERHEAD_TOKENS = 4  # role and separators around each message, as OpenAI counts them

ResponseFormat = Literal["json_schema", "json_object", "text"]


@dataclass(frozen=True)
class Dialect:
    """What a server understands. The default is what OpenAI understands; a refusal takes one thing
    away at a time."""

    response_format: ResponseFormat = "json_schema"
    token_limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    is_temperature: bool = True
    is_seed: bool = True
    is_logprobs: bool = True

    def without(self, complaint: str, body: Mapping[str, Any]) -> "Dialect | None":
        """The dialect to try after a server refused `body` (400 or 422) with `complaint`; None if
        it names no field.

        >>> Dialect().without("unknown field: seed", {"seed": 13}).is_seed
        False
        """
        words = set(re.findall(r"[a-z_]+", complaint.lower()))
        if words & {
            "context",
            "large",
            "long",
        }:  # about this prompt's size, not about what the server understands
            return None
        weaker: ResponseFormat = "json_object" if self.response_format == "json_schema" else "text"
        concessions: tuple[tuple[str, set[str], dict[str, Any]], ...] = (
            (
                "response_format",
                {"response_format", "json_schema", "json_object"},
                {"response_format": weaker},
            ),
            ("max_completion_tokens", {"max_completion_tokens"}, {"token_limit": "max_tokens"}),
            ("logprobs", {"logprobs", "top_logprobs"}, {"is_logprobs": False}),
            ("temperature", {"temperature"}, {"is_temperature": False}),
            ("seed", {"seed"}, {"is_seed": False}),
        )
        changes = (
            change for field, names, change in concessions if field in body and words & names
        )
        change = next(changes, None)
        return None if change is None else replace(self, **change)

    @property
    def name(self) -> str:
        """For the ledger, and back by `dialect_named`."""
        dropped = [
            field
            for field in ("temperature", "seed", "logprobs")
            if not getattr(self, f"is_{field}")
        ]
        return " ".join(
            [self.response_format, self.token_limit, *(f"no_{field}" for field in dropped)]
        )


def dialect_named(name: str) -> Dialect | None:
    """The dialect whose `name` this is; None for anything else.

    >>> dialect_named("text max_tokens no_seed")
    Dialect(response_format='text', token_limit='max_tokens', is_temperature=True, is_seed=False,
            is_logprobs=True)
    """
    match name.split():
        case [
            ("json_schema" | "json_object" | "text") as form,
            ("max_completion_tokens" | "max_tokens") as limit,
            *rest,
        ]:
            flags = {f"is_{word.removeprefix('no_')}": False for word in rest}
            if set(flags) <= {"is_temperature", "is_seed", "is_logprobs"}:
                return Dialect(form, limit, **flags)
    return None


@dataclass(frozen=True)
class Request:
    """One question to a teacher. `schema` is the JSON schema that the reply's content must fit."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    schema_name: str
    schema: Mapping[str, Any]
    temperature: float | None
    seed: int | None
    max_completion_tokens: int
    is_logprobs: bool = False

    def body(self, dialect: Dialect = Dialect()) -> dict[str, Any]:
        """The whole body of the request, as `dialect` puts it."""
        messages = [dict(message) for message in self.messages]
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
            body |= {"logprobs": True, "top_logprobs": 10}
        return body


@dataclass(frozen=True)
class Outgoing:
    """A request as it is sent in one dialect. Body and key are computed once, here; live sending,
    batches and exported files all take them from here.

    >>> request = Request("m", ({"role": "user", "content": "grade"},), "s", {}, 0.0, None, 50)
    >>> outgoing = Outgoing.of(request)
    >>> outgoing.in_dialect(Dialect(token_limit="max_tokens")).body["max_tokens"]
    50
    >>> outgoing.in_dialect(outgoing.dialect) is outgoing
    True
    """

    request: Request
    dialect: Dialect
    key: str
    body: dict[str, Any] = field(repr=False)
    # The same request in the other dialects that were needed so far.
    _versions: dict[Dialect, "Outgoing"] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, request: Request, dialect: Dialect = Dialect()) -> "Outgoing":
        """`request` as it is sent in `dialect`."""
        body = request.body(dialect)
        outgoing = cls(request, dialect, request_key(body), body)
        outgoing._versions[dialect] = outgoing
        return outgoing

    def in_dialect(self, dialect: Dialect) -> "Outgoing":
        """The same request in `dialect`; computed the first time."""
        if dialect not in self._versions:
            other = self.of(self.request, dialect)
            self._versions[dialect] = other
            object.__setattr__(other, "_versions", self._versions)
        return self._versions[dialect]

    @cached_property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, estimated."""
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
    """A request with the corpus's own model, temperature and seed, where nothing else is said.

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
    """UTF-8 JSON that is the same for equal values: keys in order, no spaces.

    >>> canonical_json({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def request_key(body: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of the whole body, 64 hex digits: the custom_id of its lines in
    the ledger.

    >>> request_key({"model": "m", "seed": 1}) == request_key({"seed": 1, "model": "m"})
    True
    """
    return hashlib.sha256(canonical_json(body)).hexdigest()


def estimate_tokens(text: str) -> int:
    """Tokens of `text`, estimated without a tokenizer: UTF-8 bytes over BYTES_PER_TOKEN, rounded
    up.

    >>> estimate_tokens("annual leave")
    3
    """
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def estimate_prompt_tokens(body: Mapping[str, Any]) -> int:
    """Prompt tokens of a request body, estimated; the schema counts, as endpoints bill it.

    >>> estimate_prompt_tokens({"messages": [{"role": "user", "content": "annual leave"}]})
    7
    """
    total = sum(
        estimate_tokens(message["content"]) + _MESSAGE_OVERHEAD_TOKENS
        for message in body["messages"]
    )
    schema = body.get("response_format", {}).get("json_schema")
    return total + (estimate_tokens(json.dumps(schema)) if schema else 0)
