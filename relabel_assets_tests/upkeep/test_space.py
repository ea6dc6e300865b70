"""What takes room and may go: named by the doctor, with the command that frees it."""

import os
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.graph.project import Project
from relabel_assets.upkeep.space import space_to_free
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import write_corpus
from relabel_assets_tests.warehouse.rows import HASH, complete, labels


@pytest.fixture
def project(tmp_path: Path) -> Project:
    write_corpus(tmp_path / "data" / "tiny")
    return Project(home_path=str(tmp_path / "home"), data_path=str(tmp_path / "data"))


def notes(project: Project) -> dict[str, str]:
    findings = list(space_to_free(project, Warehouse.at(project.home.warehouse)))
    assert not [finding for finding in findings if finding.problem]
    return {finding.subject: finding.note for finding in findings}


def put_students(project: Project, *names: str) -> None:
    """Students of `tiny`; the last is current."""
    rows: list[dict[str, Any]] = []
    for age, name in enumerate(names):
        folder = project.home.models / "tiny" / name
        folder.mkdir(parents=True)
        (folder / "student.json").write_text("x" * 500_000)
        os.utime(folder / "student.json", (age, age))
        row: dict[str, Any] = {
            "model_id": name,
            "base_model": "b",
            "architecture": "late_interaction",
        }
        row |= {"method": "lora", "path": f"models/tiny/{name}", "n_train_pairs": 1}
        row |= {"n_dev_pairs": 0, "training_set_hash": HASH, "cut_points": [0.5, 1.5, 2.5]}
        row |= {"best_epoch": 0, "train_s": 1.0, "is_current": name == names[-1]}
        rows.append(row)
    frame = complete("student_model", *rows)
    Warehouse.at(project.home.warehouse).replace("student_model", "tiny", frame, input_hash=HASH)


def test_a_corpus_without_a_folder_is_named_with_its_size_and_the_command(project: Project) -> None:
    warehouse = Warehouse.at(project.home.warehouse)
    for corpus in ("tiny", "renamed"):
        warehouse.replace("student_labels", corpus, labels("q1"), input_hash=HASH)
    model = project.home.models / "left_over" / "m"
    model.mkdir(parents=True)
    (model / "weights").write_bytes(b"0" * 2_000_000)
    found = notes(project)
    assert list(found) == ["left_over", "renamed"]
    assert "it has 3 rows and 0.0 MB" in found["renamed"]
    assert found["left_over"].endswith("relabel corpora remove left_over")
    assert "2.0 MB" in found["left_over"]


def test_students_beyond_the_setting_are_named_with_their_size(project: Project) -> None:
    put_students(project, "a", "b", "c", "d")
    (note,) = notes(project).values()
    assert note.startswith("1 old student of 0.5 MB")
    assert "relabel run -c tiny -s student_model --force" in note
    config = Path(project.data_path) / "tiny" / "corpus.yaml"
    config.write_text("student: {keep: 3}\n")
    assert notes(project) == {}


def test_a_home_without_a_warehouse_or_a_corpus_has_no_note(tmp_path: Path) -> None:
    project = Project(home_path=str(tmp_path / "home"), data_path=str(tmp_path / "data"))
    assert notes(project) == {}
    write_corpus(tmp_path / "data" / "tiny")
    put_students(project, "a", "b", "c", "d")
    (tmp_path / "data" / "tiny" / "corpus.yaml").write_text("nonsense: 1\n")
    assert notes(project) == {}
