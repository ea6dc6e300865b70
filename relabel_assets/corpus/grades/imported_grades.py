"""Grades that `relabel import` wrote into a corpus folder: of labelers, and reference labels.

What belongs here: the rows of labelers/NAME.jsonl and reference_labels/NAME.jsonl. What does not: the
formats they came from (exchange/), and a corpus' own qrels (grades.py).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.benchmark.labelers import is_labeler_name
from relabel_assets.corpus.rows import (
    DuplicateCheck,
    ReadRows,
    optional_text,
    required_grade,
    required_id,
)
from relabel_assets.errors import Problem
from relabel_assets.intake.one_input import SetAside, costs_itself
from relabel_assets.intake.text import shown

LABELERS_FOLDER, REFERENCE_FOLDER = "labelers", "reference_labels"
IMPORTED: dict[str, Any] = {
    "query_id": pl.String,
    "doc_id": pl.String,
    "labeler": pl.String,
    "grade": pl.Int64,
    "expected_grade": pl.Float64,
    "grade_probs": pl.List(pl.Float64),
    "model": pl.String,
    "prompt_hash": pl.String,
    "request_key": pl.String,
}
NAME_RULE = (
    "Names are lower case letters, digits, and _ . - within, at most 64, and no labeler of our own"
)
JsonRows = Iterable[tuple[int, Mapping[str, Any]]]


def is_imported(file: str, folder: str) -> bool:
    """Whether `file` of a corpus folder is one of the imported grades in `folder`.

    >>> is_imported("labelers/gpt.jsonl", "labelers"), is_imported("labelers/notes/gpt.jsonl", "labelers")
    (True, False)
    """
    return re.fullmatch(rf"{folder}/[^/.][^/]*\.jsonl", file) is not None


def files_of(corpus: Path, folder: str) -> list[str]:
    """The files of imported grades, relative to the folder of a corpus.

    >>> files_of(Path("/nowhere"), "labelers")
    []
    """
    try:
        names = sorted(entry.name for entry in (corpus / folder).iterdir())
    except OSError:
        return []
    return [file for name in names if is_imported(file := f"{folder}/{name}", folder)]


def labeler_of(file: str) -> str:
    """The labeler whose grades `file` holds. Raises SetAside where its name is none.

    >>> labeler_of("labelers/gpt-4o.jsonl")
    'gpt-4o'
    """
    name = Path(file).name.removesuffix(".jsonl")
    if not is_labeler_name(name):
        raise SetAside(f"{shown(name)} is no name of a labeler", f"{NAME_RULE}. Rename the file.")
    return name


def imported_from_rows(
    rows: JsonRows, *, file: str, max_grade: int, problems: list[Problem]
) -> ReadRows:
    """Every grade of a labeler, with the columns of IMPORTED. Of two grades of a pair, the first counts.

    >>> row = {"query_id": "q1", "doc_id": "d1", "grade": 2, "grade_probs": [0.0, 0.1, 0.9, 0.0]}
    >>> rows = imported_from_rows([(1, row)], file="labelers/gpt.jsonl", max_grade=3, problems=[])
    >>> rows.frame.select("labeler", "grade", "model").row(0)
    ('gpt', 2, None)
    """
    labels, pairs = list[tuple[Any, ...]](), DuplicateCheck()
    labeler = labeler_of(file)
    for line, row in rows:
        with costs_itself(problems, file, line):
            query_id, doc_id = required_id(row, "query_id"), required_id(row, "doc_id")
            grade = required_grade(row.get("grade"), max_grade)
            expected = _number(row.get("expected_grade"), "expected_grade", max_grade)
            probs = _probs(row.get("grade_probs"), max_grade + 1)
            texts = [optional_text(row, name) for name in ("model", "prompt_hash", "request_key")]
            pairs.add((query_id, doc_id), f"the pair ({query_id}, {doc_id})", f"line {line}")
            labels.append((query_id, doc_id, labeler, grade, expected, probs, *texts))
    return ReadRows(pl.DataFrame(labels, schema=IMPORTED, orient="row"), problems)


def _number(value: Any, name: str, most: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise SetAside(f"{name} is {shown(value)}", f"Write a number from 0 to {most}.")
    return float(value)


def _probs(value: Any, n_grades: int) -> Sequence[float] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != n_grades or None in value:
        message = f"grade_probs is {shown(value)}"
        raise SetAside(message, f"Write {n_grades} numbers from 0 to 1, or leave it out.")
    return [_number(prob, "a probability", 1) or 0.0 for prob in value]
