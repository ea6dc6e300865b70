"""The key of a document's text, and a document as bytes and back."""

from collections import Counter
from typing import Any

import pytest
import torch

from relabel_assets.student import windows as cutting
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.vectors import packed_document
from relabel_assets.student.vectors.packed_document import document_key, packed, unpacked

DOCUMENT: dict[str, Any] = {
    "title": "Leave",
    "author": "Ana",
    "path": "hr/leave.md",
    "doc_type": "policy",
    "updated_at": "2026-01-01",
    "body": "Sixteen weeks. " * 100,
}


@pytest.mark.parametrize("column", DOCUMENT)
def test_each_text_that_is_tokenized_changes_the_key(column: str) -> None:
    for other in ("changed", "", None):
        assert document_key(DOCUMENT) != document_key(DOCUMENT | {column: other})


def test_a_title_beyond_the_header_and_spaces_in_the_body_change_the_key() -> None:
    # Both are tokenized as they are: the title for its words, the body for its pairs of words.
    long = "word " * 100
    assert document_key({"title": long + "a"}) != document_key({"title": long + "b"})
    assert document_key({"body": "a b"}) != document_key({"body": "a  b"})


def test_a_column_that_no_model_reads_does_not_change_the_key() -> None:
    assert document_key(DOCUMENT) == document_key(DOCUMENT | {"doc_id": "d2", "grade": 3})


def test_text_that_moves_between_title_and_body_changes_the_key() -> None:
    keys = {
        document_key({"title": "a b", "body": "c"}),
        document_key({"title": "a", "body": "b c"}),
    }
    assert len(keys) == 2


def test_a_character_behind_the_last_one_that_is_read_does_not_change_the_key() -> None:
    body = "x" * cutting.BODY_CHARACTERS
    assert document_key({"body": body}) == document_key({"body": body + "y"})
    assert document_key({"body": body}) != document_key({"body": body[:-1] + "y"})


def test_other_windows_change_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = document_key(DOCUMENT)
    monkeypatch.setattr(cutting, "WINDOW_WORDS", 79)
    assert document_key(DOCUMENT) != before


def test_a_lone_surrogate_has_a_key() -> None:
    assert len(document_key({"body": "\ud800"})) == 32


def document(n_tokens: int = 5, width: int = 3) -> EncodedDocument:
    vectors = torch.nn.functional.normalize(torch.randn(n_tokens, width), dim=-1)
    lengths = [n_tokens - 2, 2] if n_tokens > 2 else [n_tokens]
    return EncodedDocument(
        token_vectors=vectors,
        window_lengths=lengths,
        n_header_tokens=1,
        word_counts=Counter({7: 2, 30_521: 1}),
        bigrams=frozenset({(7, 30_521), (7, 7)}),
        title_words=frozenset({7}),
        header_words=frozenset({7, 11}),
    )


def test_words_and_lengths_come_back_as_they_were() -> None:
    one = document()
    again = unpacked(packed(one))
    for name in ("window_lengths", "n_header_tokens", "word_counts", "bigrams", "n_words"):
        assert getattr(again, name) == getattr(one, name), name
    assert (again.title_words, again.header_words) == (one.title_words, one.header_words)


def test_vectors_come_back_rounded_and_are_of_unit_length() -> None:
    one = document(width=384)
    again = unpacked(packed(one))
    assert torch.allclose(again.token_vectors, one.token_vectors, atol=1e-3)
    assert not torch.equal(again.token_vectors, one.token_vectors)
    assert torch.allclose(again.token_vectors.norm(dim=1), torch.ones(5))
    assert again.window_vectors.shape == (2, 384)


def test_a_document_without_words_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    none: frozenset[int] = frozenset()
    empty = EncodedDocument(torch.ones(1, 1), [1], 0, {}, frozenset(), none, none)
    again = unpacked(packed(empty))
    assert (again.word_counts, again.bigrams, again.n_words) == ({}, frozenset(), 0)


def test_a_document_takes_a_byte_a_value_and_little_more() -> None:
    one = document(n_tokens=100, width=384)
    assert 100 * 384 <= len(packed(one)) <= 100 * (384 + 4) + 100


def test_the_layout_has_the_bytes_of_its_version() -> None:
    """If this fails, stored documents cannot be read any more: count LAYOUT up."""
    none: frozenset[int] = frozenset()
    east = torch.tensor([[1.0, 0.0]])
    content = packed(EncodedDocument(east, [1], 1, {7: 2}, frozenset({(7, 7)}), none, none))
    assert packed_document.LAYOUT == 1
    sizes = "01000000 02000000 01000000 01000000 00000000 00000000 01000000 01000000"
    arrays = "01000000 07000000 02000000 07000000 07000000 0402013c 7f 00"
    assert content.hex(" ", 4).replace(" ", "") == f"{sizes} {arrays}".replace(" ", "")
