"""An import: the judgments of a file, matched to the corpus, as a file of its folder.

What belongs here: which judgments are used, and the file that is written. What does not: the formats
(formats/), matching ids (known_ids.py), and the tables that are made of it (assets/).
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.labelers import is_labeler_name
from relabel_assets.corpus.grades.imported_grades import (
    LABELERS_FOLDER,
    NAME_RULE,
    REFERENCE_FOLDER,
)
from relabel_assets.corpus.rows import DuplicateCheck
from relabel_assets.errors import ConfigError, CorpusError, Problem
from relabel_assets.exchange.export_file import provenance_file
from relabel_assets.exchange.formats.format import Format
from relabel_assets.exchange.formats.plain_tables import read_csv
from relabel_assets.exchange.judgments import Judgment
from relabel_assets.exchange.known_ids import KnownIds
from relabel_assets.files import whole
from relabel_assets.intake.one_input import (
    INPUT_ERRORS,
    SetAside,
    costs_itself,
    problem_of,
    reason_of,
)
from relabel_assets.intake.text import shown

REFERENCE = "reference"
_OF_LABELER = ("expected_grade", "grade_probs", "model", "prompt_hash", "request_key")


@dataclass
class Import:
    """What an import did, or would do: the file, its number of grades, and what was left out.

    `is_written` is False after a trial, and where the file was there with the same grades.
    """

    path: Path
    labeler: str
    n_grades: int = 0
    n_queries: int = 0
    n_repeated: int = 0  # grades that were there twice, and the same
    is_written: bool = False
    is_known: bool = False  # the file has the same grades already
    problems: list[Problem] = field(default_factory=list)


def import_file(
    path: Path,
    form: Format,
    corpus: Path,
    known: KnownIds,
    *,
    labeler: str,
    max_grade: int,
    assessor: str | None = None,
    is_forced: bool = False,
    is_trial: bool = False,
) -> Import:
    """Write the judgments in `path` into the folder `corpus`, for the labeler `labeler`.

    `labeler` reference: they become reference labels, of `assessor` or of those that the file names. A
    judgment that cannot be used is left out, and is a problem. Raises CorpusError where none can be used,
    and ConfigError for a wrong name or another import of that name, unless `is_forced`. A trial writes
    nothing.

    >>> import tempfile
    >>> from relabel_assets.exchange.formats.qrels import FORMAT
    >>> known = KnownIds({"q1": "leave"}, ["d1"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "gpt.qrels"
    ...     _ = path.write_text("q1 0 d1 2\\nq1 0 d9 1\\n")
    ...     done = import_file(path, FORMAT, Path(folder), known, labeler="gpt", max_grade=3)
    ...     (done.path.name, done.n_grades, len(done.problems))
    ('gpt.jsonl', 1, 1)
    """
    target = _target(corpus, path, labeler, assessor)
    done = Import(target, labeler)
    judgments = _usable(path, form, max_grade, known, done, assessor or target.stem)
    if not judgments:
        first = f" First: {done.problems[0]}" if done.problems else ""
        raise CorpusError(f"{path}: it has no judgment of this corpus.{first}")
    if labeler == REFERENCE:
        rows = [_reference_row(one) for one in judgments]
    else:
        rows = _labeler_rows(_with_provenance(judgments, path, form, max_grade, done))
    done.n_grades = len(rows)
    done.n_queries = len({row["query_id"] for row in rows})
    _write(rows, done, is_forced=is_forced, is_trial=is_trial)
    return done


def _target(corpus: Path, path: Path, labeler: str, assessor: str | None) -> Path:
    """The file to write: of reference labels named after the assessor or the imported file."""
    if labeler != REFERENCE:
        if not is_labeler_name(labeler):
            raise ConfigError(f"--as {shown(labeler)}: {NAME_RULE}.")
        return corpus / LABELERS_FOLDER / f"{labeler}.jsonl"
    name = re.sub(r"[^\w-]+", "_", assessor or path.name.partition(".")[0]).strip("_")[:64]
    return corpus / REFERENCE_FOLDER / f"{name or 'imported'}.jsonl"


def _usable(
    path: Path, form: Format, max_grade: int, known: KnownIds, done: Import, nobody: str
) -> list[Judgment]:
    """The judgments of known pairs, with the corpus' ids and an assessor; others are problems."""
    judgments, keys = dict[tuple[str, str, str], Judgment](), DuplicateCheck()
    for line, read in _read(path, form, max_grade, done.problems):
        with costs_itself(done.problems, path.name, line):
            if isinstance(read, SetAside):
                raise read
            matched = known.matched(read)
            if matched is None:  # counted there
                continue
            assessor = matched.assessor or nobody
            key = (matched.query_id or "", matched.doc_id, assessor)
            before = judgments.get(key)
            if before is not None and before.grade == matched.grade:
                done.n_repeated += 1
                continue
            place = "an earlier row" if line is None else f"line {line}"
            keys.add(key, f"the pair ({key[0]}, {key[1]}) with another grade", place)
            judgments[key] = replace(matched, assessor=assessor)
    done.problems += known.problems(path.name)
    return [judgments[key] for key in sorted(judgments)]


def _read(
    path: Path, form: Format, max_grade: int, problems: list[Problem]
) -> Iterable[tuple[int | None, Judgment | SetAside]]:
    """What `form` reads. Where the rest of the file cannot be read, that is a problem."""
    try:
        yield from form.read(path, max_grade)
    except INPUT_ERRORS as error:
        problems.append(problem_of(error, path.name))


def _with_provenance(
    judgments: list[Judgment], path: Path, form: Format, max_grade: int, done: Import
) -> list[Judgment]:
    """`judgments` with what an export wrote beside the file, of pairs that have the same grade there."""
    beside = provenance_file(path, form)
    if form.has_provenance or not beside.is_file():
        return judgments
    found = dict[tuple[str | None, str], Judgment]()
    with costs_itself(done.problems, beside.name):
        for _, one in read_csv(beside, max_grade):
            if isinstance(one, Judgment):
                found[one.query_id, one.doc_id] = one
    completed = []
    for one in judgments:
        known = found.get((one.query_id, one.doc_id))
        is_same = known is not None and known.grade == one.grade
        values = {name: getattr(known, name) for name in _OF_LABELER} if is_same else {}
        completed.append(replace(one, **values))
    return completed


def _reference_row(judgment: Judgment) -> dict[str, Any]:
    names = ("query_id", "doc_id", "assessor", "grade")
    return {name: getattr(judgment, name) for name in names}


def _labeler_rows(judgments: Sequence[Judgment]) -> list[dict[str, Any]]:
    """A row a pair. Of several assessors the median counts, and they are the model."""
    assessors = {one.assessor for one in judgments}
    if len(assessors) > 1:
        frame = pl.DataFrame(_reference_row(one) for one in judgments)
        names = ", ".join(sorted(str(name) for name in assessors))[:200]
        medians = median_grades(frame).sort("query_id", "doc_id")
        return [row | {"model": names} for row in medians.iter_rows(named=True)]
    rows = []
    for one in judgments:
        row = {"query_id": one.query_id, "doc_id": one.doc_id, "grade": one.grade}
        others = {name: getattr(one, name) for name in _OF_LABELER}
        rows.append(row | {name: value for name, value in others.items() if value is not None})
    return rows


def _write(rows: list[dict[str, Any]], done: Import, *, is_forced: bool, is_trial: bool) -> None:
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    content = "".join(lines).encode()
    try:
        if done.path.exists() and not done.path.is_symlink():
            done.is_known = done.path.read_bytes() == content
            if not done.is_known and not is_forced:
                raise ConfigError(
                    f"{done.path} has other grades. Replace them with --force, or choose another name."
                )
        if done.is_known or is_trial:
            return
        with whole(done.path, is_durable=True) as scratch:
            scratch.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{done.path} cannot be written: {reason_of(error)}.") from error
    done.is_written = True
