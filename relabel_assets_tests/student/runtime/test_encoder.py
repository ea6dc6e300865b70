"""The encoder on a tiny model: long texts, padding, special tokens, folders without a model."""

from pathlib import Path

import pytest
import torch

from relabel_assets.errors import StudentError
from relabel_assets.student.runtime.encoder import Encoder, load_encoder
from relabel_assets_tests.student.tiny_models import save_encoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = save_encoder(tmp_path_factory.mktemp("base"), "bert")
    return load_encoder(str(folder), max_length=16, precision="fp32")


def test_a_text_over_max_length_is_encoded_in_pieces_and_no_token_is_lost(encoder: Encoder) -> None:
    text = "parental leave and travel expenses " * 10
    (ids,) = encoder.token_ids([text])
    pieces = encoder.pieces(ids)
    assert {piece[0] for piece in pieces} == {ids[0]}, "each begins with [CLS]"
    assert {piece[-1] for piece in pieces} == {ids[-1]}, "each ends with [SEP]"
    assert max(map(len, pieces)) == 16
    assert [i for piece in pieces for i in piece[1:-1]] == ids[1:-1]
    (vectors,) = encoder.encode([text])
    assert vectors.shape == (len(ids) - 2, encoder.width)


def test_vectors_have_length_one_and_do_not_depend_on_the_other_texts(encoder: Encoder) -> None:
    texts = ["laptop repair", "visitor badges for guests of the house", "leave"]
    together = encoder.encode(texts)
    for text, vectors in zip(texts, together, strict=True):
        assert torch.allclose(vectors.norm(dim=-1), torch.ones(len(vectors)), atol=1e-5)
        assert torch.allclose(encoder.encode([text])[0], vectors, atol=1e-5)


def test_an_empty_text_has_the_vectors_of_its_special_tokens(encoder: Encoder) -> None:
    (vectors,) = encoder.encode([""])
    assert len(vectors) == 2


def test_progress_reports_every_row(encoder: Encoder) -> None:
    reports: list[tuple[int, int]] = []
    encoder.encode(["leave"] * 5, progress=lambda *report: reports.append(report))
    assert reports[-1] == (5, 5)


def test_max_length_is_at_most_the_models_maximum(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path, "bert", room=39)
    assert load_encoder(str(folder), max_length=512).max_length == 39
    assert load_encoder(str(folder), max_length=20).max_length == 20


def test_a_folder_without_a_model_is_refused_with_the_allowed_base_models(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="`base_model` must be 'embedded', a folder"):
        load_encoder(str(tmp_path), max_length=16)
