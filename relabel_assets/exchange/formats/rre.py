"""RRE's ratings.json: topics, query groups, and the relevant documents of each.

What belongs here: this file, for the Rated Ranking Evaluator. A query group is one query, and its name is
the query's id. What does not: query templates and configurations, which are the user's. The form:
https://github.com/SeaseLtd/rated-ranking-evaluator/wiki/What%20we%20need%20to%20provide#ratings
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import required_id
from relabel_assets.exchange.formats.format import (
    Format,
    Read,
    json_object,
    members,
    query_text,
    whole_grade,
    write_json,
)
from relabel_assets.exchange.judgments import Judgment, Judgments, Unwritable, unwritable
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown

_PLACEHOLDER = "$query"


def refused(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows of queries without a text.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "doc_id": "d1", "grade": 2}])
    >>> [one.reason for one in refused(Judgments(frame, "demo", "final", 3))]
    ['the query has no text']
    """
    return unwritable(judgments, pl.col("text").is_null(), "the query has no text")


def write(judgments: Judgments, path: Path) -> None:
    """One topic, with a group for each query; documents by their gain.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "leave", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Judgments(frame, "demo", "final", 3, "docs"), Path(folder) / "ratings.json")
    ...     json_object(Path(folder) / "ratings.json")["topics"][0]["query_groups"][0]["relevant_documents"]
    {'2': ['d1']}
    """
    groups = []
    for query_id, text, documents in judgments.by_query():
        by_gain = defaultdict(list)
        for doc_id, grade in documents:
            by_gain[str(grade)].append(doc_id)
        query = {"template": "query.json", "placeholders": {_PLACEHOLDER: text}}
        group = {"name": query_id, "queries": [query]}
        groups.append(group | {"relevant_documents": dict(sorted(by_gain.items(), reverse=True))})
    ratings = {
        "index": judgments.index,
        "corpora_file": f"{judgments.index}.json",
        "id_field": "id",
        "query_placeholder": _PLACEHOLDER,
        "topics": [{"description": judgments.origin, "query_groups": groups}],
    }
    write_json(ratings, path)


def read(path: Path, max_grade: int) -> Read:
    """Each judgment of each query of each group. Groups may be in topics or at the top.

    A group's name counts as the query's id where the group has one query.

    >>> import tempfile
    >>> document = {"d1": {"gain": 3}}
    >>> group = {"name": "q1", "queries": [{"placeholders": {"$query": "leave"}}],
    ...          "relevant_documents": document}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "ratings.json"
    ...     write_json({"query_groups": [group]}, path)
    ...     [(_, judgment)] = read(path, 3)
    >>> judgment.query_id, judgment.text, judgment.doc_id, judgment.grade
    ('q1', 'leave', 'd1', 3)
    """
    ratings = json_object(path)
    placeholder = ratings.get("query_placeholder", _PLACEHOLDER)
    topics = members(ratings, "topics", list) if "topics" in ratings else [ratings]
    for topic in topics:
        for number, group in enumerate(members(topic, "query_groups", list), start=1):
            try:
                yield from _of_group(group, placeholder, max_grade)
            except SetAside as reason:
                yield None, SetAside(f"query group {number}: {reason.message}", reason.remedy)


def _of_group(group: Any, placeholder: str, max_grade: int) -> Read:
    queries = members(group, "queries", list)
    texts = [query_text(_text(query, placeholder)) for query in queries]
    query_id = required_id(group, "name") if group.get("name") and len(texts) == 1 else None
    for text in texts:
        for doc_id, gain in _gains(members(group, "relevant_documents", dict)):
            try:
                document = required_id({"document": doc_id}, "document")
                grade = whole_grade(gain, max_grade)
                yield None, Judgment(document, grade, query_id=query_id, text=text)
            except SetAside as reason:
                message = f"query {shown(text)}, document {shown(doc_id)}: {reason.message}"
                yield None, SetAside(message, reason.remedy)


def _text(query: Any, placeholder: str) -> Any:
    """The text of a query: RRE finds the placeholder wherever it is in the object."""
    placeholders = query.get("placeholders", query) if isinstance(query, Mapping) else None
    return placeholders.get(placeholder) if isinstance(placeholders, Mapping) else None


def _gains(documents: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """(document, gain) of {gain: [documents]}, or of {document: {"gain": gain}}."""
    for key, value in documents.items():
        if isinstance(value, list):
            yield from ((doc_id, key) for doc_id in value)
        else:
            yield key, value.get("gain") if isinstance(value, Mapping) else value


FORMAT = Format(
    "rre",
    "Rated Ranking Evaluator: ratings.json",
    ".json",
    refused,
    write,
    read,
)
