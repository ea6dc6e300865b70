"""A judgment list of OpenSearch's Search Relevance Workbench: the body of its import.

What belongs here: that body. What does not: sending it. The form, and that ratings are texts, which every
version takes: https://docs.opensearch.org/latest/search-plugins/search-relevance/judgments/
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from relabel_assets.exchange.judgments import Judgment, Judgments, Unwritable, of_repeated_texts
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import cut, shown

# OpenSearch refuses longer ones.
_LONGEST_NAME, _LONGEST_DESCRIPTION = 50, 250


def refused(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows of queries with the text of another: a judgment list tells queries apart by text.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> list(refused(Judgments(judgments_frame([]), "demo", "final", 3)))
    []
    """
    return of_repeated_texts(judgments)


def write(judgments: Judgments, path: Path) -> None:
    """The body of PUT _plugins/_search_relevance/judgments.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "leave", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Judgments(frame, "demo", "final", 3), Path(folder) / "judgments.json")
    ...     json_object(Path(folder) / "judgments.json")["judgmentRatings"][0]["ratings"]
    [{'docId': 'd1', 'rating': '2'}]
    """
    body = {
        "name": cut(f"{judgments.corpus} {judgments.labeler}", _LONGEST_NAME),
        "description": cut(judgments.origin, _LONGEST_DESCRIPTION),
        "type": "IMPORT_JUDGMENT",
        "judgmentRatings": [
            {
                "query": text,
                "ratings": [{"docId": doc_id, "rating": str(grade)} for doc_id, grade in documents],
            }
            for _, text, documents in judgments.by_query()
        ],
    }
    write_json(body, path)


def read(path: Path, max_grade: int) -> Read:
    """Each rating. A list that was fetched from OpenSearch is read too: its `_source`.

    >>> import tempfile
    >>> ratings = [{"query": "leave", "ratings": [{"docId": "d1", "rating": "2.000"}]}]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "judgments.json"
    ...     write_json({"judgmentRatings": ratings}, path)
    ...     [(_, judgment)] = read(path, 3)
    >>> judgment.text, judgment.grade
    ('leave', 2)
    """
    for number, query in enumerate(members(body_of(json_object(path)), "judgmentRatings", list), 1):
        try:
            text = query_text(members(query, "query", str))
            for rating in members(query, "ratings", list):
                yield None, _judgment(text, rating, max_grade)
        except SetAside as reason:
            yield None, SetAside(f"query {number}: {reason.message}", reason.remedy)


def body_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The judgment list in an answer of OpenSearch, or `answer` itself.

    >>> body_of({"hits": {"hits": [{"_source": {"judgmentRatings": []}}]}})
    {'judgmentRatings': []}
    """
    hits = answer.get("hits")
    hits = hits.get("hits") if isinstance(hits, dict) else None
    first = hits[0] if isinstance(hits, list) and hits else answer
    source = first.get("_source", first) if isinstance(first, dict) else answer
    return source if isinstance(source, dict) else answer


def _judgment(text: str, rating: Any, max_grade: int) -> Judgment | SetAside:
    try:
        if not isinstance(rating, dict):
            raise SetAside(f"a rating is {shown(rating)}", "It is an object.")
        doc_id = required_id(rating, "docId")
        return Judgment(doc_id, whole_grade(rating.get("rating"), max_grade), text=text)
    except SetAside as reason:
        return SetAside(f"query {shown(text)}: {reason.message}", reason.remedy)


FORMAT = Format(
    "opensearch",
    "OpenSearch Search Relevance Workbench: a judgment list to import",
    ".json",
    refused,
    write,
    read,
)
