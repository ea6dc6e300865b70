"""Grading requests for (query, document) pairs, and the rows of teacher_labels from their replies.

What belongs here: rendering the prompt for a pair, one request for each model and vote, and the row
of a pair. What does not: sending (teacher/sender.py), parsing one reply (grade_replies.py), and the
consensus of several (consensus.py).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.document_text import document_values, one_line, shown_passages
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.grading.consensus import consensus
from relabel_assets.teacher.grading.grade_replies import GradeReply, grade_reply_schema
from relabel_assets.teacher.ledger.lines import moment_of
from relabel_assets.teacher.requests import Request, request_from_config

LABEL_SCHEMA = {
    name: column.dtype
    for name, column in TABLES["teacher_labels"].schema.columns().items()
    if name != "corpus"
}
# Characters. Not measured: room for a pasted mail or error message, but not for a document.
_LONGEST_QUERY = 2000


def grading_prompt_hash(prompt: Prompt, rubric: Rubric) -> str:
    """SHA-256 of prompt template and rubric: 64 hex digits.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> from relabel_assets.prompts.teacher_prompts import grading_prompt
    >>> grading_prompt_hash(grading_prompt(), default_rubric())[:8]
    '387a8d73'
    """
    return hashlib.sha256(f"{prompt.content_hash}{rubric.content_hash}".encode()).hexdigest()


def grading_messages(
    pair: Mapping[str, Any], prompt: Prompt, rubric: Rubric, max_document_tokens: int
) -> tuple[dict[str, str], ...]:
    """The chat messages that ask for the grade of `pair`.

    `pair`: text, title, body and DOCUMENT_METADATA; all but text and body may be None.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> from relabel_assets.prompts.teacher_prompts import grading_prompt
    >>> prompt = grading_prompt("user: '{{query}}: {{body}} Grade 0 to {{max_grade}}. {{grades}}'")
    >>> messages = grading_messages({"text": "leave", "body": "Ask HR."}, prompt, default_rubric(), 50)
    >>> messages[0]["content"][:44]
    'leave: Ask HR. Grade 0 to 3. 0 (irrelevant):'
    """
    return prompt.render(pair_values(pair, rubric, max_document_tokens))


def pair_values(
    pair: Mapping[str, Any], rubric: Rubric, max_document_tokens: int
) -> dict[str, str]:
    """The values of all placeholders of a prompt about `pair`, as in grading_messages.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> pair_values({"text": "sick  leave", "body": "Ask HR."}, default_rubric(), 50)["query"]
    'sick leave'
    """
    query = {"query": one_line(pair["text"], _LONGEST_QUERY)}
    document = document_values(pair, max_document_tokens, query=pair["text"])
    return query | document | rubric.prompt_values()


def n_requests_per_pair(config: TeacherConfig) -> int:
    """The number of requests for a pair: one for each model and vote.

    >>> n_requests_per_pair(TeacherConfig(votes=3, panel=["gpt-4.1", "o3"]))
    9
    """
    return config.votes * (1 + len(config.panel))


def grading_requests(
    pair: Mapping[str, Any], prompt: Prompt, rubric: Rubric, config: TeacherConfig
) -> list[Request]:
    """One request for each model and vote, always in the same order.

    Votes have different seeds, and therefore different keys.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> from relabel_assets.prompts.teacher_prompts import grading_prompt
    >>> pair, config = {"text": "leave", "body": "Ask HR."}, TeacherConfig(votes=2, panel=["o3"])
    >>> requests = grading_requests(pair, grading_prompt(), default_rubric(), config)
    >>> [(request.model, request.seed) for request in requests]
    [('gpt-4o', 13), ('gpt-4o', 14), ('o3', 13), ('o3', 14)]
    """
    messages = grading_messages(pair, prompt, rubric, config.max_document_tokens)
    if config.votes > 1 and config.seed is None:
        config = config.model_copy(update={"seed": 0})
    return [
        request_from_config(
            config,
            messages,
            schema_name="relevance_grade",
            schema=grade_reply_schema(rubric.n_grades),
            model=model,
            seed_offset=vote,
            is_logprobs=config.is_logprobs,
        )
        for model in (config.model, *config.panel)
        for vote in range(config.votes)
    ]


def teacher_label(
    pair: Mapping[str, Any],
    exchanges: Sequence[Exchange],
    config: TeacherConfig,
    *,
    prompt_hash: str,
    n_grades: int,
) -> dict[str, Any]:
    """The row of `pair` (LABEL_SCHEMA), from the exchanges of all its requests in order.

    `pair`: query_id, doc_id, text and body. If more than half of the replies are readable, their
    consensus is the grade. Else the row has the status of the first request without a grade.

    >>> request = request_from_config(TeacherConfig(), [], schema_name="s", schema={})
    >>> failed = Exchange(0, request, "key", "failed", "HTTP 503 (5 attempts)", attempts=5, cost_usd=None)
    >>> pair = {"query_id": "q", "doc_id": "d", "text": "leave", "body": "Ask HR."}
    >>> row = teacher_label(pair, [failed], TeacherConfig(), prompt_hash="h", n_grades=4)
    >>> row["grade"], row["status"], row["status_reason"]
    (None, 'failed', 'HTTP 503 (5 attempts)')
    """
    replies: list[GradeReply] = [
        exchange.parsed.value
        for exchange in exchanges
        if exchange.status == "ok" and exchange.parsed is not None
    ]
    responses = [exchange.line.metadata for exchange in exchanges if exchange.line is not None]
    moments = [moment_of(response.at) for response in responses]
    row: dict[str, Any] = dict.fromkeys(LABEL_SCHEMA)
    row |= {
        "query_id": pair["query_id"],
        "doc_id": pair["doc_id"],
        "attempts": sum(exchange.attempts for exchange in exchanges),
        "teacher_model": " + ".join((config.model, *config.panel)),
        "prompt_hash": prompt_hash,
        "request_key": exchanges[0].key,
        "prompt_tokens": _sum(response.prompt_tokens for response in responses),
        "completion_tokens": _sum(response.completion_tokens for response in responses),
        "cost_usd": _sum(exchange.cost_usd for exchange in exchanges),
        "latency_s": max(_present(response.latency_s for response in responses), default=None),
        "labeled_at": max(_present(moments), default=None),
        "n_asked_together": max(
            (metadata.n_asked_together for metadata in responses), default=None
        ),
        "passages": shown_passages(pair, config.max_document_tokens),
    }
    if 2 * len(replies) > len(exchanges):
        return row | {"status": "ok"} | asdict(consensus(replies, n_grades))
    failed = next(exchange for exchange in exchanges if exchange.status != "ok")
    reason = str(failed.reason)
    if len(exchanges) > 1:
        reason += f" ({len(replies)} of {len(exchanges)} replies could be read)"
    return row | {"status": failed.status, "status_reason": reason}


def _present(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _sum(values: Iterable[Any]) -> Any:
    """The sum of the values that are not None; None without any: an unknown cost is not 0."""
    present = _present(values)
    return sum(present) if present else None


def label_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """`rows` as a frame with the columns of teacher_labels without corpus.

    >>> label_frame([]).columns[:3]
    ['query_id', 'doc_id', 'grade']
    """
    return pl.DataFrame(rows, schema=LABEL_SCHEMA, orient="row")
