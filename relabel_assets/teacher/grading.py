"""Grading: what a teacher is asked about a (query, document) pair, and the row that its replies become.

What belongs here: putting a pair into the prompt, one request for every model and vote, and the consensus of their
replies. What does not: sending (resources/sending.py), reading one reply (core/replies.py).
"""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from relabel_assets.corpus.config import TeacherConfig
from relabel_assets.prompts.prompt import Prompt, packaged_prompt, parse_prompt
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.tables.schemas import DOCUMENT_METADATA
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.excerpt import excerpt
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.replies import GradeReply, grade_reply_schema
from relabel_assets.teacher.requests import Request, request_from_config

LABEL_SCHEMA = {
    name: column.dtype for name, column in TABLES["teacher_labels"].schema.columns().items() if name != "corpus"
}
_REQUIRED = frozenset({"query", "body", "grades"})
_ALLOWED = frozenset({"title", "metadata", "guidance", "max_grade"})
_LONGEST_LINE = 300  # characters of a title or a piece of metadata
_LONGEST_QUERY = 2000


def grading_prompt(text: str | None = None, *, file: str = "the grading prompt") -> Prompt:
    """The prompt in `text`, or the project's own. Raises ConfigError for a wrong placeholder."""
    if text is None:
        return packaged_prompt("grading", required=_REQUIRED, allowed=_ALLOWED)
    return parse_prompt(text, file=file, required=_REQUIRED, allowed=_ALLOWED)


def grading_prompt_hash(prompt: Prompt, rubric: Rubric) -> str:
    """SHA-256 of prompt template and rubric."""
    return hashlib.sha256(f"{prompt.content_hash}{rubric.content_hash}".encode()).hexdigest()


def grading_messages(
    pair: Mapping[str, Any], prompt: Prompt, rubric: Rubric, max_document_tokens: int
) -> tuple[dict[str, str], ...]:
    """The chat messages for `pair`: text, title, body and DOCUMENT_METADATA, any but text and body None."""
    values = {
        "query": _one_line(pair["text"], _LONGEST_QUERY),
        "title": _one_line(pair.get("title") or "(no title)", _LONGEST_LINE),
        "metadata": "\n".join(f"{name}: {_one_line(pair[name], _LONGEST_LINE)}" for name in DOCUMENT_METADATA if pair.get(name))
        or "(none)",
        "body": excerpt(pair["body"], pair["text"], max_document_tokens),
        "grades": "\n".join(f"{grade.grade} ({grade.name}): {grade.meaning}" for grade in rubric.grades),
        "guidance": "\n".join(f"- {rule}" for rule in rubric.guidance) or "- (none)",
        "max_grade": str(rubric.max_grade),
    }
    return prompt.render(values)


def _one_line(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest] + " [...]"


def n_requests_per_pair(config: TeacherConfig) -> int:
    return config.votes * (1 + len(config.panel))


def grading_requests(pair: Mapping[str, Any], prompt: Prompt, rubric: Rubric, config: TeacherConfig) -> list[Request]:
    """One request for every model and vote, always in the same order. Votes differ in their seed, and so in their key."""
    messages = grading_messages(pair, prompt, rubric, config.max_document_tokens)
    if config.votes > 1 and config.seed is None:
        config = config.model_copy(update={"seed": 0})
    return [
        request_from_config(
            config, messages, schema_name="relevance_grade", schema=grade_reply_schema(rubric.n_grades),
            model=model, seed_offset=vote, is_logprobs=config.is_logprobs,
        )
        for model in (config.model, *config.panel)
        for vote in range(config.votes)
    ]  # fmt: skip


def teacher_label(
    pair: Mapping[str, Any], exchanges: Sequence[Exchange], config: TeacherConfig, *, prompt_hash: str, n_grades: int
) -> dict[str, Any]:
    """The row of `pair`, from the exchanges of all its requests in order. Keys: LABEL_SCHEMA.

    With several replies, the grade is the most frequent one; among equally frequent ones, the lowest, because a
    document that is not clearly better should not pass for better. More than half of the replies must be readable:
    else there is no grade, and the status is that of the first request without one.
    """
    replies: list[GradeReply] = [e.parsed.value for e in exchanges if e.status == "ok" and e.parsed is not None]
    lines = [exchange.line for exchange in exchanges if exchange.line is not None]
    row: dict[str, Any] = dict.fromkeys(LABEL_SCHEMA)
    row |= {
        "query_id": pair["query_id"],
        "doc_id": pair["doc_id"],
        "attempts": sum(exchange.attempts for exchange in exchanges),
        "teacher_model": " + ".join((config.model, *config.panel)),
        "prompt_hash": prompt_hash,
        "request_key": exchanges[0].key,
        "prompt_tokens": _sum([line.metadata.prompt_tokens for line in lines]),
        "completion_tokens": _sum([line.metadata.completion_tokens for line in lines]),
        "cost_usd": _sum([exchange.cost_usd for exchange in exchanges]),
        "latency_s": max((line.metadata.latency_s for line in lines if line.metadata.latency_s is not None), default=None),
        "labeled_at": max((_moment(line.metadata.at) for line in lines if line.metadata.at), default=None),
    }
    if 2 * len(replies) <= len(exchanges):
        failed = next(exchange for exchange in exchanges if exchange.status != "ok")
        of = f" ({len(replies)} of {len(exchanges)} replies could be read)" if len(exchanges) > 1 else ""
        return row | {"status": failed.status, "status_reason": f"{failed.reason}{of}"}
    return row | {"status": "ok"} | _consensus(replies, n_grades)


def _consensus(replies: Sequence[GradeReply], n_grades: int) -> dict[str, Any]:
    votes = Counter(reply.grade for reply in replies)
    grade = min(votes, key=lambda candidate: (-votes[candidate], candidate))
    rationale = next((reply.rationale for reply in replies if reply.grade == grade and reply.rationale), None)
    probs = _mean_probs(replies, n_grades)
    if len(replies) > 1:
        rationale = f"[{votes[grade]} of {len(replies)}] {rationale or ''}".strip()
    expected = None if probs is None else sum(grade * p for grade, p in enumerate(probs))
    return {"grade": grade, "rationale": rationale, "grade_probs": probs, "expected_grade": expected}


def _mean_probs(replies: Sequence[GradeReply], n_grades: int) -> list[float] | None:
    """The mean of the replies' probabilities; their shares of votes, where they give none; None for a single grade."""
    given = [reply.grade_probs for reply in replies if reply.grade_probs is not None]
    if len(given) == len(replies):
        return [sum(column) / len(given) for column in zip(*given, strict=True)]
    if len(replies) == 1:
        return None
    return [sum(reply.grade == grade for reply in replies) / len(replies) for grade in range(n_grades)]


def _sum(values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _moment(at: str) -> dt.datetime:
    return dt.datetime.fromisoformat(at)


def label_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as a frame with the columns of teacher_labels minus corpus."""
    return pl.DataFrame(rows, schema=LABEL_SCHEMA, orient="row")
