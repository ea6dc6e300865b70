"""Writing queries: which documents are asked about, for which kinds of query, and which of the answers are kept.

What belongs here: choosing seed documents and intents, the request, reading a reply, and the filters. What does not:
sending (resources/query_writer.py), and dividing the queries (splits.py).

Everything that goes into a document's request depends on that document and the settings alone, so that another document
that comes or goes asks nothing again.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import polars as pl
from rapidfuzz import fuzz

from relabel_assets.corpus.config import QueriesConfig, TeacherConfig
from relabel_assets.corpus.queries import content_hash
from relabel_assets.corpus.splits import near_duplicates, normalised
from relabel_assets.prompts.prompt import Prompt, packaged_prompt, parse_prompt
from relabel_assets.tables.schemas import DOCUMENT_METADATA, INTENTS
from relabel_assets.teacher.excerpt import excerpt
from relabel_assets.teacher.exchange import ParsedReply
from relabel_assets.teacher.replies import only_object, reply_content
from relabel_assets.teacher.requests import Request, request_from_config

ROUND_TRIP_DEPTH = 10
FEWEST_WORDS = 20  # of a body: less says too little to be asked about
_MOST_QUERY_WORDS, _MOST_QUERY_CHARACTERS = 20, 200
_LONGEST_RUN = 6  # words in a row that a query may share with the body
_TITLE_LIKENESS = 95  # rapidfuzz ratio of normalised texts
_TEMPERATURE = 0.7  # of one request a document: at 0 models write the same few phrasings again and again
_TOKENS_A_QUERY, _TOKENS_AROUND = 60, 200
_LONGEST_LINE = 300
_REQUIRED, _ALLOWED = frozenset({"body", "wanted"}), frozenset({"title", "metadata", "n_queries"})
_SPEAKS_OF_DOCUMENT = re.compile(r"\b(this|the above|the given|the following) (document|text|article|page|passage)\b")


@dataclass(frozen=True)
class Wanted:
    """One query to be written."""

    intent: str
    persona: str | None


def queries_prompt(text: str | None = None, *, file: str = "the queries prompt") -> Prompt:
    """The prompt in `text`, or the project's own. Raises ConfigError for a wrong placeholder."""
    if text is None:
        return packaged_prompt("queries", required=_REQUIRED, allowed=_ALLOWED)
    return parse_prompt(text, file=file, required=_REQUIRED, allowed=_ALLOWED)


def seed_documents(documents: pl.DataFrame, config: QueriesConfig) -> pl.DataFrame:
    """The rows of `documents` (doc_id, body, path, doc_type, ...) to ask about, at most `config.seed_documents`.

    Folders and types of document take turns, so that a large one does not crowd out the others; within each, documents
    come in the order of a hash, so that a new one takes the place of few. Too short ones are never asked about.
    """
    long_enough = documents.filter(pl.col("body").str.split(" ").list.len() >= FEWEST_WORDS)
    by_place: dict[tuple[str, str], list[str]] = {}
    for doc_id, path, doc_type in long_enough.select("doc_id", "path", "doc_type").iter_rows():
        folder = str(path).rsplit("/", 1)[0] if path and "/" in str(path) else ""
        by_place.setdefault((folder, doc_type or ""), []).append(doc_id)
    lists = [sorted(ids, key=lambda doc_id: _hash(config.seed, doc_id)) for _, ids in sorted(by_place.items())]
    in_turn = [doc_id for doc_id in chain.from_iterable(zip_longest(*lists)) if doc_id is not None]
    chosen = in_turn[: config.seed_documents]
    return long_enough.filter(pl.col("doc_id").is_in(chosen)).sort("doc_id")


def wanted_queries(doc_id: str, config: QueriesConfig) -> list[Wanted]:
    """What to write for a document: intents by systematic sampling (Madow 1949) from a start drawn by the document's id,

    so that over many documents each has its stated share; personas in turn.
    """
    start = int(_hash(config.seed, f"intents:{doc_id}")[:12], 16) / 16**12
    edges, total = [], 0.0
    for intent in INTENTS:
        total += config.intents.get(intent, 0.0)
        edges.append((total, intent))
    points = [(start + number) / config.per_document * total for number in range(config.per_document)]
    intents = [next((intent for edge, intent in edges if point < edge), edges[-1][1]) for point in points]
    first = int(_hash(config.seed, f"persona:{doc_id}")[:8], 16)
    personas = config.personas
    return [
        Wanted(intent, personas[(first + number) % len(personas)] if personas else None)
        for number, intent in enumerate(intents)
    ]


def queries_request(
    document: Mapping[str, Any], wanted: Sequence[Wanted], prompt: Prompt, config: TeacherConfig
) -> Request:
    """The request for one seed document: doc_id, title, body and DOCUMENT_METADATA, any but doc_id and body None."""
    title = _one_line(document.get("title") or "(no title)")
    messages = prompt.render(
        {
            "title": title,
            "metadata": "\n".join(f"{name}: {_one_line(document[name])}" for name in DOCUMENT_METADATA if document.get(name))
            or "(none)",
            "body": excerpt(document["body"], title, config.max_document_tokens),
            "n_queries": str(len(wanted)),
            "wanted": "\n".join(
                f"{number}. {query.intent}" + (f", typed by: {_one_line(query.persona)}" if query.persona else "")
                for number, query in enumerate(wanted, start=1)
            ),
        }
    )
    return request_from_config(
        config, messages, schema_name="search_queries", schema=queries_reply_schema(),
        temperature=None if config.temperature is None else _TEMPERATURE,
        max_completion_tokens=max(config.max_completion_tokens, _TOKENS_AROUND + _TOKENS_A_QUERY * len(wanted)),
    )  # fmt: skip


def queries_reply_schema() -> dict[str, Any]:
    """The JSON schema of a reply, in the part of JSON schema that strict endpoints take."""
    query = {
        "type": "object",
        "properties": {"intent": {"type": "string", "enum": list(INTENTS)}, "text": {"type": "string"}},
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
    """What the body of a 2xx response says; `value` is a list of (intent, text) where the status is ok."""
    content = reply_content(body)
    if isinstance(content, ParsedReply):
        return content
    reply = only_object(content)
    written = reply.get("queries") if reply else None
    if not isinstance(written, list) or not written:
        return ParsedReply("unparseable", f"not one JSON object with a list of queries: {content[:200]!r}")
    found = []
    for query in written:
        if not isinstance(query, dict) or not isinstance(query.get("text"), str) or query.get("intent") not in INTENTS:
            return ParsedReply("unparseable", f"not a query with a text and a known intent: {str(query)[:200]!r}")
        found.append((query["intent"], " ".join(query["text"].split())))
    return ParsedReply("ok", value=found)


def fault(text: str, document: Mapping[str, Any]) -> str | None:
    """Why a written query cannot be used; None where it can."""
    words = normalised(text).split()
    if not words:
        return "empty"
    if len(words) > _MOST_QUERY_WORDS or len(text) > _MOST_QUERY_CHARACTERS:
        return "too long"
    if _SPEAKS_OF_DOCUMENT.search(text.casefold()):
        return "speaks of the document"
    if fuzz.ratio(" ".join(words), normalised(str(document.get("title") or ""))) >= _TITLE_LIKENESS:
        return "copies the title"
    body = f" {normalised(document['body'])} "
    longest = _LONGEST_RUN + 1
    if any(f" {' '.join(words[at : at + longest])} " in body for at in range(len(words) - longest + 1)):
        return "copies the body"
    return None


def kept_queries(
    replies: Iterable[tuple[Mapping[str, Any], Sequence[Wanted], Sequence[tuple[str, str]]]],
    *,
    teacher_model: str,
    prompt_hash: str,
) -> tuple[pl.DataFrame, Counter[str]]:
    """The queries of (document, what was wanted, what was written) that can be used, and how many others there were, by reason.

    Columns: query_id, text, intent, persona, seed_doc_id, split (NULL), teacher_model, prompt_hash, content_hash. Of
    queries that are the same or nearly, the first stays.
    """
    rows, rejected = [], Counter[str]()
    for document, wanted, written in replies:
        rejected["more than asked for"] += max(0, len(written) - len(wanted))
        for (intent, text), asked in zip(written, wanted, strict=False):
            why = fault(text, document)
            if why:
                rejected[why] += 1
                continue
            doc_id = document["doc_id"]
            rows.append(
                {
                    "query_id": "s" + hashlib.sha256(f"{doc_id}\0{text}".encode()).hexdigest()[:15],
                    "text": text, "intent": intent, "persona": asked.persona, "seed_doc_id": doc_id, "split": None,
                    "teacher_model": teacher_model, "prompt_hash": prompt_hash,
                    "content_hash": content_hash(text, intent, asked.persona, doc_id),
                }
            )  # fmt: skip
    texts = [row["text"] for row in rows]
    dropped: set[int] = set()
    for later, earlier in sorted(near_duplicates(texts, texts)):
        if earlier < later and earlier not in dropped:
            dropped.add(later)
    rejected["nearly another query"] += len(dropped)
    names = ("query_id", "text", "intent", "persona", "seed_doc_id", "split", "teacher_model", "prompt_hash", "content_hash")  # fmt: skip
    kept = [row for place, row in enumerate(rows) if place not in dropped]
    return pl.DataFrame(kept, schema=dict.fromkeys(names, pl.String)), +rejected


def _hash(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def _one_line(text: str) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + " [...]"
