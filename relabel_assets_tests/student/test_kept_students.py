"""Which students keep their files: the current one, the newest of the others, and what they are made from."""

import os
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student.identity import student_id
from relabel_assets.student.kept_students import are_saved, removable


def students(home: Path, *rows: dict[str, Any]) -> pl.DataFrame:
    """`rows` of student_model with files, the first the oldest."""
    complete = []
    for age, row in enumerate(rows):
        path = f"models/tiny/{row['model_id']}"
        (home / path).mkdir(parents=True, exist_ok=True)
        file = home / path / "student.json"
        file.touch()
        os.utime(file, (1_000 + age, 1_000 + age))
        defaults = {"path": path, "is_current": False, "calibrated_to": "teacher"}
        complete.append({**defaults, "training_set_hash": row["model_id"], **row})
    return pl.DataFrame(complete)


def test_all_but_the_current_and_the_newest_two_others_go(tmp_path: Path) -> None:
    ids = ["z", "b", "y", "a", "x"]  # names say nothing of the age
    rows = students(tmp_path, *({"model_id": name, "is_current": name == "z"} for name in ids))
    assert removable(rows, tmp_path, 2) == ["models/tiny/b", "models/tiny/y"]
    assert removable(rows, tmp_path, 4) == []
    assert len(removable(rows, tmp_path, 0)) == 4
    assert "models/tiny/z" not in removable(rows, tmp_path, 0)


def test_a_student_without_files_takes_no_place_of_one_that_has_some(tmp_path: Path) -> None:
    rows = students(tmp_path, *({"model_id": name} for name in "abc"))
    (tmp_path / "models/tiny/c/student.json").unlink()
    assert removable(rows, tmp_path, 1) == ["models/tiny/a"]
    assert are_saved(rows, tmp_path, ["models/tiny/a"]).to_list() == [False, True, False]


def test_the_student_that_people_calibrated_keeps_the_one_it_was_made_from(tmp_path: Path) -> None:
    current = {"is_current": True, "training_set_hash": "s", "calibrated_to": "people"}
    made_from = {"model_id": "base", "training_set_hash": "s"}
    rows = students(tmp_path, made_from, {"model_id": "old"}, {"model_id": "now", **current})
    assert removable(rows, tmp_path, 0) == ["models/tiny/old"]
    by_teacher = rows.with_columns(calibrated_to=pl.lit("teacher"))
    assert removable(by_teacher, tmp_path, 0) == ["models/tiny/base", "models/tiny/old"]


def test_how_many_are_kept_is_no_part_of_what_a_student_is() -> None:
    ids = {student_id("set", StudentConfig(keep=n), default_rubric()) for n in (0, 2, 5)}
    assert len(ids) == 1
    assert "keep" not in StudentConfig().model_dump()
    assert StudentConfig(keep=0).model_dump()["keep"] == 0
