"""The folder of a student that is calibrated to people, beside the folder of the trained one."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student import Labeler, calibrate_to_people, people_id, train_student
from relabel_assets_tests.student.tiny_models import pairs, save_encoder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny cross-encoder: of all architectures it trains soonest."""
    folder = tmp_path_factory.mktemp("people")
    config = StudentConfig(
        base_model=str(save_encoder(folder / "base", "bert")),
        architecture="cross_encoder",
        max_length=32,
        epochs=0,
        hardening=False,
    )
    graded = pairs().with_columns(split=pl.lit("train"))
    train_student(graded, config=config, rubric=default_rubric(), folder=folder / "trained")
    return folder / "trained"


def by_people(*grades: int | None) -> pl.DataFrame:
    every = pairs()
    given = pl.Series("grade", [*grades, *[None] * (every.height - len(grades))], dtype=pl.Int64)
    return every.with_columns(given)


def test_large_files_are_shared_and_the_trained_student_stays_as_it_is(trained: Path) -> None:
    before = {path.name: path.read_bytes() for path in trained.iterdir() if path.is_file()}
    folder = trained.with_name("calibrated")
    student = calibrate_to_people(trained, by_people(0, 0, 0), folder=folder)
    assert {path.name: path.read_bytes() for path in trained.iterdir() if path.is_file()} == before
    assert (folder / "model.safetensors").samefile(trained / "model.safetensors")
    saved = json.loads((folder / "student.json").read_text())
    of_trained = json.loads(before["student.json"])
    assert student.settings.model_id == saved["model_id"] != of_trained["model_id"]
    assert saved["model_id"] == people_id(of_trained["model_id"], by_people(0, 0, 0))
    assert saved["people"]["n_pairs"] == 3
    assert "calibrated to people's: 3 pairs" in (folder / "README.md").read_text()
    assert not list(trained.parent.glob(".*half"))


def test_it_grades_as_people_do_and_ranks_as_before(trained: Path) -> None:
    folder = trained.with_name("stricter")
    n_pairs = pairs().height
    calibrate_to_people(trained, by_people(*[0] * n_pairs), folder=folder)
    teacher, people = (Labeler.load(path).grade(pairs()) for path in (trained, folder))
    assert (people["expected_grade"] < teacher["expected_grade"]).all()
    assert people["expected_grade"].arg_sort().equals(teacher["expected_grade"].arg_sort())


def test_a_disk_without_hard_links_gets_copies(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("relabel_assets.student.train.os.link", refuse)
    folder = trained.with_name("copied")
    calibrate_to_people(trained, by_people(3), folder=folder)
    weights = (folder / "model.safetensors", trained / "model.safetensors")
    assert not weights[0].samefile(weights[1])
    assert weights[0].read_bytes() == weights[1].read_bytes()
