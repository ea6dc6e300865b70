"""Encoded documents: windows, words, bigrams and header tokens."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from relabel_assets.student.late_interaction.documents import EncodedDocument, encode_documents
from relabel_assets.student.runtime.encoder import Encoder, load_encoder
from relabel_assets_tests.student.tiny_models import save_encoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    base: Path = save_encoder(tmp_path_factory.mktemp("base"), "bert")
    return load_encoder(str(base), max_length=512, precision="fp32")


def test_a_window_vector_is_the_unit_mean_of_its_tokens_by_hand() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.28, 0.96], [0.6, -0.8]])
    none: frozenset[int] = frozenset()
    document = EncodedDocument(vectors, [2, 1], 0, {}, frozenset(), none, none)
    # The mean (.64, .48) has length .8.
    assert document.window_vectors.flatten().tolist() == pytest.approx([0.8, 0.6, 0.6, -0.8])


def test_words_are_those_of_header_and_body_and_bigrams_do_not_cross(encoder: Encoder) -> None:
    row = {"title": "travel", "author": "visitor", "body": "laptop repair laptop"}
    (document,) = encode_documents(encoder, [row])
    title, header, body = (
        encoder.words([text])[0] for text in ("travel", "travel | visitor", row["body"])
    )
    assert document.n_words == len(header) + len(body)
    assert document.title_words == set(title)
    assert document.header_words == set(header)
    neighbours = {*pairwise(header), *pairwise(body)}
    assert document.bigrams == neighbours
    assert (header[-1], body[0]) not in document.bigrams
    assert all(document.word_counts[word] >= body.count(word) for word in body)


def test_every_window_has_the_header_and_its_tokens_are_counted_once(
    encoder: Encoder,
) -> None:
    row = {"title": "travel expenses", "body": "word " * 170}
    (document,) = encode_documents(encoder, [row])
    n_header = len(encoder.words(["travel expenses"])[0])
    assert len(document.window_lengths) == 3
    assert sum(document.window_lengths) == len(document.token_vectors)
    assert document.n_header_tokens == n_header
    (bare,) = encode_documents(encoder, [{"body": "word"}])
    assert bare.n_header_tokens == 0


def test_a_batch_of_documents_is_encoded_as_each_alone(encoder: Encoder) -> None:
    rows = [
        {"title": "travel", "body": "expenses " * 100},
        {"body": "leave"},
        {"title": None, "body": None},
    ]
    for together, row in zip(encode_documents(encoder, rows), rows, strict=True):
        (alone,) = encode_documents(encoder, [row])
        assert torch.allclose(together.token_vectors, alone.token_vectors, atol=1e-5)
        assert (together.word_counts, together.bigrams) == (alone.word_counts, alone.bigrams)


def test_special_tokens_written_in_a_header_do_not_count_as_header_tokens(encoder: Encoder) -> None:
    (document,) = encode_documents(encoder, [{"title": "[SEP]" * 50, "body": "leave"}])
    assert document.n_header_tokens == len(document.token_vectors) < 50
