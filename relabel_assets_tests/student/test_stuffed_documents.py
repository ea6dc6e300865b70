"""Stuffed documents: irrelevant ones, which carry the query's words, from the training pairs alone."""

import random

import polars as pl
import pytest

from relabel_assets.student.hardening import stuffed_documents
from relabel_assets.student.hardening.stuffed_documents import KINDS, stuffed_pairs
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

QUERY = "parental leave"


def pairs(n_queries: int = 12) -> pl.DataFrame:
    """Query n has a document of grade 3, one of grade 1 and one of grade 0; bodies name their document."""
    rows = [
        {
            "query_id": f"q{q}",
            "text": f"subject{q} rules",
            "doc_id": f"d{q}-{grade}",
            "grade": grade,
            **dict.fromkeys(DOCUMENT_COLUMNS),
            "title": f"title{q}",
            "body": f"Body of d{q}-{grade}. It has two sentences.",
            "split": "train",
        }
        for q in range(n_queries)
        for grade in (3, 1, 0)
    ]
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(DOCUMENT_COLUMNS, pl.String))


def original(body: str) -> str:
    (name,) = (row for row in pairs()["doc_id"] if f"{row}." in body)
    return name


def test_a_query_gets_grade_0_and_no_document_that_has_a_grade_above_0_for_it() -> None:
    stuffed = stuffed_pairs(pairs(), seed=13)
    assert set(stuffed["grade"]) == {0}
    for query_id, body in stuffed.select("query_id", "body").rows():
        document = original(body)
        assert not document.startswith(f"d{query_id[1:]}-") or document.endswith("-0")


def test_documents_are_drawn_from_the_querys_grade_0_and_from_other_queries() -> None:
    stuffed = stuffed_pairs(pairs(), seed=13)
    is_own = [
        original(body).startswith(f"d{query_id[1:]}-")
        for query_id, body in stuffed.select("query_id", "body").rows()
    ]
    assert 0.3 < sum(is_own) / len(is_own) < 0.7


def test_few_queries_get_eight_each_and_of_many_some_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = stuffed_pairs(pairs(12), seed=13)["query_id"].value_counts()["count"]
    assert set(counts) == {8}
    monkeypatch.setattr(stuffed_documents, "_N_DOCUMENTS", 12)
    assert set(stuffed_pairs(pairs(12), seed=13)["query_id"].value_counts()["count"]) == {1}
    monkeypatch.setattr(stuffed_documents, "_N_DOCUMENTS", 1)
    assert stuffed_pairs(pairs(12), seed=13).height == 1, "of many queries, some are drawn"


def test_the_seed_decides_and_the_order_of_pairs_does_not() -> None:
    one = stuffed_pairs(pairs(), seed=13)
    assert one.equals(stuffed_pairs(pairs().reverse(), seed=13))
    assert not one.equals(stuffed_pairs(pairs(), seed=14))
    assert one["doc_id"].n_unique() == one.height


def test_without_an_irrelevant_document_there_is_none() -> None:
    assert stuffed_pairs(pairs(1).filter(pl.col("grade") > 0), seed=13).is_empty()
    assert stuffed_pairs(pairs().clear(), seed=13).is_empty()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_carries_the_query_and_keeps_the_document(kind: str) -> None:
    document = {"title": "Badges", "body": "One sentence. Another one."}
    KINDS[kind](QUERY, document, random.Random(13))
    text = f"{document['title']} {document['body']}".lower()
    assert all(word in text for word in QUERY.split())
    assert "sentence" in document["body"]
    assert (document["title"] == "Badges") == (kind != "title")


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_of_no_words_and_a_query_of_braces_can_be_stuffed(kind: str) -> None:
    document = {"title": None, "body": None}
    KINDS[kind]("{x} {0}", document, random.Random(13))
    assert "{x}" in f"{document['title']} {document['body']}".lower()
