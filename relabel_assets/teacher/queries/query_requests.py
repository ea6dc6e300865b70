"""Requests to write queries: seed documents, the queries wanted of each, and parsed replies.

What belongs here: choosing seed documents and intents, the request for a document, and parsing its
reply. What does not: sending (query_writer.py) and which queries are kept (query_filters.py).

A document's request depends only on that document and the settings. So a document that is added or
removed repeats no request of another.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import polars as pl

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.intake.words import count_words, has_unspaced
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.tables.vocabulary import INTENTS
from relabel_assets.teacher.document_text import document_values, one_line
from relabel_assets.teacher.replies import ParsedReply, plain_line, quoted, read_object
from relabel_assets.teacher.requests import Request, request_from_config

_MIN_BODY_WORDS = 20  # not measured: a shorter body has too little to ask about
_TEMPERATURE = 0.7  # not measured: at 0, models repeat the same few phrasings
# Completion tokens. 20 English words, an intent and the JSON around them are about 45: 60 leaves room
# for other languages, and 200 for a model that puts a sentence before its JSON.
_TOKENS_A_QUERY, _TOKENS_AROUND = 60, 200


@dataclass(frozen=True)
class WantedQuery:
    """One query that the teacher is asked to write."""

    intent: str
    persona: str | None = None


@dataclass(frozen=True)
class WrittenQuery:
    """One query in a reply."""

    intent: str
    text: str


@dataclass(frozen=True)
class UnreadableQuery:
    """An item of a reply that is no query. It keeps its place: the n-th answers the n-th wanted one."""

    reason: str


QueryItem = WrittenQuery | UnreadableQuery


def seed_documents(documents: pl.DataFrame, config: QueriesConfig) -> pl.DataFrame:
    """The seed documents among `documents` (doc_id, body, path, doc_type, ...).

    At most `config.seed_documents`, and none that is too short. Folders and types of document take
    turns, so that a large one does not crowd out the others. Within each, documents are sorted by a
    hash, so that a new one replaces few.

    >>> long, row = "word " * 20, {"path": "hr/leave.md", "doc_type": None}
    >>> rows = [{"doc_id": "a", "body": "short"} | row, {"doc_id": "b", "body": long} | row]
    >>> documents = pl.DataFrame(rows)
    >>> seed_documents(documents, QueriesConfig())["doc_id"].to_list()
    ['b']
    """
    long_enough = documents.filter(
        pl.Series([_is_long_enough(body) for body in documents["body"]], dtype=pl.Boolean)
    )
    by_group: dict[tuple[str, str], list[str]] = {}
    for doc_id, path, doc_type in long_enough.select("doc_id", "path", "doc_type").iter_rows():
        folder = str(path).rpartition("/")[0]
        by_group.setdefault((folder, doc_type or ""), []).append(doc_id)
    lists = [
        sorted(doc_ids, key=lambda doc_id: _hash(config.seed, doc_id))
        for _, doc_ids in sorted(by_group.items())
    ]
    in_turn = [doc_id for doc_id in chain.from_iterable(zip_longest(*lists)) if doc_id is not None]
    chosen = in_turn[: config.seed_documents]
    return long_enough.filter(pl.col("doc_id").is_in(chosen)).sort("doc_id")


def _is_long_enough(body: str) -> bool:
    n_words = count_words(body) if has_unspaced(body) else body.count(" ") + 1
    return n_words >= _MIN_BODY_WORDS


def wanted_queries(doc_id: str, config: QueriesConfig) -> list[WantedQuery]:
    """The queries to write about a document: intents by their shares, personas in turn.

    The intents are a systematic sample (Madow 1949) whose start is a hash of the document's id. So
    each intent has its share over many documents.

    >>> wanted_queries("d1", QueriesConfig(per_document=2, intents={"messy": 1.0}, personas=["a new hire"]))
    [WantedQuery(intent='messy', persona='a new hire'), WantedQuery(intent='messy', persona='a new hire')]
    """
    start = int(_hash(config.seed, f"intents:{doc_id}")[:12], 16) / 16**12
    upper_edges, total = [], 0.0
    for intent in INTENTS:
        total += config.intents.get(intent, 0.0)
        upper_edges.append((total, intent))
    points = [(start + nth) / config.per_document * total for nth in range(config.per_document)]
    intents = [
        next((intent for edge, intent in upper_edges if point < edge), INTENTS[-1])
        for point in points
    ]
    if not config.personas:
        return [WantedQuery(intent) for intent in intents]
    first = int(_hash(config.seed, f"persona:{doc_id}")[:8], 16)
    return [
        WantedQuery(intent, config.personas[(first + nth) % len(config.personas)])
        for nth, intent in enumerate(intents)
    ]


def _hash(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def queries_request(
    document: Mapping[str, Any],
    wanted: Sequence[WantedQuery],
    prompt: Prompt,
    config: TeacherConfig,
) -> Request:
    """The request to write the `wanted` queries about `document`.

    `document`: title, body and DOCUMENT_METADATA; all but body may be None.

    >>> from relabel_assets.prompts.teacher_prompts import queries_prompt
    >>> wanted, config = [WantedQuery("messy")], TeacherConfig()
    >>> request = queries_request({"body": "Ask HR."}, wanted, queries_prompt(), config)
    >>> print(request.messages[1]["content"][-31:])
    Write these 1 queries:
    1. messy
    """
    values = document_values(document, config.max_document_tokens)
    values |= {"n_queries": str(len(wanted)), "wanted": _numbered(wanted)}
    return request_from_config(
        config,
        prompt.render(values),
        schema_name="search_queries",
        schema=queries_reply_schema(),
        temperature=None if config.temperature is None else _TEMPERATURE,
        max_completion_tokens=max(
            config.max_completion_tokens, _TOKENS_AROUND + _TOKENS_A_QUERY * len(wanted)
        ),
    )


def _numbered(wanted: Sequence[WantedQuery]) -> str:
    """One line for each wanted query, as the prompt shows it."""
    lines = []
    for number, query in enumerate(wanted, start=1):
        persona = f", typed by: {one_line(query.persona)}" if query.persona else ""
        lines.append(f"{number}. {query.intent}{persona}")
    return "\n".join(lines)


def queries_reply_schema() -> dict[str, Any]:
    """The JSON schema of a reply, in the subset that endpoints accept as strict.

    >>> queries_reply_schema()["required"]
    ['queries']
    """
    query = {
        "type": "object",
        "properties": {
            "intent": {"type": "string", "enum": list(INTENTS)},
            "text": {"type": "string"},
        },
        "required": ["intent", "text"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"queries": {"type": "array", "items": query}},
        "required": ["queries"],
        "additionalProperties": False,
    }


def read_queries(body: Any) -> ParsedReply:
    """The parsed reply in the body of a 2xx response. `value` has an item for each query if ok.

    An item is a WrittenQuery, or an UnreadableQuery with the reason. At least one is a WrittenQuery.

    >>> content = '{"queries": [{"intent": "messy", "text": "paid  leav"}, {"intent": "messy"}]}'
    >>> read_queries({"choices": [{"message": {"content": content}}]}).value
    [WrittenQuery(intent='messy', text='paid leav'), UnreadableQuery(reason='no text')]
    """
    reply = read_object(body, "queries")
    if isinstance(reply, ParsedReply):
        return reply
    queries = reply["queries"]
    items = [_item(query) for query in queries] if isinstance(queries, list) else []
    if not any(isinstance(item, WrittenQuery) for item in items):
        reasons = ", ".join(dict.fromkeys(getattr(item, "reason", "") for item in items))
        fault = f"no query that can be read ({reasons or 'no list of queries'})"
        return ParsedReply("unparseable", f"{fault}: {quoted(json.dumps(queries))}")
    return ParsedReply("ok", value=items)


def _item(query: Any) -> QueryItem:
    """One item of the list in a reply."""
    if not isinstance(query, dict):
        return UnreadableQuery("not an object")
    text = query.get("text")
    if not isinstance(text, str):
        return UnreadableQuery("no text")
    if query.get("intent") not in INTENTS:
        return UnreadableQuery("unknown intent")
    return WrittenQuery(query["intent"], plain_line(text))
