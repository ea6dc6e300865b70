"""Metadata that heads the text of documents, by the setting documents.show."""

from pathlib import Path

import polars as pl

from relabel_assets_tests.corpus.files import folder, lines

ROWS = lines(
    {"doc_id": "d1", "body": "Ask HR.", "product": "x\ny", "tags": ["a", "b"], "n": 2},
    {"doc_id": "d2", "body": "Ask IT."},
)


def read(tmp_path: Path, settings: str) -> tuple[pl.DataFrame, list[str]]:
    reading = folder(tmp_path, {"documents.jsonl": ROWS, "corpus.yaml": settings}).documents()
    return reading.frame, reading.notes


def test_listed_keys_head_the_text_in_the_order_of_the_setting(tmp_path: Path) -> None:
    plain, _ = read(tmp_path, "")
    shown, notes = read(tmp_path, "documents: {show: [tags, product, n]}")
    assert shown["body"].to_list() == ["tags: a, b\nproduct: x y\nn: 2\nAsk HR.", "Ask IT."]
    changed = (shown["content_hash"] != plain["content_hash"]).to_list()
    assert changed == [True, False]
    assert notes == []
    assert shown["metadata"].to_list() == plain["metadata"].to_list()


def test_without_the_setting_no_text_and_no_hash_changes(tmp_path: Path) -> None:
    plain, _ = read(tmp_path, "")
    assert plain["body"].to_list() == ["Ask HR.", "Ask IT."]
    assert plain.equals(read(tmp_path, "documents: {show: []}")[0])


def test_a_key_that_no_document_has_is_named_with_the_nearest(tmp_path: Path) -> None:
    _, notes = read(tmp_path, "documents: {show: [prodct]}")
    (note,) = notes
    assert "'prodct'" in note and "Did you mean 'product'?" in note
