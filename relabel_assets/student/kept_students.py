"""Students whose files are not needed any more: not the current one, nor the newest of the others.

What belongs here: which students these are. What does not: removing them (graph/table_asset.py), and
their rows, which stay.
"""

from pathlib import Path

import polars as pl

_SETTINGS = "student.json"  # the file without which a folder is no student


def removable(students: pl.DataFrame, home: Path, keep: int) -> list[str]:
    """The folders of students to remove, relative to `home`: all but the current and `keep` others.

    `students`: model_id, path, is_current, calibrated_to and training_set_hash. The newest by the time of
    their files are kept. A student that is calibrated to people needs the one that it was made from, which
    has its training set.

    >>> rows = {"model_id": ["a"], "path": ["models/a"], "is_current": [False], "calibrated_to": ["teacher"]}
    >>> removable(pl.DataFrame(rows | {"training_set_hash": ["0"]}), Path("/nowhere"), keep=0)
    []
    """
    saved = [
        (student, (home / student["path"] / _SETTINGS).stat().st_mtime_ns)
        for student in students.sort("model_id").to_dicts()
        if (home / student["path"] / _SETTINGS).is_file()
    ]
    by_people = {
        student["training_set_hash"]
        for student in students.to_dicts()
        if student["is_current"] and student["calibrated_to"] == "people"
    }
    others = [
        (modified, student["path"])
        for student, modified in saved
        if not student["is_current"] and student["training_set_hash"] not in by_people
    ]
    newest_first = sorted(others, reverse=True)
    return sorted(path for _, path in newest_first[keep:])


def are_saved(students: pl.DataFrame, home: Path, removed: list[str]) -> pl.Series:
    """For each of `students` whether its files are on the disk, once `removed` are gone.

    >>> are_saved(pl.DataFrame({"path": ["models/a"]}), Path("/nowhere"), []).to_list()
    [False]
    """
    saved = [
        path not in removed and (home / path / _SETTINGS).is_file() for path in students["path"]
    ]
    return pl.Series("is_saved", saved, dtype=pl.Boolean)
