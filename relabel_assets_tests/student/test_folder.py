"""A student's folder: its settings, its card, and the adapter beside the merged model."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertModel

from relabel_assets.errors import StudentError
from relabel_assets.student.folder import ADAPTER, Settings, model_card, read_settings, save_merged
from relabel_assets.student.training.fit import with_lora
from relabel_assets_tests.student.tiny_models import save_encoder

pytestmark = pytest.mark.slow

SETTINGS = {
    "model_id": "4f1c",
    "base_model": "embedded",
    "architecture": "cross_encoder",
    "method": "lora",
    "max_length": 192,
    "n_grades": 4,
    "calibration": {"slope": 1.0, "thresholds": [0.0, 1.0, 2.0]},
    "cut_points": [0.5, 1.5, 2.5],
    "training_set_hash": "0" * 64,
    "seed": 13,
    "n_train_pairs": 900,
    "n_dev_pairs": 0,
    "best_epoch": 3,
    "figures": {"ndcg_at_10": 0.71234, "kappa_quadratic": None},
}


def test_settings_of_an_earlier_version_get_defaults_for_new_fields(tmp_path: Path) -> None:
    (tmp_path / "student.json").write_text(json.dumps(SETTINGS))
    settings = read_settings(tmp_path)
    assert (settings.precision, settings.head, settings.prompt) == ("auto", None, None)
    assert settings.calibration.thresholds == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "{}",
        '{"model_id": 7',
        "[" * 100_000,
        "[1]",
        json.dumps(SETTINGS | {"cut_points": [float("nan"), 1.5, 2.5]}),
        json.dumps(SETTINGS | {"cut_points": [0.5, 1.5]}),
        json.dumps(SETTINGS | {"calibration": {"slope": float("inf"), "thresholds": [0, 1, 2]}}),
        json.dumps(SETTINGS | {"calibration": {"slope": 1.0, "thresholds": [0, 1]}}),
        json.dumps(SETTINGS | {"max_length": 0}),
        json.dumps(SETTINGS).replace("192", "9" * 5000),
        json.dumps(SETTINGS).replace("cross_encoder", "\\ud800", 1).replace("192", "[]"),
    ],
)
def test_a_folder_without_valid_settings_is_not_a_student(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "student.json").write_text(content)
    with pytest.raises(StudentError, match=r"student\.json cannot be read.*train it again"):
        read_settings(tmp_path)


def test_the_card_has_each_dev_metric_and_a_dash_for_undefined_ones() -> None:
    card = model_card(Settings(**SETTINGS), "a sequence classifier.")  # type: ignore[arg-type]
    assert "| ndcg_at_10 | 0.7123 |\n| kappa_quadratic | - |\n" in card
    assert "- Files: a sequence classifier. `adapter/` is the adapter alone" in card
    assert "tags: [relevance, cross-encoder]" in card


def test_the_merged_model_computes_what_base_and_adapter_compute(tmp_path: Path) -> None:
    base = save_encoder(tmp_path / "base", "bert")
    torch.manual_seed(3)
    adapted = with_lora(BertModel.from_pretrained(base), rank=2).eval()
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:  # zero before training, and then the adapter does nothing
            torch.nn.init.normal_(parameter, std=0.1)
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        expected = adapted(ids).last_hidden_state
        base_output = BertModel.from_pretrained(base).eval()(ids).last_hidden_state
        save_merged(adapted, AutoTokenizer.from_pretrained(base), tmp_path / "s")
        merged = BertModel.from_pretrained(tmp_path / "s").eval()(ids).last_hidden_state
    assert torch.allclose(merged, expected, atol=1e-5)
    assert not torch.allclose(merged, base_output, atol=1e-3)
    assert (tmp_path / "s" / ADAPTER / "adapter_model.safetensors").is_file()


def test_a_student_with_unknown_settings_loads(tmp_path: Path) -> None:
    (tmp_path / "student.json").write_text(json.dumps(SETTINGS | {"train_documents": True}))
    assert read_settings(tmp_path) == Settings.model_validate(SETTINGS)
