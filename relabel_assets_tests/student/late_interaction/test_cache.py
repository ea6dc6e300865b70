"""The document cache, the store behind it, and the chunks of documents and pairs."""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from cachetools import LRUCache

from relabel_assets.progress import silent
from relabel_assets.student.late_interaction import cache as module
from relabel_assets.student.late_interaction.cache import (
    document_cache,
    get_or_compute,
    iter_encoded_documents,
    iter_pair_chunks,
)
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.runtime.encoder import Encoder, load_encoder
from relabel_assets.student.vectors.store import VectorStore, stored_files
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
from relabel_assets_tests.student.tiny_models import save_encoder

NONE: frozenset[int] = frozenset()
ENCODER: Any = None  # documents are encoded by `calls`


def encoded(n_bytes: int = 8) -> EncodedDocument:
    vectors = torch.zeros(n_bytes // 4, 1)
    return EncodedDocument(vectors, [len(vectors)], 0, {}, frozenset(), NONE, NONE)


def pairs(*doc_ids: str, **columns: str) -> pl.DataFrame:
    frame = pl.DataFrame({"doc_id": doc_ids, "text": [f"query {n}" for n in range(len(doc_ids))]})
    texts = {name: columns.get(name) for name in DOCUMENT_COLUMNS} | {
        "body": columns.get("body", "")
    }
    frame = frame.with_columns(pl.lit(text, pl.String).alias(name) for name, text in texts.items())
    return frame.with_columns(title="doc_id") if "title" not in columns else frame


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The titles of the documents of each call of the encoder."""
    titles: list[list[str]] = []

    def encode(
        encoder: object,
        documents: Sequence[Mapping[str, Any]],
        progress: Callable[[int, int], None],
    ) -> list[EncodedDocument]:
        progress(1, 2)  # half of the chunk
        titles.append([document["title"] for document in documents])
        return [encoded() for _ in documents]

    monkeypatch.setattr(module, "encode_documents", encode)
    return titles


def doc_ids(frame: pl.DataFrame, cache: module.DocumentCache | None = None) -> list[str]:
    return [doc_id for doc_id, _ in iter_encoded_documents(ENCODER, frame, silent, cache)]


def test_each_document_is_yielded_once_in_the_order_of_pairs(calls: list[list[str]]) -> None:
    assert doc_ids(pairs("b", "a", "b", "c")) == ["b", "a", "c"]
    assert calls == [["b", "a", "c"]]


def test_a_chunk_has_a_maximum_number_of_documents(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DOCUMENTS_PER_CHUNK", 2)
    doc_ids(pairs("a", "b", "c", "d", "e"))
    assert calls == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(6, [["a", "b"], ["c"]]), (5, [["a"], ["b"], ["c"]]), (1, [["a"], ["b"], ["c"]])],
)
def test_a_chunk_has_a_maximum_number_of_characters_and_at_least_one_document(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, limit: int, expected: list[list[str]]
) -> None:
    monkeypatch.setattr(module, "_CHARACTERS_PER_CHUNK", limit)
    doc_ids(pairs("a", "b", "c", body="xx"))  # three characters with the title
    assert calls == expected


def test_a_document_is_encoded_only_when_it_is_requested(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DOCUMENTS_PER_CHUNK", 1)
    documents = iter_encoded_documents(ENCODER, pairs("a", "b"), silent)
    next(documents)
    assert calls == [["a"]]


def test_cached_documents_are_not_encoded_again(calls: list[list[str]]) -> None:
    cache = document_cache()
    assert doc_ids(pairs("a", "b"), cache) == ["a", "b"]
    assert doc_ids(pairs("b", "c", "a"), cache) == ["b", "c", "a"]
    assert calls == [["a", "b"], ["c"]]


@pytest.mark.parametrize("column", DOCUMENT_COLUMNS)
def test_a_changed_column_makes_another_document(calls: list[list[str]], column: str) -> None:
    cache = document_cache()
    doc_ids(pairs("a", **{column: "before"}), cache)
    doc_ids(pairs("a", **{column: "after"}), cache)
    assert len(calls) == 2


def test_the_same_text_in_title_or_body_is_another_document(calls: list[list[str]]) -> None:
    cache = document_cache()
    doc_ids(pairs("a", title="x", body=""), cache)
    doc_ids(pairs("a", title="", body="x"), cache)
    assert len(calls) == 2


def test_documents_with_the_same_texts_are_encoded_once(calls: list[list[str]]) -> None:
    # The header is the same line, whichever column its last part is from.
    frame = pl.concat([pairs("a", title="t", author="x"), pairs("b", title="t", path="x")])
    assert doc_ids(frame) == ["a", "b"]
    assert calls == [["t"]]


def test_the_least_recently_used_document_is_evicted_first(
    calls: list[list[str]],
) -> None:
    cache = document_cache(max_bytes=16)  # two documents of 8 bytes
    doc_ids(pairs("a", "b"), cache)
    doc_ids(pairs("a"), cache)  # b was used longer ago now
    doc_ids(pairs("c"), cache)
    assert (len(cache), cache.currsize) == (2, 16)
    del calls[:]
    doc_ids(pairs("a"), cache)
    doc_ids(pairs("b"), cache)
    assert calls == [["b"]]


@pytest.mark.parametrize(("max_bytes", "n_kept"), [(8, 1), (7, 0), (0, 0)])
def test_a_document_larger_than_the_cache_is_encoded_and_not_cached(
    calls: list[list[str]], max_bytes: int, n_kept: int
) -> None:
    cache = document_cache(max_bytes)
    assert doc_ids(pairs("a"), cache) == ["a"]
    assert len(cache) == n_kept


def test_cache_keys_have_a_fixed_length(calls: list[list[str]]) -> None:
    cache = document_cache()
    doc_ids(pairs("a", body="word " * 100_000), cache)
    assert [len(key) for key in cache] == [32]


def test_progress_is_reported_within_and_after_each_chunk(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DOCUMENTS_PER_CHUNK", 2)
    reports: list[tuple[int, int]] = []

    def progress(step: str, done: int, total: int, note: str = "") -> None:
        reports.append((done, total))

    list(iter_encoded_documents(ENCODER, pairs("a", "b", "c"), progress))
    assert reports == [(1, 3), (2, 3), (2, 3), (3, 3)]


def rows(frame: pl.DataFrame, *order: str) -> list[list[int]]:
    documents = [(doc_id, encoded()) for doc_id in order]
    return [[row for row, _, _ in chunk] for chunk in iter_pair_chunks(documents, frame)]


def test_pairs_of_a_document_are_neighbours_and_every_row_comes_once() -> None:
    assert rows(pairs("a", "b", "a", "c"), "a", "b", "c") == [[0, 2, 1, 3]]


def test_documents_without_a_pair_are_skipped() -> None:
    assert rows(pairs("a"), "x", "a", "y") == [[0]]
    assert rows(pairs("a"), "x") == []


def test_a_chunk_has_a_maximum_number_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS_PER_CHUNK", 2)
    assert rows(pairs("a", "a", "a"), "a") == [[0, 1], [2]]
    assert rows(pairs("a", "a"), "a") == [[0, 1]]


def test_a_chunk_ends_at_the_maximum_number_of_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOCUMENTS_PER_CHUNK", 2)
    assert rows(pairs("a", "b", "c"), "a", "b", "c") == [[0, 1], [2]]
    assert rows(pairs("c"), "a", "b", "c") == [[0]]


def test_missing_values_are_computed_in_one_call_each_text_once() -> None:
    computed: list[list[str]] = []
    cache: LRUCache[str, str] = LRUCache(10)

    def compute(texts: list[str]) -> list[str]:
        computed.append(texts)
        return [text.upper() for text in texts]

    assert get_or_compute(["b", "a", "b"], cache, compute) == ["B", "A", "B"]
    assert get_or_compute(["a", "c"], cache, compute) == ["A", "C"]
    assert get_or_compute(["a"], cache, compute) == ["A"]
    assert computed == [["b", "a"], ["c"]]


def test_more_texts_than_the_cache_holds_all_get_values() -> None:
    cache: LRUCache[str, str] = LRUCache(1)
    texts = ["a", "b", "c"]
    assert get_or_compute(texts, cache, lambda missing: [t.upper() for t in missing]) == [
        "A",
        "B",
        "C",
    ]
    assert list(cache) == ["c"]


# The store on disk


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(str(save_encoder(tmp_path_factory.mktemp("base"), "bert")), 64, "fp32")


def read(encoder: Encoder, frame: pl.DataFrame, store: VectorStore) -> dict[str, EncodedDocument]:
    return dict(iter_encoded_documents(encoder, frame, silent, store=store))


def are_equal(one: EncodedDocument, other: EncodedDocument) -> bool:
    words = all(
        getattr(one, name) == getattr(other, name)
        for name in ("window_lengths", "n_header_tokens", "word_counts", "bigrams")
    )
    return words and torch.equal(one.token_vectors, other.token_vectors)


def test_a_document_of_the_store_is_not_encoded_and_equals_a_fresh_one_to_the_last_bit(
    encoder: Encoder, tmp_path: Path
) -> None:
    frame = pairs("a", "b", body="parental leave " * 100)
    stores = [VectorStore(tmp_path), VectorStore(tmp_path), VectorStore()]
    kept, from_store, fresh = (read(encoder, frame, store) for store in stores)
    counts = [
        (store.counts["documents_read"], store.counts["documents_from_store"]) for store in stores
    ]
    assert counts == [(2, 0), (0, 2), (2, 0)]
    for doc_id in ("a", "b"):
        assert are_equal(kept[doc_id], from_store[doc_id])
        assert are_equal(kept[doc_id], fresh[doc_id])


def test_new_documents_alone_are_encoded(encoder: Encoder, tmp_path: Path) -> None:
    read(encoder, pairs("a", "b"), VectorStore(tmp_path))
    store = VectorStore(tmp_path)
    together = read(encoder, pairs("a", "c", "b"), store)
    assert list(together) == ["a", "c", "b"]
    assert store.counts == {"documents_read": 1, "documents_from_store": 2}


def test_a_document_in_memory_is_counted_once(encoder: Encoder, tmp_path: Path) -> None:
    store, cache = VectorStore(tmp_path), document_cache()
    for _ in range(3):
        list(iter_encoded_documents(encoder, pairs("a"), silent, cache, store))
    assert store.counts == {"documents_read": 1, "documents_from_store": 0}


def test_another_encoder_reads_for_itself(encoder: Encoder, tmp_path: Path) -> None:
    read(encoder, pairs("a"), VectorStore(tmp_path))
    store, shorter = VectorStore(tmp_path), copy.copy(encoder)
    shorter.max_length = 8
    read(shorter, pairs("a"), store)
    assert store.counts["documents_read"] == 1


def test_documents_of_a_damaged_segment_are_encoded_again(encoder: Encoder, tmp_path: Path) -> None:
    before = read(encoder, pairs("a", "b"), VectorStore(tmp_path))
    (file,) = stored_files(tmp_path)
    content = bytearray(file.path.read_bytes())
    content[-1] ^= 1  # in the vectors of b
    file.path.write_bytes(content)
    store = VectorStore(tmp_path)
    after = read(encoder, pairs("a", "b"), store)
    assert store.counts == {"documents_read": 1, "documents_from_store": 1}
    assert all(are_equal(before[doc_id], after[doc_id]) for doc_id in ("a", "b"))


def test_what_was_read_before_an_interruption_is_kept(encoder: Encoder, tmp_path: Path) -> None:
    documents = iter_encoded_documents(encoder, pairs("a"), silent, store=VectorStore(tmp_path))
    next(documents)
    documents.close()
    store = VectorStore(tmp_path)
    read(encoder, pairs("a"), store)
    assert store.counts["documents_from_store"] == 1


def test_progress_says_how_many_came_from_the_store(encoder: Encoder, tmp_path: Path) -> None:
    read(encoder, pairs("a"), VectorStore(tmp_path))
    reports: list[tuple[str, str]] = []

    def progress(step: str, done: int, total: int, note: str = "") -> None:
        reports.append((step, note))

    frame, store = pairs("a", "b"), VectorStore(tmp_path)
    list(iter_encoded_documents(encoder, frame, progress, store=store, noun="stuffed documents"))
    assert reports[-1] == ("reading stuffed documents", "1 from the store")
    assert store.counts == {"stuffed_documents_read": 1, "stuffed_documents_from_store": 1}
