"""Provided queries: rows of queries.jsonl, and the hash of what a query says.

What belongs here: what makes a row a query. What does not: which split it ends in (splits.py), and writing queries
(synthesis.py).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import (
    Reading,
    Seen,
    SetAside,
    optional_choice,
    optional_text,
    required_id,
    required_text,
)
from relabel_assets.errors import Problem
from relabel_assets.tables.tables import INTENTS

COLUMNS = ("query_id", "text", "intent", "seed_doc_id", "split")
_BEIR_NAMES = {"_id": "query_id"}


def queries_from_rows(rows: Iterable[tuple[int, Mapping[str, Any]]], *, file: str, problems: list[Problem]) -> Reading:
    """Every query of the file; `split` is train, benchmark or NULL where the row does not say."""
    found, seen = [], Seen()
    for line, row in rows:
        try:
            named = {_BEIR_NAMES.get(name, name): value for name, value in row.items()}
            query_id = required_id(named, "query_id")
            seed = named.get("seed_doc_id")
            query = {
                "query_id": query_id,
                "text": required_text(named, "text").strip(),
                "intent": optional_choice(named, "intent", INTENTS),
                "seed_doc_id": str(seed) if isinstance(seed, int) else optional_text(named, "seed_doc_id"),
                "split": optional_choice(named, "split", ("train", "benchmark")),
            }
            seen.add(query_id, f"query_id {query_id!r}", f"line {line}")
            found.append(query)
        except SetAside as error:
            problems.append(Problem(file, line, error.message, error.remedy))
    return Reading(pl.DataFrame(found, schema=dict.fromkeys(COLUMNS, pl.String)), problems)


def content_hash(text: str, intent: str | None, persona: str | None, seed_doc_id: str | None) -> str:
    """SHA-256 of what a query says and where it comes from."""
    return hashlib.sha256(json.dumps([text, intent, persona, seed_doc_id], ensure_ascii=False).encode()).hexdigest()


def with_known_seeds(reading: Reading, doc_ids: pl.Series, *, file: str) -> Reading:
    """`reading` without the queries whose seed document is not in `doc_ids`; each is noted."""
    is_dangling = pl.col("seed_doc_id").is_not_null() & ~pl.col("seed_doc_id").is_in(doc_ids.implode())
    dangling = reading.frame.filter(is_dangling)
    notes = [
        Problem(
            file,
            None,
            f"query {query!r} has seed document {seed!r}, which is not in the corpus.",
            "Mend seed_doc_id, or leave it out.",
        )
        for query, seed in dangling.select("query_id", "seed_doc_id").iter_rows()
    ]
    return Reading(reading.frame.filter(~is_dangling), reading.problems + notes)
