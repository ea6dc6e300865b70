"""The registry of architectures, and properties of each: precision, length, safety, adapters."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from relabel_assets.benchmark.cut_points import cut_points
from relabel_assets.corpus.config.config_file import parse_corpus_config
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import ConfigError, StudentError
from relabel_assets.student import Labeler, train_student
from relabel_assets.student.architectures import ARCHITECTURES, architecture
from relabel_assets.student.folder import ADAPTER
from relabel_assets.tables.tables import TABLES
from relabel_assets.tables.vocabulary import STUDENT_ARCHITECTURES
from relabel_assets_tests.student.tiny_models import (
    DECODERS,
    ENCODERS,
    RUBRIC,
    pairs,
    save_decoder,
    save_encoder,
)

pytestmark = pytest.mark.slow


def test_every_declared_architecture_is_registered_and_allowed_in_settings_and_table() -> None:
    assert tuple(ARCHITECTURES) == STUDENT_ARCHITECTURES
    for name in STUDENT_ARCHITECTURES:
        assert StudentConfig(architecture=name).architecture == name
    column = TABLES["student_model"].schema.columns()["architecture"]
    assert column.categories == list(STUDENT_ARCHITECTURES)  # type: ignore[attr-defined]


def test_an_unknown_architecture_is_refused_in_settings_and_in_a_students_folder() -> None:
    with pytest.raises(ConfigError, match="'late_interaction', 'cross_encoder' or 'decoder'"):
        parse_corpus_config("student: {architecture: two_tower}", file="corpus.yaml")
    with pytest.raises(
        StudentError, match="Architectures: late_interaction, cross_encoder, decoder"
    ):
        architecture("two_tower")


def test_late_interaction_alone_uses_the_corpus_and_decoders_alone_read_the_rubric() -> None:
    assert [name for name in ARCHITECTURES if ARCHITECTURES[name].uses_corpus] == [
        "late_interaction"
    ]
    assert [name for name in ARCHITECTURES if ARCHITECTURES[name].reads_rubric] == ["decoder"]


def test_the_registry_and_the_package_do_not_load_torch() -> None:
    code = (
        "import sys, relabel_assets.student.architectures, relabel_assets.student.identity;"
        "from relabel_assets.student import student_id, training_set_hash, rubric_read, "
        "corpus_sample;"
        "print(sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_baseline_of_a_new_cross_encoder_is_late_interaction(
    tmp_path: Path,
) -> None:
    base = str(save_encoder(tmp_path / "base", "bert"))
    graders = [
        ARCHITECTURES[name].untrained(
            StudentConfig(base_model=base, architecture=name, precision="fp32"), RUBRIC
        )
        for name in ("late_interaction", "cross_encoder")
    ]
    assert type(graders[0]) is type(graders[1])
    assert np.array_equal(graders[0].scores(pairs()), graders[1].scores(pairs()))


@pytest.mark.parametrize("name", STUDENT_ARCHITECTURES)
def test_a_trained_folder_has_a_card_and_grades_an_empty_frame(tmp_path: Path, name: str) -> None:
    base = tmp_path / "base"
    save_decoder(base, "llama") if name == "decoder" else save_encoder(base, "bert")
    config = StudentConfig(base_model=str(base), architecture=name, max_length=48, epochs=0)
    trained = train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    card = (tmp_path / "s" / "README.md").read_text()
    assert f"# Student {trained.settings.model_id}" in card
    assert ARCHITECTURES[name].files in card
    assert Labeler.load(tmp_path / "s").grade(pairs().clear()).height == 0


@pytest.mark.parametrize("architecture", ["late_interaction", "cross_encoder", "decoder"])
def test_bf16_scores_are_close_to_fp32_and_a_reload_reproduces_the_cut_points(
    tmp_path: Path, architecture: str
) -> None:
    base = tmp_path / "base"
    save_decoder(base, "qwen") if architecture == "decoder" else save_encoder(base, "bert")
    folder = tmp_path / "s"
    settings: dict[str, Any] = {"architecture": architecture, "precision": "bf16"}
    config = StudentConfig(base_model=str(base), max_length=48, epochs=1, **settings)
    trained = train_student(pairs(), config=config, rubric=RUBRIC, folder=folder)
    scores = Labeler.load(folder).grader.scores(pairs())
    # The cut points came from scores that were read as a reload reads them.
    expected = Labeler.load(folder).grade(pairs())["expected_grade"]
    assert trained.settings.cut_points == pytest.approx(
        cut_points(expected, pairs()["grade"], 4), abs=1e-6
    )
    (folder / "student.json").write_text(
        trained.settings.model_copy(update={"precision": "fp32"}).model_dump_json()
    )
    exact = Labeler.load(folder).grader.scores(pairs())
    # The head of late interaction measures in spreads; the others' scores are about 1, and random
    # weights spread them little.
    most = 0.1 * np.ptp(exact) if architecture == "late_interaction" else 5e-3
    assert 0 < np.abs(scores - exact).max() < most


@pytest.mark.parametrize("architecture", ["late_interaction", "cross_encoder"])
def test_texts_above_the_models_maximum_length_are_scored(
    tmp_path: Path, architecture: Any
) -> None:
    base = save_encoder(tmp_path / "base", "bert", room=39)
    config = StudentConfig(
        base_model=str(base), architecture=architecture, precision="fp32", max_length=512, epochs=0
    )
    train_student(pairs(words=200), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    grader = Labeler.load(tmp_path / "s").grader
    assert np.isfinite(grader.scores(pairs(words=200))).all()


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    base = save_encoder(tmp_path / "base", "bert")
    torch.save(load_file(base / "model.safetensors"), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    config = StudentConfig(base_model=str(base), architecture="cross_encoder", epochs=0)
    with pytest.raises(StudentError, match=r"model\.safetensors"):
        train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")


def test_code_in_a_model_folder_is_never_run_and_no_setting_allows_it(tmp_path: Path) -> None:
    base, ran = save_encoder(tmp_path / "base", "bert"), tmp_path / "ran"
    config = json.loads((base / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}
    (base / "config.json").write_text(json.dumps(config))
    (base / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Own: pass\n")
    with pytest.raises(StudentError, match="cannot be loaded"):
        Labeler.untrained(pairs(), config=StudentConfig(base_model=str(base)), rubric=RUBRIC)
    assert not ran.exists()
    with pytest.raises(ConfigError, match="trust_remote_code"):
        parse_corpus_config("student: {trust_remote_code: true}", file="corpus.yaml")


@pytest.mark.parametrize("name", [*DECODERS, *ENCODERS])
def test_lora_adapts_every_linear_layer_except_the_last(tmp_path: Path, name: str) -> None:
    is_decoder = name in DECODERS
    base = (
        save_decoder(tmp_path / "base", name)
        if is_decoder
        else save_encoder(tmp_path / "base", name)
    )
    config = StudentConfig(
        base_model=str(base),
        architecture="decoder" if is_decoder else "cross_encoder",
        max_length=48,
        epochs=0,
    )
    train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    adapter_config = json.loads((tmp_path / "s" / ADAPTER / "adapter_config.json").read_text())
    expected = {
        "qwen": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
        "llama": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
        "phi3": {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"},
        "bert": {"query", "key", "value", "dense"},
        "modernbert": {"Wqkv", "Wi", "Wo", "dense"},
    }[name]
    adapted_layers = {target.rpartition(".")[2] for target in adapter_config["target_modules"]}
    assert adapted_layers == expected


def test_a_preset_fills_absent_settings() -> None:
    text = "student: {preset: phi-3.5-mini, epochs: 1}"
    student = parse_corpus_config(text, file="corpus.yaml").student
    assert student.base_model == "microsoft/Phi-3.5-mini-instruct"
    assert (student.architecture, student.epochs) == ("decoder", 1)
    with pytest.raises(ConfigError, match="preset"):
        parse_corpus_config("student: {preset: phi}", file="corpus.yaml")
