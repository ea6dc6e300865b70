"""The pairs and queries that a report shows: where the student is furthest from the reference labels.

What belongs here: choosing them, with their texts. What does not: metrics (metrics.py) and layout
(page.py).
"""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.metrics import ndcg_by_query

# Not measured: what somebody reads in a quarter of an hour.
_MOST_PAIRS, _MOST_QUERIES = 20, 10
# Of one query at most so many pairs: a query that is misread is one finding.
_MOST_OF_QUERY = 2
_EXCERPT = 320  # characters: four lines of a page
_LONGEST_BODY = 20_000  # characters that an excerpt is looked for in: some 3,000 words
_PAIR = ["query_id", "doc_id"]


def telling_disagreements(
    student: pl.DataFrame,
    teacher: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
) -> list[dict[str, Any]]:
    """The 20 pairs with the largest gap between student and reference, with their texts.

    Of each query at most two. `documents` has doc_id, title and body. Each has query, title, excerpt,
    reference_grade, student_grade, teacher_grade and the teacher's rationale.

    >>> pair = {"query_id": ["q"], "doc_id": ["d"]}
    >>> (row,) = telling_disagreements(
    ...     pl.DataFrame(pair | {"grade": [0], "expected_grade": [0.2]}),
    ...     pl.DataFrame(pair | {"grade": [3], "rationale": ["It answers the query."]}),
    ...     pl.DataFrame(pair | {"grade": [3]}),
    ...     pl.DataFrame({"query_id": ["q"], "text": ["parental leave"]}),
    ...     pl.DataFrame({"doc_id": ["d"], "title": ["Leave"], "body": ["Leave for new parents."]}),
    ... )
    >>> row["query"], row["title"], row["student_grade"], row["reference_grade"], row["excerpt"]
    ('parental leave', 'Leave', 0, 3, 'Leave for new parents.')
    """
    gap = (pl.col("expected_grade") - pl.col("reference_grade")).abs()
    rows = (
        median_grades(reference)
        .rename({"grade": "reference_grade"})
        .join(student.select(*_PAIR, "expected_grade", student_grade="grade"), on=_PAIR)
        .join(teacher.select(*_PAIR, "rationale", teacher_grade="grade"), on=_PAIR, how="left")
        .with_columns(gap=gap)
        .sort("gap", *_PAIR, descending=[True, False, False])
        .filter(pl.int_range(pl.len()).over("query_id") < _MOST_OF_QUERY)
        .head(_MOST_PAIRS)
        .join(queries.select("query_id", query="text"), on="query_id")
        .join(documents.select("doc_id", "title", "body"), on="doc_id")
        .sort("gap", *_PAIR, descending=[True, False, False])
    )
    return [row | {"excerpt": excerpt(row["body"], row["query"])} for row in rows.to_dicts()]


def worst_queries(
    student: pl.DataFrame,
    teacher: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
) -> list[dict[str, Any]]:
    """The 10 queries with the student's lowest NDCG@10, the teacher's beside it, and how many are judged.

    Each has query, student, teacher (None if it graded none of them), and n_judged.

    >>> pairs = {"query_id": ["q", "q"], "doc_id": ["d1", "d2"]}
    >>> graded = pl.DataFrame(pairs | {"expected_grade": [0.1, 2.8]})
    >>> reference = pl.DataFrame(pairs | {"grade": [3, 0]})
    >>> queries = pl.DataFrame({"query_id": ["q"], "text": ["parental leave"]})
    >>> (row,) = worst_queries(graded, graded.clear(), reference, queries)
    >>> row["query"], round(row["student"], 3), row["teacher"], row["n_judged"]
    ('parental leave', 0.631, None, 2)
    """
    judged = median_grades(reference)
    by_student, by_teacher = (
        ndcg_by_query(judged.join(frame.select(*_PAIR, score=_score(frame)), on=_PAIR))
        for frame in (student, teacher)
    )
    n_judged = dict(judged["query_id"].value_counts().iter_rows())
    texts: Mapping[str, str] = dict(queries.select("query_id", "text").iter_rows())
    worst = sorted(by_student, key=lambda query: (by_student[query], query))[:_MOST_QUERIES]
    return [
        {
            "query": texts[query],
            "student": by_student[query],
            "teacher": by_teacher.get(query),
            "n_judged": n_judged[query],
        }
        for query in worst
        if by_student[query] < 1
    ]


def excerpt(body: str, query: str, width: int = _EXCERPT) -> str:
    """About `width` characters of `body`: those with the most different words of `query`, the first such.

    >>> excerpt("Printers. " * 50 + "New parents get leave.", "parents leave", width=30)
    '… New parents get leave.'
    """
    text = " ".join(body[:_LONGEST_BODY].split())
    if len(text) <= width:
        return text
    words = {word for word in re.findall(r"\w+", query.lower()) if len(word) > 2}
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    lower = text.lower()
    n_words = {at: sum(word in lower[at : at + width] for word in words) for at in starts}
    at = max(starts, key=lambda start: (n_words[start], -start))
    end = at + width
    if end < len(text):
        end = text.find(" ", end) if " " in text[end:] else len(text)
    return ("… " if at else "") + text[at:end] + (" …" if end < len(text) else "")


def _score(frame: pl.DataFrame) -> pl.Expr:
    """What a labeler ranks by: its expected grade, else its grade."""
    names = [name for name in ("expected_grade", "grade") if name in frame.columns]
    return pl.coalesce(names).cast(pl.Float64)
