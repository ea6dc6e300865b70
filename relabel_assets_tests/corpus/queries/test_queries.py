"""Provided queries, row by row, and the hash of a query."""

from typing import Any

import polars as pl
import pytest

from relabel_assets.corpus.queries.queries import (
    COLUMNS,
    content_hash,
    queries_from_rows,
    with_known_seeds,
)
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.errors import Problem


def read(*rows: dict[str, Any]) -> tuple[ReadRows, list[Problem]]:
    problems: list[Problem] = []
    queries = queries_from_rows(enumerate(rows, start=1), file="queries.jsonl", problems=problems)
    return queries, problems


def test_a_query_has_text_and_may_have_intent_seed_and_split() -> None:
    queries, problems = read(
        {
            "query_id": "q1",
            "text": " leave ",
            "intent": "keyword",
            "seed_doc_id": "d1",
            "split": "train",
        },
        {"query_id": 2, "text": "pay", "persona": "ignored"},
    )
    assert problems == []
    assert queries.frame.columns == list(COLUMNS)
    assert queries.frame.rows() == [
        ("q1", "leave", "keyword", "d1", "train", None, None),
        ("2", "pay", None, None, None, None, None),
    ]


def test_a_seed_document_may_be_a_number() -> None:
    assert (
        read({"query_id": "q", "text": "x", "seed_doc_id": 7})[0].frame["seed_doc_id"].item() == "7"
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x"}, "query_id is missing"),
        ({"query_id": "q"}, "text is missing"),
        ({"query_id": "q", "text": 7}, "text is 7"),
        ({"query_id": "q", "text": "x", "intent": "Keyword"}, "intent is 'Keyword'"),
        # dev is drawn from train by the project: a corpus cannot choose it
        ({"query_id": "q", "text": "x", "split": "dev"}, "split is 'dev'"),
        ({"query_id": "q", "text": "x", "seed_doc_id": ["d1"]}, "seed_doc_id is"),
    ],
)
def test_a_malformed_row_is_a_problem(row: dict[str, Any], message: str) -> None:
    queries, problems = read({"query_id": "q0", "text": "first"}, row)
    assert queries.frame["query_id"].to_list() == ["q0"]
    assert problems[0].line == 2
    assert message in problems[0].message


def test_the_first_of_two_queries_with_one_id_is_used() -> None:
    queries, problems = read({"query_id": "q", "text": "one"}, {"query_id": "q", "text": "two"})
    assert queries.frame["text"].to_list() == ["one"]
    assert "came before, in line 1" in problems[0].message


def test_a_query_with_an_unknown_seed_document_loses_the_seed_and_stays() -> None:
    rows, _ = read(
        {"query_id": "q1", "text": "a", "seed_doc_id": "hr/leave"},
        {"query_id": "q2", "text": "b", "seed_doc_id": "hr/leve"},
        {"query_id": "q3", "text": "c"},
        {"query_id": "q4", "text": "d", "seed_doc_id": "hr/leave.md"},
        {"query_id": "q5", "text": "e", "seed_doc_id": "zzz"},
    )
    known_seeds = with_known_seeds(rows, pl.Series(["hr/leave"]), file="queries.jsonl")
    assert known_seeds.frame.select("query_id", "seed_doc_id").rows() == [
        ("q1", "hr/leave"),
        ("q2", None),
        ("q3", None),
        ("q4", "hr/leave"),
        ("q5", None),
    ]
    near, far = known_seeds.problems
    assert "'q2'" in near.message and "'hr/leve'" in near.message
    assert near.remedy.startswith("Did you mean 'hr/leave'?")
    assert far.remedy == "Correct seed_doc_id, or leave it out."


def test_the_hash_covers_text_intent_persona_and_seed() -> None:
    """Pinned: a new hash of the same query would mark its labels as changed."""
    base = ("parental leave", "keyword", None, "d1")
    assert content_hash(*base) == "7417c265288e379d5ae0ca928de922f01525ffb74de76a6b5139ceaf483c5700"
    variants = [
        ("leave", "keyword", None, "d1"),
        ("parental leave", "question", None, "d1"),
        ("parental leave", "keyword", "a new employee", "d1"),
        ("parental leave", "keyword", None, None),
    ]
    assert len({content_hash(*values) for values in [base, *variants]}) == 5


def test_texts_and_ids_are_nfc() -> None:
    decomposed = {"query_id": "cafe\u0301", "text": "cafe\u0301", "seed_doc_id": "cafe\u0301"}
    row = read(decomposed)[0].frame.row(0, named=True)
    assert (row["query_id"], row["text"], row["seed_doc_id"]) == ("caf\u00e9",) * 3
