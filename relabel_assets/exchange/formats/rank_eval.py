"""Elasticsearch's ranking evaluation: the body of `_rank_eval`, with a template for the query.

What belongs here: that body. What does not: sending it. OpenSearch has the same API. The form:
https://www.elastic.co/guide/en/elasticsearch/reference/current/search-rank-eval.html
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import required_id
from relabel_assets.exchange.formats.format import (
    Format,
    Read,
    json_object,
    members,
    whole_grade,
    write_json,
)
from relabel_assets.exchange.judgments import Judgment, Judgments, Unwritable, unwritable
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown

_LONGEST_ID_BYTES = 512  # of a document in Elasticsearch
_TEMPLATE = "query"
_TOP = 10  # of the metric: the benchmark's own is NDCG@10


def refused(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows of queries without a text, and of documents whose id Elasticsearch cannot hold.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "leave", "doc_id": "d" * 513, "grade": 2}])
    >>> [one.reason for one in refused(Judgments(frame, "demo", "final", 3))]
    ['doc_id has more than 512 bytes, the most that Elasticsearch allows']
    """
    is_long = pl.col("doc_id").str.len_bytes() > _LONGEST_ID_BYTES
    limit = f"doc_id has more than {_LONGEST_ID_BYTES} bytes, the most that Elasticsearch allows"
    return chain(
        unwritable(judgments, is_long, limit),
        unwritable(judgments, pl.col("text").is_null(), "the query has no text"),
    )


def write(judgments: Judgments, path: Path) -> None:
    """A request for each query, whose text fills the template; the metric is NDCG@10.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "leave", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Judgments(frame, "demo", "final", 3, "docs"), Path(folder) / "rank_eval.json")
    ...     json_object(Path(folder) / "rank_eval.json")["requests"][0]["ratings"]
    [{'_index': 'docs', '_id': 'd1', 'rating': 2}]
    """
    match = {"query": "{{query_string}}", "fields": ["title", "body"]}
    body = {
        "templates": [{"id": _TEMPLATE, "template": {"inline": {"query": {"multi_match": match}}}}],
        "requests": [
            {
                "id": query_id,
                "template_id": _TEMPLATE,
                "params": {"query_string": text},
                "ratings": [
                    {"_index": judgments.index, "_id": doc_id, "rating": grade}
                    for doc_id, grade in documents
                ],
            }
            for query_id, text, documents in judgments.by_query()
        ],
        "metric": {"dcg": {"k": _TOP, "normalize": True}},
    }
    write_json(body, path)


def read(path: Path, max_grade: int) -> Read:
    """Each rating. The request's id is the query's; its text is in the params, where there are some.

    >>> import tempfile
    >>> request = {"id": "q1", "request": {}, "ratings": [{"_index": "docs", "_id": "d1", "rating": 2}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "rank_eval.json"
    ...     write_json({"requests": [request]}, path)
    ...     [(_, judgment)] = read(path, 3)
    >>> judgment.query_id, judgment.doc_id, judgment.grade
    ('q1', 'd1', 2)
    """
    for number, request in enumerate(members(json_object(path), "requests", list), start=1):
        try:
            query_id, text = required_id(request, "id"), _text(request)
            for rating in members(request, "ratings", list):
                yield None, _judgment(query_id, text, rating, max_grade)
        except (SetAside, AttributeError) as error:
            reason = error if isinstance(error, SetAside) else SetAside("it is no object", "")
            yield None, SetAside(f"request {number}: {reason.message}", reason.remedy)


def _text(request: Mapping[str, Any]) -> str | None:
    params = request.get("params")
    text = params.get("query_string") if isinstance(params, Mapping) else None
    return text if isinstance(text, str) else None


def _judgment(query_id: str, text: str | None, rating: Any, max_grade: int) -> Judgment | SetAside:
    try:
        if not isinstance(rating, Mapping):
            raise SetAside(f"a rating is {shown(rating)}", "It is an object.")
        grade = whole_grade(rating.get("rating"), max_grade)
        return Judgment(required_id(rating, "_id"), grade, query_id=query_id, text=text)
    except SetAside as reason:
        return SetAside(f"request {shown(query_id)}: {reason.message}", reason.remedy)


FORMAT = Format(
    "rank-eval",
    "Elasticsearch and OpenSearch: the body of _rank_eval",
    ".json",
    refused,
    write,
    read,
)
