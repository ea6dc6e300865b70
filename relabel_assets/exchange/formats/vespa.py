"""Vespa: the queries and relevant documents that pyvespa's VespaEvaluator takes.

What belongs here: that JSON. What does not: the query function and the application, which are the user's.
Relevance is from 0 to 1 there: a grade divided by the highest one. The form:
https://vespa-engine.github.io/pyvespa/api/vespa/evaluation.html
"""

from collections.abc import Iterator
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
    write_json,
)
from relabel_assets.exchange.judgments import Judgment, Judgments, Unwritable, unwritable
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown

_NEAR = 1e-6  # a relevance so near a grade's is that grade: tools may print fewer digits


def refused(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows of queries without a text.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> list(refused(Judgments(judgments_frame([]), "demo", "final", 3)))
    []
    """
    return unwritable(judgments, pl.col("text").is_null(), "the query has no text")


def write(judgments: Judgments, path: Path) -> None:
    """`queries`: text by id. `relevant_docs`: relevance by document, by query.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "leave", "doc_id": "d1", "grade": 3}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Judgments(frame, "demo", "final", 3), Path(folder) / "vespa.json")
    ...     json_object(Path(folder) / "vespa.json")
    {'queries': {'q1': 'leave'}, 'relevant_docs': {'q1': {'d1': 1.0}}}
    """
    queries, relevant = {}, {}
    for query_id, text, documents in judgments.by_query():
        queries[query_id] = text
        relevant[query_id] = {doc_id: grade / judgments.max_grade for doc_id, grade in documents}
    write_json({"queries": queries, "relevant_docs": relevant}, path)


def read(path: Path, max_grade: int) -> Read:
    """Each relevance as a grade. A list of documents, or one, stands for relevance 1.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "vespa.json"
    ...     write_json({"queries": {"q1": "leave"}, "relevant_docs": {"q1": {"d1": 0.3333333333}}}, path)
    ...     [(_, judgment)] = read(path, 3)
    >>> judgment.query_id, judgment.text, judgment.grade
    ('q1', 'leave', 1)
    """
    content = json_object(path)
    queries = members(content, "queries", dict)
    for name, documents in members(content, "relevant_docs", dict).items():
        try:
            query_id = required_id({"query": name}, "query")
            text = query_text(queries[name]) if name in queries else None
            relevances = _relevances(documents)
        except SetAside as reason:
            yield None, SetAside(f"query {shown(name)}: {reason.message}", reason.remedy)
            continue
        for doc_id, relevance in relevances.items():
            try:
                document = required_id({"document": doc_id}, "document")
                grade = _grade(relevance, max_grade)
                yield None, Judgment(document, grade, query_id=query_id, text=text)
            except SetAside as reason:
                yield None, SetAside(f"query {shown(name)}: {reason.message}", reason.remedy)


def _relevances(documents: Any) -> dict[Any, Any]:
    """The relevance by document. A list of documents, or one, stands for relevance 1."""
    if isinstance(documents, str):
        return {documents: 1}
    if isinstance(documents, list) and all(isinstance(one, str) for one in documents):
        return dict.fromkeys(documents, 1)
    if isinstance(documents, dict):
        return documents
    raise SetAside(f"its documents are {shown(documents)}", "Give an object or a list.")


def _grade(relevance: object, max_grade: int) -> int:
    """The grade whose share of the highest one is `relevance`. Raises SetAside for any other number."""
    if (
        isinstance(relevance, int | float)
        and not isinstance(relevance, bool)
        and 0 <= relevance <= 1
    ):
        grade = round(relevance * max_grade)
        if abs(relevance - grade / max_grade) < _NEAR:
            return grade
    shares = ", ".join(f"{grade / max_grade:.3g}" for grade in range(max_grade + 1))
    raise SetAside(f"the relevance is {shown(relevance)}", f"Grades of the rubric: {shares}.")


FORMAT = Format(
    "vespa",
    "Vespa: queries and relevant_docs of pyvespa's VespaEvaluator",
    ".json",
    refused,
    write,
    read,
)
