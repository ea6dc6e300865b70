"""Provided queries: the rows of their file, and a query's content hash.

What belongs here: when a row is a query. What does not: the split that it gets (splits.py), and
writing queries (teacher/queries/).
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from relabel_assets.corpus.documents_folder.doc_ids import hint, with_meant_ids
from relabel_assets.corpus.rows import (
    DuplicateCheck,
    ReadRows,
    optional_choice,
    optional_id,
    optional_text,
    required_id,
    required_text,
)
from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_QUERY_CHARACTERS
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import shown
from relabel_assets.tables.vocabulary import INTENTS

COLUMNS = ("query_id", "text", "intent", "seed_doc_id", "split", "weight", "stratum")
_SCHEMA = dict.fromkeys(COLUMNS, pl.String) | {"weight": pl.Float64}
_MAX_STRATUM_CHARACTERS = 60
_MOST_HINTS = 20  # a nearest id is searched for among all documents
PROVIDED_SPLITS = ("train", "benchmark", "label")  # dev is drawn from train


def queries_from_rows(
    rows: Iterable[tuple[int, Mapping[str, Any]]], *, file: str, problems: list[Problem]
) -> ReadRows:
    """Every query of the file. `split` is one of PROVIDED_SPLITS, or NULL where the row has none."""
    queries, ids = [], DuplicateCheck()
    for line, row in rows:
        with costs_itself(problems, file, line):
            query_id = required_id(row, "query_id")
            text = required_text(row, "text", max_characters=MAX_QUERY_CHARACTERS)
            query = {
                "query_id": query_id,
                "text": text.strip(),
                "intent": optional_choice(row, "intent", INTENTS),
                "seed_doc_id": optional_id(row, "seed_doc_id"),
                "split": optional_choice(row, "split", PROVIDED_SPLITS),
                "weight": _weight(row.get("weight")),
                "stratum": optional_text(row, "stratum", max_characters=_MAX_STRATUM_CHARACTERS),
            }
            ids.add(query_id, f"query_id {query_id!r}", f"line {line}")
            queries.append(query)
    return ReadRows(pl.DataFrame(queries, schema=_SCHEMA), problems)


def _weight(value: Any) -> float | None:
    """The weight of a query; None without one. Raises SetAside unless it is a number above 0."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise SetAside(f"weight is {shown(value)}", "It is a number above 0, or left out.")
    return float(value)


def content_hash(
    text: str, intent: str | None, persona: str | None, seed_doc_id: str | None
) -> str:
    """SHA-256 of a query's text, intent, persona and seed document."""
    values = json.dumps([text, intent, persona, seed_doc_id], ensure_ascii=False)
    return hashlib.sha256(values.encode()).hexdigest()


def with_known_seeds(rows: ReadRows, doc_ids: pl.Series, *, file: str) -> ReadRows:
    """`rows` without seed documents that are not in `doc_ids`: each is a problem, and its query stays.

    A seed document may be written with the ending of its file.
    """
    frame = with_meant_ids(rows.frame, "seed_doc_id", doc_ids)
    seed_doc_id = pl.col("seed_doc_id")
    is_dangling = seed_doc_id.is_not_null() & ~seed_doc_id.is_in(doc_ids.implode())
    dangling = frame.filter(is_dangling).select("query_id", "seed_doc_id")
    problems = [
        Problem(
            file,
            None,
            f"query {query!r} has seed document {seed!r}, which is not in the corpus; the query is used "
            "without it.",
            f"{hint(seed, doc_ids) if n < _MOST_HINTS else ''}Correct seed_doc_id, or leave it out.",
        )
        for n, (query, seed) in enumerate(dangling.iter_rows())
    ]
    known = pl.when(~is_dangling).then(seed_doc_id)
    frame = frame.with_columns(seed_doc_id=known)
    return replace(rows, frame=frame, problems=rows.problems + problems)
