"""Grading holes: documents that a system finds and nobody has graded, graded by the current student.

What belongs here: which pairs are holes, and the student's grades of them. What does not: how they count
(evaluation.py). These grades are in no table: a hole depends on the runs of the moment.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from relabel_assets.benchmark.systems.rankings import DEFAULT_MEASURE
from relabel_assets.benchmark.systems.system_values import (
    UnknownMeasureError,
    depth,
    holes,
    ordered,
    parse_measure,
)
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.corpus.runs.system_files import Systems
from relabel_assets.errors import ConfigError, StudentError
from relabel_assets.home import Home
from relabel_assets.labeling.systems.evaluation import Read
from relabel_assets.progress import Progress, silent
from relabel_assets.student.vectors.store import VectorStore

_PAIR = ["query_id", "doc_id"]
_GRADES = {
    "query_id": pl.String,
    "doc_id": pl.String,
    "grade": pl.Int64,
    "expected_grade": pl.Float64,
}


def filled_holes(
    systems: Systems,
    read: Read,
    measures: Sequence[str] | None,
    home: Path,
    *,
    store: VectorStore | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The current student's grades of the holes of `systems`: query_id, doc_id, grade and expected_grade.

    A hole is a document that a measure looks at and that has no grade of the student. Only documents of the
    corpus are graded, for queries that have labels. `home` has the student's folder. Raises StudentError
    where the corpus has no student, and ConfigError for an unknown measure.
    """
    from relabel_assets.student import Labeler

    students = read("student_model").filter("is_current")
    if students.is_empty():
        raise StudentError(
            "--fill needs a student, and the corpus has none. Train one: relabel run"
        )
    try:
        k = max(depth(parse_measure(measure)) for measure in measures or [DEFAULT_MEASURE])
    except UnknownMeasureError as error:
        raise ConfigError(str(error)) from error
    documents = read("seed_docs")
    found = holes(ordered(systems.runs.frame), read("student_labels").select(_PAIR), k)
    pairs = found.select(_PAIR).unique().join(documents, on="doc_id", how="semi").sort(_PAIR)
    if pairs.is_empty():
        return pl.DataFrame(schema=_GRADES)
    texts = with_texts(pairs, read("synthetic_queries"), documents)
    path = Home(home).inside(students.row(0, named=True)["path"])
    labels = Labeler.load(path, store=store).grade(texts, progress=progress)
    return labels.select(list(_GRADES))
