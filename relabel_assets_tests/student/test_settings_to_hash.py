"""Hashes that earlier versions computed from a student's settings must not change.

What is compared with was written by the version of 4e07501 for data/engineering_wiki of the demo. A
student or a table whose hash changes would be made again by everyone who upgrades.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import relabel_assets.definitions  # noqa: F401  registers the recipes
from relabel_assets.corpus.config import CorpusConfig
from relabel_assets.corpus.student_config import StudentConfig
from relabel_assets.graph.inputs import Inputs, plain
from relabel_assets.graph.table_asset import RECIPES
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student import rubric_read, settings_to_hash, student_id
from relabel_assets.student.folder import SETTINGS as SETTINGS_FILE
from relabel_assets.student.folder import Settings, read_settings

TRAINING_SET_HASH = "d2c839b42812f26f543b9625d71ec9957f27f674a8ac33a4543d281ddbc04418"
# Of the column `inputs` of the table `materializations`, for student_model.
PARTS = {
    "settings student.preset": "74234e98afe7",
    "settings student.base_model": "50f15024ec2b",
    "settings student.architecture": "6559f2624dc4",
    "settings student.method": "513a77687775",
    "settings student.max_length": "eb3be230bbd2",
    "settings student.epochs": "4e07408562be",
    "settings student.learning_rate": "74234e98afe7",
    "settings student.precision": "634635a2166e",
    "settings student.train_documents": "fcbcf165908d",
    "settings student.seed": "3fdba35f04dc",
}


def test_a_student_of_the_previous_version_keeps_its_id() -> None:
    assert student_id(TRAINING_SET_HASH, StudentConfig(), default_rubric()) == "8cbc6b3c09438e19"


def test_the_inputs_of_a_student_keep_the_hashes_of_the_previous_version() -> None:
    config = StudentConfig()
    settings = {
        "student": settings_to_hash(config),
        "rubric": rubric_read(config, default_rubric()),
    }
    parts = Inputs({"settings": plain(settings)}).parts
    assert parts == PARTS | {"settings rubric": "4b227777d4dd"}


@pytest.mark.parametrize("table", ["student_model", "benchmark_report"])
def test_tables_that_depend_on_the_student_hash_the_same_settings(table: str) -> None:
    corpus: Any = SimpleNamespace(config=CorpusConfig(), rubric=default_rubric())
    settings = plain(RECIPES[table].settings(corpus))
    assert Inputs({"settings": {"student": settings["student"]}}).parts == PARTS


def test_every_setting_changes_the_id() -> None:
    rubric = default_rubric()
    changed: dict[str, Any] = {
        "preset": "minilm",
        "base_model": "other",
        "architecture": "cross_encoder",
        "method": "full",
        "max_length": 64,
        "epochs": 1,
        "learning_rate": 0.1,
        "precision": "fp32",
        "seed": 1,
    }
    assert set(changed) == set(settings_to_hash(StudentConfig())) - {"train_documents"}
    configs = [StudentConfig(), *(StudentConfig(**{name: changed[name]}) for name in changed)]
    assert len({student_id("set", config, rubric) for config in configs}) == len(configs)


def test_a_student_with_unknown_settings_loads(
    tmp_path: Path,
) -> None:
    settings = Settings(
        model_id="4f1c", base_model="embedded", architecture="late_interaction", method="lora",
        max_length=192, n_grades=4, calibration={"slope": 1.0, "thresholds": [0.0, 1.0, 2.0]},
        cut_points=[0.5, 1.5, 2.5], training_set_hash="0", seed=13, n_train_pairs=9, n_dev_pairs=1,
        best_epoch=2, figures={},
    )  # fmt: skip
    written = settings.model_dump_json().replace("{", '{"train_documents": true,', 1)
    (tmp_path / SETTINGS_FILE).write_text(written)
    assert read_settings(tmp_path) == settings
