"""The error in a response's body, in any server's shape.

What belongs here: the codes, the message and the parameters that it names. What does not: what follows
from them (verdict.py), and the wait that it asks for (http/asked_wait.py).

Servers nest: a gateway puts the provider's error, as an object or as JSON in a text, inside its own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.text import printable

MAX_MESSAGE = 300  # characters of an endpoint's message: its first sentences name the cause

# Members that hold an error or its text, the outer ones first.
_INNER = (
    "error", "errors", "base_resp", "message", "msg", "status_msg", "detail", "details", "violations",
    "error_description", "metadata", "raw", "innererror", "inner_error", "title",
)  # fmt: skip
_CODES = ("code", "error_code", "type", "status", "reason", "quotaId")
_STATUSES = ("code", "status", "status_code", "statusCode")
# Members whose presence says what happened: Groq's bad generation, OpenRouter's moderation.
_TELLING = ("failed_generation", "flagged_input")
# Of more than a name or a value. Not measured: the longest names of models have some 60 characters.
_QUOTATION = re.compile(r"(?<!\w)(['\"`]).{40,}?\1(?!\w)")
_MAX_DEPTH, _MAX_NODES = 8, 64  # honest errors have four levels and some ten objects
# vLLM writes the list of pydantic's errors as Python, in a text.
_PYTHON_LOC = re.compile(r"'loc': [(\[]'body', '(\w+)'")


@dataclass(frozen=True)
class ServerError:
    """An error as a server described it; everything is empty without one.

    `codes` are its codes, types and statuses, those of the outer error first. `params` are the request's
    fields that it names, such as seed or response_format.json_schema. `status_code` is the HTTP status in
    the body. `nodes` are the objects of the error, for what else they hold.
    """

    codes: tuple[str, ...] = ()
    message: str = ""
    params: tuple[str, ...] = ()
    status_code: int | None = None
    nodes: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    def says(self, *codes: str) -> bool:
        """Whether the error has one of `codes` (in lower case) as a code or as a word of its message.

        >>> read_error({"error": "content_filter: the prompt was blocked"}).says("content_filter")
        True
        """
        words = re.findall(r"\w+", " ".join((*self.codes, self.message)).lower())
        return not set(words).isdisjoint(codes)

    @property
    def own_words(self) -> str:
        """The message without long quotations, which are mostly the request's own text.

        >>> read_error("cannot parse 'a document that says it has no credits left at all'").own_words
        'cannot parse '
        """
        return _QUOTATION.sub("", self.message)

    @property
    def summary(self) -> str:
        """The message, else the first code."""
        return self.message or next(iter(self.codes), "")


def read_error(body: Any) -> ServerError:
    """The error in `body`, a parsed JSON value or a text.

    >>> error = read_error({"error": {"code": "rate_limit_exceeded", "message": "slow down"}})
    >>> error.codes, error.message
    (('rate_limit_exceeded',), 'slow down')
    >>> read_error([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}]).status_code
    429
    >>> read_error({"detail": [{"loc": ["body", "seed"], "msg": "not permitted"}]}).params
    ('seed',)
    >>> read_error("<html>bad gateway</html>").message
    '<html>bad gateway</html>'
    """
    nodes, texts = list[Mapping[str, Any]](), list[str]()
    for node in _nodes(body):
        if isinstance(node, str):
            texts.append(node)
        else:
            nodes.append(node)
        if len(nodes) + len(texts) == _MAX_NODES:
            break
    codes = [code for node in nodes for code in _codes(node)]
    params = [param for node in nodes for param in _params(node)]
    params += [param for text in texts for param in _PYTHON_LOC.findall(text)]
    statuses = (_status(node.get(name)) for node in nodes for name in _STATUSES)
    return ServerError(
        tuple(dict.fromkeys(cut(code) for code in codes)),
        _joined(texts),
        tuple(dict.fromkeys(cut(param) for param in params)),
        next((status for status in statuses if status), None),
        tuple(nodes),
    )


def error_in_answer(body: Any) -> ServerError | None:
    """The error in the body of a 2xx response; None for a body with an answer or without an error.

    An answer beside an error counts, unless its choice itself has the error.

    >>> choice = {"error": {"code": 502, "message": "provider down"}, "message": {"content": ""}}
    >>> error_in_answer({"choices": [choice]}).message
    'provider down'
    >>> error_in_answer({"choices": [{"message": {"content": "2"}}], "error": "late"}) is None
    True
    """
    if isinstance(body, list):  # Google's
        return next((error for item in body if (error := error_in_answer(item))), None)
    if not isinstance(body, Mapping):
        return None
    choices = body.get("choices")
    if isinstance(choices, list) and choices:
        return _error_in_choice(choices[0], body)
    is_answer = any(name in body for name in ("choices", "answers", "output"))
    has_text = any(body.get(name) for name in ("errors", "message", "msg", "detail"))
    is_error = body.get("error") or body.get("base_resp") or body.get("object") == "error"
    error = read_error(body)
    # A message that says nothing is an answer in another API's form: Ollama's own has one.
    is_told = has_text and not is_answer and error.summary
    return error if is_error or is_told else None


def _error_in_choice(choice: Any, body: Mapping[str, Any]) -> ServerError | None:
    """OpenRouter's error of a provider that broke off its reply."""
    if not isinstance(choice, Mapping):
        return None
    is_broken = choice.get("finish_reason") == "error"
    if not is_broken and not choice.get("error"):
        return None
    return read_error(
        choice.get("error") or body.get("error") or "the provider broke off the reply"
    )


def _nodes(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any] | str]:
    """The objects and the texts of an error, the outer ones first."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        inner = _json_in(value)
        if inner is not None:
            yield from _nodes(inner, depth + 1)
        elif text := " ".join(value.split()):
            yield text
    elif isinstance(value, list):
        for item in value[:_MAX_NODES]:
            yield from _nodes(item, depth + 1)
    elif isinstance(value, Mapping):
        yield value
        place = _place(value.get("loc"))
        for name in _INNER:
            if place and name == "msg" and isinstance(value.get(name), str):
                yield f"{place}: {' '.join(value[name].split())}"
            elif name in value:
                yield from _nodes(value[name], depth + 1)


def _json_in(text: str) -> Any:
    """The object or list that `text` is the JSON of; None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return parse_json(text.strip())
    except ValueError:
        return None


def _codes(node: Mapping[str, Any]) -> list[str]:
    values = (node.get(name) for name in _CODES)
    words = [value for value in values if isinstance(value, str) and value.strip()]
    return words + [name for name in _TELLING if node.get(name) is not None]


def _params(node: Mapping[str, Any]) -> list[str]:
    param, place = node.get("param"), _place(node.get("loc"))
    return [name for name in (param, place) if isinstance(name, str) and name]


def _place(loc: Any) -> str:
    """The field at `loc`, FastAPI's path to a field of the request; empty for anything else."""
    parts = [str(part) for part in loc] if isinstance(loc, list) else []
    return ".".join(parts[1:] if parts[:1] == ["body"] else parts)


def _status(value: Any) -> int | None:
    """`value` as the status of an HTTP error."""
    if isinstance(value, str) and re.fullmatch(r"[45]\d\d", value):
        return int(value)
    is_status = isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599
    return value if is_status else None


def _joined(texts: list[str]) -> str:
    """The texts in one, without those that another one contains."""
    kept: list[str] = []
    for text in texts:
        if not any(text in other for other in kept):
            kept = [other for other in kept if other not in text] + [text]
    return cut(": ".join(kept))


def cut(text: str) -> str:
    """`text` in one line, of at most MAX_MESSAGE characters, for a terminal.

    >>> cut("a\\n b")
    'a b'
    """
    return printable(" ".join(text.split())[:MAX_MESSAGE])
