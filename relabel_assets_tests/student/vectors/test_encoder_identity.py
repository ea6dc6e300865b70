"""The identity of an encoder: equal for what computes equal vectors, another for anything else."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from relabel_assets.student.folder import save_merged
from relabel_assets.student.runtime import precision
from relabel_assets.student.runtime.encoder import Encoder, load_encoder
from relabel_assets.student.vectors import encoder_identity as module
from relabel_assets.student.vectors.encoder_identity import encoder_identity
from relabel_assets_tests.student.tiny_models import save_encoder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("base"), "bert")


def load(base: Path, max_length: int = 64, dtype: str = "fp32") -> Encoder:
    return load_encoder(str(base), max_length=max_length, precision=dtype)


def test_a_base_that_a_student_saved_is_the_same_base(base: Path, tmp_path: Path) -> None:
    encoder = load(base)
    save_merged(encoder.model, encoder.tokenizer, tmp_path)
    assert encoder_identity(load(tmp_path)) == encoder_identity(encoder)


def test_what_was_encoded_before_does_not_change_the_identity(base: Path) -> None:
    encoder = load(base)
    encoder.encode(["parental leave"])
    encoder.tokenizer(["leave", "a longer text"], padding=True, truncation=True, max_length=3)
    encoder.known_identity = None
    assert encoder_identity(encoder) == encoder_identity(load(base))


def test_length_and_number_format_change_the_identity(base: Path) -> None:
    identities = {
        encoder_identity(load(base)),
        encoder_identity(load(base, max_length=63)),
        encoder_identity(load(base, dtype="bf16")),
    }
    assert len(identities) == 3


@pytest.mark.parametrize(
    "change", [{"max_length": 63}, {"inference": precision.InferenceCopy("bf16")}]
)
def test_a_setting_that_changes_in_a_copy_changes_its_identity(
    base: Path, change: dict[str, Any]
) -> None:
    encoder = load(base)
    before = encoder_identity(encoder)
    other = copy.copy(encoder)  # with what was known of the original
    vars(other).update(change)
    assert encoder_identity(other) != before


def test_a_trained_weight_changes_the_identity_of_the_same_object(base: Path) -> None:
    encoder = load(base)
    before = encoder_identity(encoder)
    with torch.no_grad():
        next(encoder.model.parameters())[0, 0] += 1e-6
    assert encoder_identity(encoder) != before


def test_another_model_in_the_same_encoder_has_an_identity_of_its_own(base: Path) -> None:
    encoder = load(base)
    before = encoder_identity(encoder)
    encoder.model = copy.deepcopy(encoder.model)
    encoder.model.embeddings.word_embeddings.weight.data[5] *= -1  # type: ignore[union-attr, index, operator]
    assert encoder_identity(encoder) != before


def test_a_setting_of_the_model_changes_the_identity(base: Path) -> None:
    encoder: Any = load(base)
    before = encoder_identity(encoder)
    encoder.model.config.layer_norm_eps *= 2
    encoder.known_identity = None
    assert encoder_identity(encoder) != before


def test_another_word_piece_changes_the_identity(base: Path) -> None:
    encoder = load(base)
    before = encoder_identity(encoder)
    encoder.tokenizer.add_tokens(["parental"])
    encoder.known_identity = None
    assert encoder_identity(encoder) != before


@pytest.mark.parametrize("constant", ["_ENCODING", "LAYOUT"])
def test_a_change_of_code_that_is_counted_up_changes_the_identity(
    base: Path, monkeypatch: pytest.MonkeyPatch, constant: str
) -> None:
    before = encoder_identity(load(base))
    monkeypatch.setattr(module, constant, getattr(module, constant) + 1)
    assert encoder_identity(load(base)) != before


@pytest.mark.parametrize("name", ["version", "can_fuse"])
def test_other_libraries_and_other_layers_change_the_identity(
    base: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = encoder_identity(load(base))
    others: dict[str, Any] = {
        "version": lambda library: "0.1",
        "can_fuse": lambda model, dtype: not precision.can_fuse(model, dtype),
    }
    monkeypatch.setattr(module, name, others[name])
    assert encoder_identity(load(base)) != before


def test_a_tokenizer_that_cannot_be_hashed_has_no_identity(base: Path) -> None:
    encoder = load(base)
    encoder.tokenizer = object()  # type: ignore[assignment]
    assert encoder_identity(encoder) is None
