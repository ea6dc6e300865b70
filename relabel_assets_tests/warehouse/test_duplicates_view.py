"""The view of final grades that documents with the same text share."""

from typing import Any

import pytest

from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.warehouse.rows import HASH, complete

VIEW = "select query_id, doc_id, graded_as, grade from final_labels_of_all_documents order by all"


def put(warehouse: Warehouse, table: str, corpus: str, *rows: dict[str, Any]) -> None:
    warehouse.replace(table, corpus, complete(table, *rows), input_hash=HASH)


def document(doc_id: str, duplicate_of: str | None = None) -> dict[str, Any]:
    return {"doc_id": doc_id, "body": "t", "content_hash": HASH, "duplicate_of": duplicate_of}


def final(query_id: str, doc_id: str, grade: int) -> dict[str, Any]:
    pair = {"query_id": query_id, "doc_id": doc_id, "grade": grade, "expected_grade": grade}
    return pair | {"labeler": "student", "n_known": 0, "model_id": "m"}


@pytest.fixture
def labeled(warehouse: Warehouse) -> Warehouse:
    put(warehouse, "seed_docs", "one", document("a"), document("b", "a"), document("c", "a"))
    put(warehouse, "seed_docs", "two", document("a"), document("b"))
    put(warehouse, "final_labels", "one", final("q1", "a", 2), final("q2", "a", 0))
    put(warehouse, "final_labels", "two", final("q1", "b", 1))
    return warehouse


def test_documents_with_the_same_text_share_the_grade(labeled: Warehouse) -> None:
    assert labeled.query(VIEW).rows() == [
        ("q1", "a", "a", 2),
        ("q1", "b", "a", 2),
        ("q1", "b", "b", 1),  # of the other corpus, where b repeats nothing
        ("q1", "c", "a", 2),
        ("q2", "a", "a", 0),
        ("q2", "b", "a", 0),
        ("q2", "c", "a", 0),
    ]


def test_a_document_that_was_graded_itself_keeps_its_own_grade(labeled: Warehouse) -> None:
    pairs = [final("q1", "a", 2), final("q1", "b", 3)]
    put(labeled, "final_labels", "one", *pairs)
    rows = labeled.query(f"select * from ({VIEW}) where query_id = 'q1' and doc_id = 'b'").rows()
    assert rows == [("q1", "b", "b", 1), ("q1", "b", "b", 3)]
